"""Slow and obvious oracles for the fast code."""

from collections.abc import Sequence

import numpy as np

from ngramspec.drafting import NO_DRAFT, Draft, Match, TokenArray


def longest_match(text: list[int], max_match: int, max_compared: int) -> Match:
    """`SuffixIndex.latest_longest_match`, by two loops over the text."""
    return longest_match_of(text, text, max_match, max_compared)


def longest_match_of(tail: list[int], text: list[int], max_match: int, max_compared: int) -> Match:
    """`SuffixIndex.find`, by two loops: what each token of `text` follows, against the end of `tail`."""
    best, num_occurrences = Match(0, 0), 0
    for start in range(len(text) - 1, 0, -1):
        length = 0
        while length < min(start, len(tail)) and text[start - 1 - length] == tail[-1 - length]:
            length += 1
        num_occurrences += length >= 4
        if length >= 4 and num_occurrences > max_compared:
            continue
        if min(length, max_match) > best.length:
            best = Match(min(length, max_match), start)
    return best


def agreement(text: list[int], start: int, length: int) -> int:
    """The kind of a match (`Pointer.offer`): of all earlier positions that share its last four tokens, two or one."""
    order = 4 if length > 3 else 2 if length > 1 else 1
    shared = text[start - order : start]
    earlier = [end for end in range(start - 1, order - 1, -1) if text[end - order : end] == shared]
    if not earlier:
        return 0
    same = [text[end] == text[start] for end in earlier]
    if not same[0]:
        return 1
    return 3 if same[1:2] == [True] else 2


def spelled_match(pieces: list[bytes], least: int, most: int) -> Match:
    """`SpelledIndex.find`, by comparing the bytes before each token with the last ones, byte after byte."""
    end = bytes(most) + b"".join(pieces)
    best = Match(0, 0)
    for start in range(len(pieces)):
        before, length = bytes(most) + b"".join(pieces[:start]), 0
        while length < most and before[-1 - length] == end[-1 - length]:
            length += 1
        if length >= max(least, best.length):
            best = Match(length, start)
    return best


def named_features(states: Sequence[int], offered: Sequence[int]) -> tuple[object, ...]:
    """`features` of a packed key, by name; and last the longest match that offers the token, in buckets from 1."""
    alone = [(source, states[source], offered[source]) for source in range(5)]
    pair = ("pair", states[0] // 4, states[1] // 4, offered[0], offered[1])
    return (*alone, pair, max(states[source] // 4 if offered[source] else 0 for source in range(4)))


class OracleSurvival:
    """`Survival` that knows nothing, with a dictionary from the name of a feature to its weight and its rate."""

    def __init__(self) -> None:
        self.weights: dict[object, float] = {}
        self.rates: dict[object, float] = {}

    def features(
        self,
        states: Sequence[int],
        offered: Sequence[int],
        share_foreseen: float,
        position: int,
        foreseen: tuple[int, bool] | None,
    ) -> list[object]:
        """The names of all that speaks for a token."""
        *found, longest = named_features(states, offered)
        found.append(("recent", min(7, int(share_foreseen * 8)), longest))
        found.append(("ahead", len(f"{min(position, 48):b}") if position else 0))
        if foreseen is not None:
            found.append(("foreseen", *foreseen, longest != 0))
        return [name for name in found if name != (4, 0, 0)]  # that nothing is spelled alike says nothing

    def probability(self, names: Sequence[object]) -> float:
        """Of a token for which these speak."""
        return float(1 / (1 + np.exp(1 - sum(self.weights.get(name, 0.0) for name in names))))

    def learn(self, lessons: Sequence[tuple[int, int, float, Sequence[object]]], right: Sequence[int]) -> None:
        """Move every weight that spoke by its rate times the error, and slow it down."""
        for position, token, probability, names in lessons:
            if position < len(right):
                error = float(token == right[position]) - probability
                for name in names if abs(error) >= 0.0003 else []:
                    rate = self.rates.get(name, 0.3)
                    self.weights[name] = self.weights.get(name, 0.0) + rate * error
                    self.rates[name] = max(0.015, rate * 0.98)


class OracleLookupSession:
    """`PromptLookupSession`, by the loops above, copying one token after the other."""

    def __init__(self) -> None:
        self.text: list[int] = []

    def extend(self, tokens: TokenArray) -> None:
        """Take in tokens."""
        self.text += tokens.tolist()

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Copy from after the match, out of the copy itself where the text ends."""
        match = longest_match(self.text, max_match=64, max_compared=256)
        if not match.length or max_tokens <= 0:
            return Draft(NO_DRAFT)
        copied = list(self.text)
        for position in range(match.start, match.start + max_tokens):
            copied.append(copied[position])
        return Draft(np.array(copied[len(self.text) :], np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing."""

    def close(self) -> None:
        """Keep nothing."""


def rising_slowly(values: Sequence[float], weights: Sequence[int]) -> list[float]:
    """The non-decreasing sequence nearest to `values`, by the largest of the least means around each position."""

    def mean(start: int, end: int) -> float:
        total = sum(weights[start:end])
        return sum(value * weight for value, weight in zip(values[start:end], weights[start:end], strict=True)) / total

    size = len(values)
    return [
        max(min(mean(start, end) for end in range(position + 1, size + 1)) for start in range(position + 1))
        for position in range(size)
    ]
