"""How sure is a drafted token? Learnt from what became of earlier ones, while running.

A token that might be drafted is described by a few features, each one of a kind: how long its match is, whether other
matches speak for it or against it, how the row has gone lately. Each feature has a weight; their sum is the log-odds
that the token is right. After every verdict the weights of the features that spoke move against the error. This is
online logistic regression, the way in which context-mixing compressors weigh their models (Mahoney 2005, PAQ6).
"""

from math import exp
from typing import NamedTuple

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

_PRIOR = -1.0
"""Log-odds of a token before anything was learnt."""

_FIRST_RATE, _RATE_DECAY, _LAST_RATE = 0.3, 0.98, 0.015
"""A weight learns fast while it is new; and never stops, for traffic changes."""

_LEAST_ERROR = 0.02
"""Below this an error teaches nothing: most drafted tokens are nearly certain, and would only take time."""

Features = tuple[int, ...]
"""Which weights speak for a token."""


class Offers(NamedTuple):
    """What the sources would copy next: the row's own text, its history, and a copy in progress from each.

    tokens: -1 where a source offers none. states: of the matches, as `state` says, or NO_STATE.
    """

    tokens: tuple[int, int, int, int]
    states: tuple[int, int, int, int]


def state(length: int, kind: int) -> int:
    """A match of `length` tokens, among those of about that length and of one of four kinds, 0 to 3."""
    return (_BUCKET[length] if length < 33 else _NUM_BUCKETS - 1) << 2 | kind


class Survival:
    """The weights, shared by all rows of a drafter.

    Rows of several threads may learn at a time; an update may then be lost, which costs nothing but that update.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._weights = [0.0] * _NUM_SHARED
        self._rates = [_FIRST_RATE] * _NUM_SHARED

    def add_segment(self) -> int:
        """Make weights for a kind of traffic; returns their place, for `features`."""
        place = len(self._weights)
        self._rates += [_FIRST_RATE] * _NUM_BUCKETS
        self._weights += [0.0] * _NUM_BUCKETS
        return place

    def probability(self, features: Features) -> float:
        """That a token with these features is right, given that all before it are."""
        odds = sum(map(self._weights.__getitem__, features), _PRIOR)
        return 1.0 / (1.0 + exp(-odds)) if odds > -30.0 else 0.0

    def learn(self, features: Features, probability: float, *, was_right: bool) -> None:
        """Move the weights: a token with these features, given this probability, was right or was not."""
        error = was_right - probability
        if -_LEAST_ERROR < error < _LEAST_ERROR:
            return
        weights, rates = self._weights, self._rates
        for feature in features:
            rate = rates[feature]
            weights[feature] += rate * error
            if rate > _LAST_RATE:
                rates[feature] = max(_LAST_RATE, rate * _RATE_DECAY)


def features(token: int, offers: Offers, recent: int, segment: int) -> Features:
    """What speaks for `token` and against it.

    recent: how many of the row's latest tokens were foreseen, 0 to NUM_RECENT - 1. segment: the place of the segment's
    weights.
    """
    (own, past, own_copy, past_copy), (own_state, past_state, own_copy_state, past_copy_state) = offers
    by_own, by_past, by_own_copy, by_past_copy = own == token, past == token, own_copy == token, past_copy == token
    longest = max(
        own_state if by_own else 0,
        past_state if by_past else 0,
        own_copy_state if by_own_copy else 0,
        past_copy_state if by_past_copy else 0,
    )
    longest >>= 2
    return (
        own_state << 1 | by_own,
        _STRIDE + (past_state << 1 | by_past),
        2 * _STRIDE + (own_copy_state << 1 | by_own_copy),
        3 * _STRIDE + (past_copy_state << 1 | by_past_copy),
        _PAIR + ((own_state >> 2) * (_NUM_BUCKETS + 1) + (past_state >> 2)) * 4 + (by_own << 1 | by_past),
        _RECENT + recent * _NUM_BUCKETS + longest,
        segment + longest,
    )
