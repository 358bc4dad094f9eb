"""How sure is a drafted token? Learnt from what became of earlier ones, while running.

A token that might be drafted is described by a few features, each one of a kind: how long its match is, whether other
matches speak for it or against it, how the row has gone lately. Each feature has a weight; their sum is the log-odds
that the token is right. After every verdict the weights of the features that spoke move against the error. This is
online logistic regression, the way in which context-mixing compressors weigh their models (Mahoney 2005, PAQ6).
"""

from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.prior import learnt_weights
from ngramspec.drafting.types import FloatArray

_BUCKET = [0, 1, 2, 3, 4, 5, 5, 6, 6, *[7] * 4, *[8] * 4, *[9] * 8, *[10] * 7, 11]
_NUM_BUCKETS = 12

LONGEST = len(_BUCKET) - 1
"""Matches of so many tokens or more are all alike."""

STATES = [bucket + 1 << 2 for bucket in _BUCKET]
"""By the length of a match, up to LONGEST: what `Survival.weigh` is told of it, to which one of four kinds, 0 to 3, is
added. A source that offers nothing has state 0."""

_NUM_RECENT = 8
"""How a row has gone lately, in so many steps."""

FURTHEST = 48
"""Tokens behind so many of a draft are all alike."""

NUM_EVIDENCE = 64
"""Kinds of what may speak for a token that is foreseen."""

_NUM_SOURCES = 5
_STATE_BITS = 6

SHIFTS = [_NUM_SOURCES + _STATE_BITS * source for source in reversed(range(_NUM_SOURCES))]
"""Where the state of each source is in the key that `Survival.weigh` takes."""

_STRIDE = 2 << _STATE_BITS
_NOT_SPELLED = 4 * _STRIDE
"""The place of the weight of nothing that is spelled alike: it stays 0, so without a vocabulary all is as if there were
no such source."""

_PAIR = _NUM_SOURCES * _STRIDE
_RECENT = _PAIR + 4 * (_NUM_BUCKETS + 1) ** 2
_AHEAD = _RECENT + _NUM_RECENT * (_NUM_BUCKETS + 1)
_FORESEEN = _AHEAD + FURTHEST.bit_length() + 1
_NUM_SHARED = _FORESEEN + 4 * NUM_EVIDENCE

AHEAD = [_AHEAD + drafted.bit_length() for drafted in range(FURTHEST + 1)]
"""The place of the weight for how many tokens are drafted before one, by their number up to FURTHEST. A token that was
chosen from several seems surer than it is, the more so the further a draft goes on."""

_NUM_OWN = _NUM_BUCKETS + 1
"""Weights that a segment has of its own."""

LAYOUT = [6, _NUM_SHARED, _NUM_OWN]
"""Which features there are: saved weights mean nothing to others. Count on when they change their meaning."""

_PRIOR = -1.0
"""Log-odds of a token before anything was learnt."""

_FIRST_RATE, _TAUGHT_RATE, _RATE_DECAY, _LAST_RATE = 0.3, 0.05, 0.98, 0.015
"""A weight learns fast while it is new, less so where recordings have taught it; it never stops: traffic changes."""

_MOST_WEIGHT = 50.0
"""Of what is read from a file: all that speak for a token together stay within what `exp` can take."""

_LEAST_ERROR = 0.0003
"""Below this an error teaches nothing, and would only take time. No token can come to seem surer than this allows, and
a long copy multiplies it: with 0.02, thirty tokens that survived in 80 % of all cases were given 50 %."""

_MAX_DESCRIBED = 1 << 15
"""So many descriptions are kept, to be forgotten all at once."""

Features = tuple[int, ...]
"""Which weights speak for a token: one of each source, one of the pair of own text and history; under a grammar one of
what is foreseen; and last the length of the
longest match that offers it, in twelve steps from 1 on. The weights of that lie behind two further places: of how the
row has gone lately, and of its kind of traffic."""

Lesson = tuple[int, int, float, Features]
"""Which drafted token it stands for or beside, counted from 0; the token itself; how probable it seemed, and why."""


