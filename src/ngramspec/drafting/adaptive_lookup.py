"""Lookup in the row's own text and in its segment's history, by what has proved right."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ngramspec.drafting.copies import Copy
from ngramspec.drafting.history import SEPARATOR, History
from ngramspec.drafting.suffix_index import NO_MATCH, SuffixIndex
from ngramspec.drafting.survival import Survival, bucket, features
from ngramspec.drafting.types import NO_DRAFT, Draft, TokenArray

_TAIL = 32
"""Matches are found up to this length, and grow as they are copied."""


class AdaptiveLookup:
    """Drafts token by token what the surest of several matches says.

    Looked up are the row's own text (references, prompt, output) and, where a segment is named, what earlier rows of
    that segment answered; and copies in progress go on behind tokens that differed. A copy from history begins at the
    answer to the most similar prompt. How sure each is, alone and beside the others, is learnt (`survival.py`).

    The idea of a history is suffix decoding's (Oliaro et al. 2024), that of going on behind a mismatch lpaq's match
    model's (Mahoney 2007).
    """

    def __init__(self) -> None:
        """Begin without a history, knowing nothing."""
        self.survival = Survival()
        self._histories: dict[str, tuple[History, int]] = {}
        self._unnamed = self.survival.add_segment()

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "AdaptiveLookupSession":
        """Start a row of traffic of the kind `segment`; without one nothing is read from a history or kept in it."""
        if segment is None:
            return AdaptiveLookupSession(self.survival, None, self._unnamed, references)
        kept = self._histories.get(segment)
        if kept is None:
            kept = self._histories.setdefault(segment, (History(), self.survival.add_segment()))
        return AdaptiveLookupSession(self.survival, *kept, references)


class _Choice(NamedTuple):
    """One drafted token, and those that it was preferred to: tokens, what spoke for each, and its probability."""

    tokens: list[int]
    features: list[list[int]]
    probabilities: list[float]
    best: int


class AdaptiveLookupSession:
    """One row: its text, its place in the history, and the choices of its last draft."""

    def __init__(
        self, survival: Survival, history: History | None, segment: int, references: Sequence[TokenArray]
    ) -> None:
        """Start with the references `int32[n]`, read before the prompt. segment: the place of its weights."""
        self.index = SuffixIndex()
        for reference in references:
            self.index.extend(reference)
        self._survival = survival
        self._history = history
        self._past = SuffixIndex() if history is None else history.index
        self._segment = segment
        self._prompt: TokenArray | None = None
        self._answer = [SEPARATOR]
        self._copies = Copy(), Copy()
        self._choices: list[_Choice] = []
        self._recent = 0.5

    def extend(self, tokens: TokenArray) -> None:
        """Take in committed tokens `int32[n]`; the first are the prompt."""
        if self._prompt is None:
            self._begin(tokens)
            return
        committed = tokens.tolist()
        self._learn(committed)
        own, past = self._copies
        for source, copy in ((self.index, own), (self._past, past)):
            if copy.start >= 0:
                for token in committed:
                    copy.advance(token, source.tokens, len(source))
        self.index.extend(tokens)
        self._answer += committed

    def _begin(self, prompt: TokenArray) -> None:
        self._prompt = prompt
        self.index.extend(prompt)
        if self._history is not None:
            self._copies[1].start = self._history.similar(prompt)

    def _learn(self, committed: list[int]) -> None:
        for choice, token in zip(self._choices, committed, strict=False):
            for drafted, found, probability in zip(choice.tokens, choice.features, choice.probabilities, strict=True):
                self._survival.learn(found, probability, was_right=drafted == token)
            was_right = choice.tokens[choice.best] == token
            self._recent += 0.1 * (was_right - self._recent)
            if not was_right:
                break
        self._choices = []

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """Draft up to `max_tokens` tokens, as long as they survive with a probability of `min_survival`."""
        self._choices = []
        if max_tokens <= 0:
            return Draft(NO_DRAFT)
        index, past = self.index, self._past
        text, past_text = index.tokens, past.tokens
        size, past_size = len(index), len(past)
        tail = index.text[-_TAIL:].tolist()
        answer = self._answer[-_TAIL:]
        drafted: list[int] = []
        survivals: list[float] = []
        survival = 1.0
        own_copy, past_copy = (Copy(copy.start, copy.length, copy.misses) for copy in self._copies)
        own, own_length = 0, 0
        earlier, earlier_length = 0, 0
        match_length = 0
        recent = min(7, int(self._recent * 8))
        while True:
            position = len(drafted)
            if not own_length:
                match = index.find(tail)
                own, own_length = match.start, match.length
                if not position:
                    match_length = match.length
                    own_copy.anchor(match)
                    self._copies[0].anchor(match)
            if not earlier_length and past_size:
                match = past.find(answer)
                earlier, earlier_length = match.start, match.length
                if not position:
                    past_copy.anchor(match)
                    self._copies[1].anchor(match)
            tokens, states = [-1, -1, -1, -1], [0, 0, 0, 0]
            if own_length:
                if own < size:
                    tokens[0] = text[own]
                    states[0] = bucket(own_length) << 2 | index.agreement(own, own_length)
                else:
                    tokens[0] = drafted[own - size]
                    states[0] = bucket(own_length) << 2
            if earlier_length and earlier < past_size and past_text[earlier] != SEPARATOR:
                tokens[1] = past_text[earlier]
                states[1] = bucket(earlier_length) << 2 | past.agreement(earlier, earlier_length)
            if 0 <= own_copy.start < size:
                tokens[2] = text[own_copy.start]
                states[2] = bucket(own_copy.length) << 2 | min(own_copy.misses, 3)
            if 0 <= past_copy.start < past_size and past_text[past_copy.start] != SEPARATOR:
                tokens[3] = past_text[past_copy.start]
                states[3] = bucket(past_copy.length) << 2 | min(past_copy.misses, 3)
            candidates = [token for token in dict.fromkeys(tokens) if token >= 0]
            if not candidates:
                break
            found = [
                features(token, tokens, states, len(candidates), position, recent, self._segment)
                for token in candidates
            ]
            probabilities = [self._survival.probability(each) for each in found]
            best = probabilities.index(max(probabilities))
            self._choices.append(_Choice(candidates, found, probabilities, best))
            survival *= probabilities[best]
            if position == max_tokens or survival < min_survival:
                break
            token = candidates[best]
            drafted.append(token)
            survivals.append(survival)
            tail.append(token)
            answer.append(token)
            own, own_length = (own + 1, own_length + 1) if tokens[0] == token else (0, 0)
            earlier, earlier_length = (earlier + 1, earlier_length + 1) if tokens[1] == token else (0, 0)
            own_copy.advance(token, text, size)
            past_copy.advance(token, past_text, past_size)
        return Draft(np.array(drafted, np.int32), match_length, np.array(survivals))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Learn nothing here: the committed tokens say more."""

    def close(self) -> None:
        """The row is over: keep its answer in the history."""
        if self._history is not None and self._prompt is not None:
            self._history.add(self._prompt[:-1], np.array([self._prompt[-1], *self._answer[1:]], np.int32))
