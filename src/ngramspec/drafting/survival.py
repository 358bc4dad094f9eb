"""How sure is a drafted token? Learnt from what became of earlier ones, while running.

A token that might be drafted is described by a few features, each one of a kind: how long its match is, whether other
matches speak for it or against it, how the row has gone lately. Each feature has a weight; their sum is the log-odds
that the token is right. After every verdict the weights of the features that spoke move against the error. This is
online logistic regression, the way in which context-mixing compressors weigh their models (Mahoney 2005, PAQ6).
"""

from math import exp

import numpy as np

from ngramspec.drafting.prior import learnt_weights
from ngramspec.drafting.types import FloatArray

_BUCKET = [0, 1, 2, 3, 4, 5, 5, 6, 6, *[7] * 4, *[8] * 4, *[9] * 8, *[10] * 8]
_NUM_BUCKETS = 12

NO_STATE = 4 * _NUM_BUCKETS
"""The state of a source that offers nothing."""

NUM_RECENT = 8
"""How a row has gone lately is a number below this."""

_NUM_SOURCES = 4
_STRIDE = 2 * (NO_STATE + 1)
_PAIR = _NUM_SOURCES * _STRIDE
_RECENT = _PAIR + 4 * (_NUM_BUCKETS + 1) ** 2
_NUM_SHARED = _RECENT + NUM_RECENT * _NUM_BUCKETS

LAYOUT = [1, _NUM_SHARED, _NUM_BUCKETS]
"""Which features there are: saved weights mean nothing to others. Count on when they change their meaning."""

_PRIOR = -1.0
"""Log-odds of a token before anything was learnt."""

_FIRST_RATE, _TAUGHT_RATE, _RATE_DECAY, _LAST_RATE = 0.3, 0.05, 0.98, 0.015
"""A weight learns fast while it is new, less so where recordings have taught it; it never stops: traffic changes."""

_LEAST_ERROR = 0.02
"""Below this an error teaches nothing: most drafted tokens are nearly certain, and would only take time."""

_MAX_AGE = 256
"""After so many lessons probabilities are worked out anew: a single one hardly moves them."""

Four = tuple[int, int, int, int]
"""One for each source: the row's own text, its history, and a copy in progress from each."""

Features = tuple[int, ...]
"""Which weights speak for a token."""

Weighed = tuple[int, Features, float]
"""A token, what speaks for it, and the probability that it is right, given that all before it are."""


def state(length: int, kind: int) -> int:
    """A match of `length` tokens, among those of about that length and of one of four kinds, 0 to 3."""
    return (_BUCKET[length] if length < 33 else _NUM_BUCKETS - 1) << 2 | kind


class Survival:
    """The weights, shared by all rows of a drafter.

    Rows of several threads may learn at a time; an update may then be lost, which costs nothing but that update.
    """

    def __init__(self, *, knows_nothing: bool = False) -> None:
        """Know what recorded traffic has taught (`prior.py`), or nothing yet."""
        learnt = (None,) * _NUM_SHARED if knows_nothing else learnt_weights()
        self._weights = [weight or 0.0 for weight in learnt]
        self._rates = [_FIRST_RATE if weight is None else _TAUGHT_RATE for weight in learnt]
        self._known: dict[tuple[Four, int, int, int], tuple[Features, float]] = {}
        self._age = 0

    @property
    def shared_weights(self) -> list[float]:
        """The weights that all segments share."""
        return self._weights[:_NUM_SHARED]

    def add_segment(self) -> int:
        """Make weights for a kind of traffic; returns their place, for `features`."""
        place = len(self._weights)
        self._rates += [_FIRST_RATE] * _NUM_BUCKETS
        self._weights += [0.0] * _NUM_BUCKETS
        return place

    def forget_segment(self, place: int) -> None:
        """Forget what was learnt of the segment at `place`, so that another one may have it."""
        self._put(place, np.array([[0.0], [_FIRST_RATE]]).repeat(_NUM_BUCKETS, 1))

    def lessons(self, place: int | None = None) -> FloatArray:
        """What was learnt, `float64[2, n]`: weights and rates, of the segment at `place`, or (None) of all traffic."""
        start, size = (0, _NUM_SHARED) if place is None else (place, _NUM_BUCKETS)
        return np.array([self._weights[start : start + size], self._rates[start : start + size]])

    def take_over(self, lessons: FloatArray, place: int | None = None) -> None:
        """Know what another one had learnt, as `lessons` told it."""
        self._put(0 if place is None else place, lessons)

    def _put(self, start: int, lessons: FloatArray) -> None:
        size = lessons.shape[1]
        self._weights[start : start + size], self._rates[start : start + size] = lessons.tolist()
        self._known = {}
        self._age = 0

    def weigh(self, token: int, tokens: Four, states: Four, recent: int, segment: int) -> Weighed:
        """How sure is `token`, one of `tokens`?

        tokens: what the sources would copy next, -1 for nothing. states: of their matches, as `state` says, or
        NO_STATE. recent: how many of the row's latest tokens were foreseen, 0 to NUM_RECENT - 1. segment: the place of
        the segment's weights.
        """
        own, past, own_copy, past_copy = tokens
        speaking = (own == token) | (past == token) << 1 | (own_copy == token) << 2 | (past_copy == token) << 3
        key = states, speaking, recent, segment
        known = self._known.get(key)
        if known is None:
            found = _features(*key)
            odds = sum(map(self._weights.__getitem__, found), _PRIOR)
            known = self._known[key] = found, 1.0 / (1.0 + exp(min(-odds, 30.0)))
        return token, *known

    def learn(self, weighed: Weighed, right: int) -> None:
        """Move the weights of a token that was weighed: `right` was the right one."""
        token, features, probability = weighed
        error = (token == right) - probability
        if -_LEAST_ERROR < error < _LEAST_ERROR:
            return
        weights, rates = self._weights, self._rates
        for feature in features:
            rate = rates[feature]
            weights[feature] += rate * error
            if rate > _LAST_RATE:
                rates[feature] = max(_LAST_RATE, rate * _RATE_DECAY)
        self._age += 1
        if self._age >= _MAX_AGE:
            self._known = {}
            self._age = 0


def _features(states: Four, speaking: int, recent: int, segment: int) -> Features:
    own, past, own_copy, past_copy = states
    by_own, by_past, by_own_copy, by_past_copy = speaking & 1, speaking >> 1 & 1, speaking >> 2 & 1, speaking >> 3
    longest = max(own * by_own, past * by_past, own_copy * by_own_copy, past_copy * by_past_copy) >> 2
    return (
        own << 1 | by_own,
        _STRIDE + (past << 1 | by_past),
        2 * _STRIDE + (own_copy << 1 | by_own_copy),
        3 * _STRIDE + (past_copy << 1 | by_past_copy),
        _PAIR + ((own >> 2) * (_NUM_BUCKETS + 1) + (past >> 2)) * 4 + (by_own << 1 | by_past),
        _RECENT + recent * _NUM_BUCKETS + longest,
        segment + longest,
    )
