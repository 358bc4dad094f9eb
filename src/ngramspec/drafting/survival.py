"""How sure is a drafted token? Learnt from what became of earlier ones, while running.

A token that might be drafted is described by a few features, each one of a kind: how long its match is, whether other
matches speak for it or against it, how the row has gone lately. Each feature has a weight; their sum is the log-odds
that the token is right. After every verdict the weights of the features that spoke move against the error. This is
online logistic regression, the way in which context-mixing compressors weigh their models (Mahoney 2005, PAQ6).
"""

from math import exp


NUM_SOURCES = 4
"""Own text, history, and the copy in progress from either."""

_BUCKET = [0, 1, 2, 3, 4, 5, 5, 6, 6, *[7] * 4, *[8] * 4, *[9] * 8, *[10] * 8]
_LONGEST = 11
NUM_BUCKETS = _LONGEST + 1
NUM_STATES = 4 * NUM_BUCKETS

_PRIOR = -1.0
"""Log-odds of a token before anything was learnt."""

_FIRST_RATE, _RATE_DECAY, _LAST_RATE = 0.3, 0.98, 0.015
"""A weight learns fast when it is new; and never stops, for traffic changes."""

_PAIR = 2 * NUM_SOURCES * NUM_STATES
_AMONG = _PAIR + 4 * (NUM_BUCKETS + 1) ** 2
_POSITION = _AMONG + 4
_RECENT = _POSITION + 16 * NUM_BUCKETS
_NUM_SHARED = _RECENT + 8 * NUM_BUCKETS


def bucket(length: int) -> int:
    """Match lengths that are about as sure as each other, 0 to NUM_BUCKETS - 1."""
    return _BUCKET[length] if length < 33 else _LONGEST


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
        self._rates += [_FIRST_RATE] * NUM_BUCKETS
        self._weights += [0.0] * NUM_BUCKETS
        return place

    def probability(self, features: list[int]) -> float:
        """That a token with these features is right, given that all before it are."""
        odds = sum(map(self._weights.__getitem__, features), _PRIOR)
        return 1.0 / (1.0 + exp(-odds)) if odds > -30.0 else 0.0

    def learn(self, features: list[int], probability: float, *, was_right: bool) -> None:
        """Move the weights: a token with these features, given this probability, was right or was not."""
        error = was_right - probability
        weights, rates = self._weights, self._rates
        for feature in features:
            rate = rates[feature]
            weights[feature] += rate * error
            if rate > _LAST_RATE:
                rates[feature] = max(_LAST_RATE, rate * _RATE_DECAY)


def features(
    token: int, tokens: list[int], states: list[int], num_candidates: int, position: int, recent: int, segment: int
) -> list[int]:
    """What speaks for `token` and against it.

    tokens: what each source would copy next, -1 for nothing. states: of each source's match, 0 to NUM_STATES - 1.
    num_candidates: how many different tokens these are. position: in the draft. recent: how many of the row's latest
    tokens were foreseen, 0 to 7. segment: the place of the segment's weights.
    """
    found, longest = [], 0
    for source in range(NUM_SOURCES):
        offered = tokens[source]
        if offered < 0:
            continue
        state = states[source]
        if offered == token:
            found.append((source * NUM_STATES + state) << 1)
            longest = max(longest, state >> 2)
        else:
            found.append((source * NUM_STATES + state) << 1 | 1)
    own, history = tokens[0], tokens[1]
    pair = ((states[0] >> 2) + 1 if own >= 0 else 0) * (NUM_BUCKETS + 1) + ((states[1] >> 2) + 1 if history >= 0 else 0)
    found.append(_PAIR + 4 * pair + (own == token) + 2 * (history == token))
    found.append(_AMONG + min(num_candidates, 3))
    found.append(_POSITION + min(position, 15) * NUM_BUCKETS + longest)
    found.append(_RECENT + recent * NUM_BUCKETS + longest)
    found.append(segment + longest)
    return found