class Survival:
    """The weights, shared by all rows of a drafter.

    Rows of several threads may learn at a time; an update may then be lost, which costs nothing but that update.
    """

    def __init__(self, *, knows_nothing: bool = False) -> None:
        """Know what recorded traffic has taught (`prior.py`), or nothing yet."""
        learnt = (None,) * _NUM_SHARED if knows_nothing else learnt_weights()
        self._weights = [weight or 0.0 for weight in learnt]
        self._rates = [_FIRST_RATE if weight is None else _TAUGHT_RATE for weight in learnt]
        self._rates[_NOT_SPELLED] = 0.0
        self._described: dict[int, Features] = {}

    @property
    def shared_weights(self) -> list[float]:
        """The weights that all segments share."""
        return self._weights[:_NUM_SHARED]

    def add_segment(self) -> int:
        """Make weights for a kind of traffic; returns their place, for `weigh`."""
        place = len(self._weights)
        self._rates += [_FIRST_RATE] * _NUM_OWN
        self._weights += [0.0] * _NUM_OWN
        return place

    def forget_segment(self, place: int) -> None:
        """Forget what was learnt of the segment at `place`, for another one that gets it."""
        self._put(place, np.array([[0.0], [_FIRST_RATE]]).repeat(_NUM_OWN, 1))

    def lessons(self, place: int | None = None) -> FloatArray:
        """What was learnt, `float64[2, n]`: weights and rates, of the segment at `place`, or (None) of all traffic."""
        start, size = (0, _NUM_SHARED) if place is None else (place, _NUM_OWN)
        return np.array([self._weights[start : start + size], self._rates[start : start + size]])

    def take_over(self, lessons: FloatArray, place: int | None = None) -> None:
        """Know what another one had learnt, as `lessons` told it."""
        self._put(0 if place is None else place, lessons)

    def _put(self, start: int, lessons: FloatArray) -> None:
        size = lessons.shape[1]
        self._weights[start : start + size], self._rates[start : start + size] = lessons.tolist()

    def weigh(self, key: int, recent: int, segment: int, ahead: int) -> tuple[float, Features]:
        """The probability that a token is right, given that all before it are, and what speaks for it.

        key: the states of the five sources, six bits each, own text first, then history, copies from either, and what
        is spelled alike; and five bits, set for those that offer the token, own text lowest. recent: see
        `recent_place`. segment: the place of the weights of this kind of traffic. ahead: see AHEAD.
        """
        features = self._described.get(key) or self._describe(key)
        own, past, own_copy, past_copy, spelled, pair, longest = features
        weights = self._weights
        odds = weights[own] + weights[past] + weights[own_copy] + weights[past_copy] + weights[spelled] + weights[pair]
        odds += weights[ahead]
        return 1.0 / (1.0 + exp(-_PRIOR - odds - weights[recent + longest] - weights[segment + longest])), features

    def weigh_steered(
        self, key: int, recent: int, segment: int, ahead: int, evidence: int, speaks: bool
    ) -> tuple[float, Features]:
        """As `weigh`, under a grammar.

        evidence: for the token that is foreseen there, -1 for none. speaks: whether it is this token.
        """
        if evidence < 0:
            return self.weigh(key, recent, segment, ahead)
        *others, longest = self._described.get(key) or self._describe(key)
        features = (*others, _FORESEEN + (evidence << 2 | speaks << 1 | (longest > 0)), longest)
        weights = self._weights
        odds = _PRIOR + weights[ahead] + weights[recent + longest] + weights[segment + longest]
        for feature in features[:-1]:
            odds += weights[feature]
        return 1.0 / (1.0 + exp(-odds)), features

    def _describe(self, key: int) -> Features:
        if len(self._described) >= _MAX_DESCRIBED:
            self._described = {}
        features = self._described[key] = _features(key)
        return features

    def learn(self, lessons: Sequence[Lesson], right: Sequence[int], recent: int, segment: int) -> None:
        """Move the weights of tokens that were judged; right: the tokens that came. The others are as in a draft."""
        weights, rates = self._weights, self._rates
        for position, token, probability, (*features, longest) in lessons:
            if position >= len(right):
                break
            error = (token == right[position]) - probability
            if -_LEAST_ERROR < error < _LEAST_ERROR:
                continue
            ahead = AHEAD[position if position < FURTHEST else FURTHEST]
            for feature in (*features, recent + longest, segment + longest, ahead):
                rate = rates[feature]
                weights[feature] += rate * error
                if rate > _LAST_RATE:
                    rates[feature] = max(_LAST_RATE, rate * _RATE_DECAY)


def checked_lessons(lessons: npt.NDArray[Any], *, is_of_segment: bool = False) -> FloatArray:
    """What a file says was learnt, `float64[2, n]`, of a segment or of all traffic; ValueError for what cannot be."""
    size = _NUM_OWN if is_of_segment else _NUM_SHARED
    if lessons.dtype != np.float64 or lessons.shape != (2, size):
        raise ValueError(f"lessons must be float64[2, {size}], got {lessons.dtype}{list(lessons.shape)}")
    weights, rates = lessons
    if not (np.abs(weights) <= _MOST_WEIGHT).all():  # NaN is not
        raise ValueError(f"weights must be from -{_MOST_WEIGHT} to {_MOST_WEIGHT}, got another one")
    if not ((rates >= 0.0) & (rates <= _FIRST_RATE)).all():
        raise ValueError(f"rates must be from 0 to {_FIRST_RATE}, got another one")
    if not is_of_segment and lessons[:, _NOT_SPELLED].any():
        raise ValueError("the weight of nothing that is spelled alike must stay 0, got another one")
    return lessons


def recent_place(share: float) -> int:
    """The place of the weights for rows of whose latest tokens this share was foreseen."""
    return _RECENT + min(_NUM_RECENT - 1, int(share * _NUM_RECENT)) * (_NUM_BUCKETS + 1)


def _features(key: int) -> Features:
    by_own, by_past, by_own_copy, by_past_copy, by_spelled = (key >> source & 1 for source in range(_NUM_SOURCES))
    own, past, own_copy, past_copy, spelled = (key >> SHIFTS[source] & 63 for source in range(_NUM_SOURCES))
    longest = max(own * by_own, past * by_past, own_copy * by_own_copy, past_copy * by_past_copy) >> 2
    return (
        own << 1 | by_own,
        _STRIDE + (past << 1 | by_past),
        2 * _STRIDE + (own_copy << 1 | by_own_copy),
        3 * _STRIDE + (past_copy << 1 | by_past_copy),
        _NOT_SPELLED + (spelled << 1 | by_spelled),
        _PAIR + ((own >> 2) * (_NUM_BUCKETS + 1) + (past >> 2)) * 4 + (by_own << 1 | by_past),
        longest,
    )
