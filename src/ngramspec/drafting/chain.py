"""A draft, token by token: what the surest of several sources says behind what has been drafted so far."""

from math import exp

from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.sources import Source
from ngramspec.drafting.suffix_index import MAX_FOUND
from ngramspec.drafting.survival import LONGEST, PRIOR, STATES, Lesson, Survival

_SURE = 16
"""While so many tokens agree, copies in progress say no more than the match."""

_FAINT = 0.1
"""Below this survival the draft goes on with one match alone: further ones would cost more than they bring."""


class Chain:
    """Drafts for one row. Its sources are its own text, what its segment answered, and a copy in progress of each.

    tokens, survivals: the last draft, and for each token the probability that it survives. choices: `tokens`, and the
        token that was not sure enough any more. lessons: what was thought of them, and of others in their place.
    match_length: tokens of the longer match that the draft began with.
    """

    __slots__ = (
        "_answer",
        "_drafted_past",
        "_own",
        "_past",
        "_survival",
        "choices",
        "lessons",
        "match_length",
        "survivals",
    )

    def __init__(self, own: Source, past: Source, survival: Survival) -> None:
        """Draft from these two texts."""
        self._own, self._past, self._survival = own, past, survival
        self.choices: list[int] = []
        self.survivals: list[float] = []
        self.lessons: list[Lesson] = []
        self.match_length = 0

    def draft(self, answer: list[int], recent: int, segment: int, max_tokens: int, min_survival: float) -> None:
        """Draft behind the row's text, of which `answer` is what the history is searched for."""
        own, past = self._own, self._past
        if own.length < 0:
            own.take(own.index.latest_longest_match(MAX_FOUND))
        if past.length < 0:
            past.take(past.index.find(answer))
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
        size, past_size = len(own.index), len(past.index)
        text, past_text = own.index.tokens, past.index.tokens
        own_start, own_length, past_start, past_length = own.start, min(own.length, LONGEST), past.start, min(past.length, LONGEST)
        own_agreement, past_agreement = own.index.agreement, past.index.agreement
        own_copy, own_copied, own_misses = own.copy.start, min(own.copy.length, LONGEST), min(own.copy.misses, 3)
        past_copy, past_copied, past_misses = past.copy.start, min(past.copy.length, LONGEST), min(past.copy.misses, 3)
        self.match_length = max(own_length, past_length)
        tail: list[int] = []
        num_answered = len(answer)
        drafted: list[int] = []
        self.choices, self.survivals, self.lessons = drafted, survivals, lessons = drafted, [], []
        described, describe, weights = self._survival.described, self._survival.describe, self._survival.weights
        survival = 1.0
        while True:
            if own_length >= LONGEST or (survival < _FAINT and own_length >= past_length and own_length):
                self._copy_on(text, own_start, size, own_length, 22, own_agreement, recent, segment, max_tokens, min_survival, survival)
                break
            if past_length >= LONGEST or (survival < _FAINT and past_length):
                self._copy_on(past_text, past_start, past_size, past_length, 16, past_agreement, recent, segment, max_tokens, min_survival, survival)
                break
            offers: dict[int, int] = {}
            states = 0
            own_token = past_token = own_copy_token = past_copy_token = -1
            if own_length:
                if own_start < size:
                    own_token = text[own_start]
                    states = STATES[own_length] + own_agreement(own_start, own_length) << 22
                else:
                    own_token = drafted[own_start - size]
                    states = STATES[own_length] << 22
                offers[own_token] = 1
            if past_length and past_start < past_size:
                past_token = past_text[past_start]
                if past_token == SEPARATOR:
                    past_token = -1
                    past_length = 0
                else:
                    states |= STATES[past_length] + past_agreement(past_start, past_length) << 16
                    offers[past_token] = offers.get(past_token, 0) | 2
            if own_length < _SURE and past_length < _SURE:
                if 0 <= own_copy < size:
                    own_copy_token = text[own_copy]
                    states |= STATES[own_copied] + own_misses << 10
                    offers[own_copy_token] = offers.get(own_copy_token, 0) | 4
                if 0 <= past_copy < past_size:
                    past_copy_token = past_text[past_copy]
                    if past_copy_token == SEPARATOR:
                        past_copy = past_copy_token = -1
                    else:
                        states |= STATES[past_copied] + past_misses << 4
                        offers[past_copy_token] = offers.get(past_copy_token, 0) | 8
            if not offers:
                break
            token, probability = -1, -1.0
            for candidate, bits in offers.items():
                features = described.get(states | bits) or describe(states | bits)
                a, b, c, d, e, longest = features
                odds = weights[a] + weights[b] + weights[c] + weights[d] + weights[e] + weights[recent + longest]
                chance = 1 / (1 + exp(-PRIOR - odds - weights[segment + longest]))
                lessons.append((len(drafted), candidate, chance, features))
                if chance > probability:
                    token, probability = candidate, chance
            survival *= probability
            drafted.append(token)
            if len(survivals) == max_tokens or survival < min_survival:
                break
            survivals.append(survival)
            answer.append(token)
            if own_token == token:
                own_start += 1
                own_length += 1
            elif own_token >= 0:
                tail = tail or own.index.text[-MAX_FOUND:].tolist()
                own_length, own_start = own.index.find(tail + drafted)
            if past_token == token:
                past_start += 1
                past_length += 1
            elif past_token >= 0:
                past_length, past_start = past.index.find(answer)
            if own_copy_token == token:
                own_copy += 1
                own_copied = min(own_copied + 1, LONGEST)
            elif own_copy_token >= 0:
                own_copy = -1
            if past_copy_token == token:
                past_copy += 1
                past_copied = min(past_copied + 1, LONGEST)
            elif past_copy_token >= 0:
                past_copy = -1
        del answer[num_answered:]

    def _copy_on(self, text, start, size, length, shift, agreement, recent, segment, max_tokens, min_survival, survival):
        choices, survivals, lessons = self.choices, self.survivals, self.lessons
        described, describe, weights = self._survival.described, self._survival.describe, self._survival.weights
        before = -1
        speaking = 1 if shift == 22 else 2
        while True:
            if start < size:
                token = text[start]
                if token == SEPARATOR:
                    break
                key = STATES[length] + agreement(start, length) << shift | speaking
            elif shift == 22:
                token = choices[start - size]
                key = STATES[length] << shift | speaking
            else:
                break
            if key != before:
                before = key
                features = described.get(key) or describe(key)
                a, b, c, d, e, longest = features
                odds = weights[a] + weights[b] + weights[c] + weights[d] + weights[e] + weights[recent + longest]
                chance = 1 / (1 + exp(-PRIOR - odds - weights[segment + longest]))
            lessons.append((len(choices), token, chance, features))
            choices.append(token)
            survival *= chance
            if len(survivals) == max_tokens or survival < min_survival:
                break
            survivals.append(survival)
            start += 1
            if length < LONGEST:
                length += 1
