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

from ngramspec.drafting.core.plain.features import (
    AHEAD,
    FURTHEST,
    NOT_FORESEEN,
    NOT_SPELLED,
    NUM_WEIGHTS,
    Features,
    features,
)
from ngramspec.drafting.core.plain.mixer import Mixer
from ngramspec.drafting.prior import learnt_weights
from ngramspec.drafting.types import FloatArray

PRIOR_ODDS = -1.0
"""Log-odds of a token before anything was learnt."""

FIRST_RATE, TAUGHT_RATE, RATE_DECAY, LAST_RATE = 0.3, 0.05, 0.98, 0.015
"""A weight learns fast while it is new, less so where recordings have taught it; it never stops: traffic changes."""

_MOST_WEIGHT = 50.0
"""Of what is read from a file: all that speak for a token together stay within what `exp` can take."""

LEAST_ERROR = 0.0003
"""Below this an error teaches nothing, and would only take time. No token can come to seem surer than this allows, and
a long copy multiplies it: with 0.02, thirty tokens that survived in 80 % of all cases were given 50 %."""

_MAX_DESCRIBED = 1 << 15
"""So many descriptions are kept, to be forgotten all at once."""

Lesson = tuple[int, int, float, Features]
"""The position in the draft that a token was weighed for, counted from 0; the token; how probable it seemed, and why.
"""


class Survival:
    """The weights, shared by all rows of a drafter.

    Rows of several threads may learn at a time; an update may then be lost, which costs nothing but that update.

    mixer: what is learnt of the branches of trees.
    """

    def __init__(self, *, knows_nothing: bool = False) -> None:
        """Know what recorded traffic has taught (`prior.py`), or nothing yet."""
        self._weights, self._rates = first_lessons(knows_nothing).tolist()
        self._described: dict[int, Features] = {}
        self.mixer = Mixer()

    @property
    def weights(self) -> list[float]:
        """A copy of the weights."""
        return [*self._weights]

    def lessons(self) -> FloatArray:
        """What was learnt, `float64[2, n]`: weights and rates."""
        return np.array([self._weights, self._rates])

    def mixing(self) -> FloatArray:
        """What was learnt of trees, `float64[n]`; see `Mixer.lessons`."""
        return self.mixer.lessons()

    def take_over(self, lessons: FloatArray, mixing: FloatArray) -> None:
        """Know what another one had learnt, as `lessons` and `mixing` told it."""
        self._weights[:], self._rates[:] = lessons.tolist()
        self.mixer.take_over(mixing)

    def weigh(self, key: int, recent: int, ahead: int, foreseen: int = NOT_FORESEEN) -> tuple[float, Features]:
        """The probability that a token is right, given that all before it are, and what speaks for it.

        key: of the token, see `key.py`. recent: see `recent_index`. ahead: see AHEAD. foreseen: under a grammar that
        foresees something there, see `foreseen_index`.
        """
        known = self._described.get(key) or self._describe(key)
        own, past, own_copy, past_copy, spelled, pair, longest = known
        weights = self._weights
        odds = weights[own] + weights[past] + weights[own_copy] + weights[past_copy] + weights[spelled] + weights[pair]
        odds += weights[recent + longest] + weights[ahead]
        if foreseen:
            feature = foreseen + (longest > 0)
            odds += weights[feature]
            known = (feature, *known)
        return 1.0 / (1.0 + exp(-PRIOR_ODDS - odds)), known

    def _describe(self, key: int) -> Features:
        if len(self._described) >= _MAX_DESCRIBED:
            self._described = {}
        found = self._described[key] = features(key)
        return found

    def learn(self, lessons: Sequence[Lesson], right: Sequence[int], recent: int) -> None:
        """Move the weights of tokens that were judged; right: the tokens that came. recent: as they were weighed."""
        weights, rates = self._weights, self._rates
        for position, token, probability, (*known, longest) in lessons:
            if position >= len(right):
                break
            error = (token == right[position]) - probability
            if -LEAST_ERROR < error < LEAST_ERROR:
                continue
            ahead = AHEAD[position if position < FURTHEST else FURTHEST]
            for feature in (*known, recent + longest, ahead):
                rate = rates[feature]
                weights[feature] += rate * error
                if rate > LAST_RATE:
                    rates[feature] = max(LAST_RATE, rate * RATE_DECAY)


def first_lessons(knows_nothing: bool) -> FloatArray:
    """Weights and rates to begin with, `float64[2, n]`: of recorded traffic, or of nothing."""
    learnt = (None,) * NUM_WEIGHTS if knows_nothing else learnt_weights()
    weights = [weight or 0.0 for weight in learnt]
    rates = [FIRST_RATE if weight is None else TAUGHT_RATE for weight in learnt]
    rates[NOT_SPELLED] = 0.0
    return np.array([weights, rates])


def checked_lessons(lessons: npt.NDArray[Any]) -> FloatArray:
    """What a file says was learnt, `float64[2, n]`; ValueError for what cannot be."""
    if lessons.dtype != np.float64 or lessons.shape != (2, NUM_WEIGHTS):
        raise ValueError(f"lessons must be float64[2, {NUM_WEIGHTS}], got {lessons.dtype}{list(lessons.shape)}")
    weights, rates = lessons
    if not (np.abs(weights) <= _MOST_WEIGHT).all():  # NaN is not
        raise ValueError(f"weights must be from -{_MOST_WEIGHT} to {_MOST_WEIGHT}, got another one")
    if not ((rates >= 0.0) & (rates <= FIRST_RATE)).all():
        raise ValueError(f"rates must be from 0 to {FIRST_RATE}, got another one")
    if lessons[:, NOT_SPELLED].any():
        raise ValueError('the weight for "spelling offers nothing" must stay 0, got another one')
    return lessons
