"""Estimates how sure a drafted token is; learns online from the verification of earlier ones.

A possible token is described by a few features: the length of its match, whether other matches agree or disagree, the
row's recent success. Each feature has a weight; their sum is the log-odds that the token is right. After verification
the weights of the active features move against the error. This is online logistic regression, as context-mixing
compressors use it to weigh their models (Mahoney 2005, PAQ6).
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
"""Log-odds of a token before anything is learnt."""

FIRST_RATE, TAUGHT_RATE, RATE_DECAY, LAST_RATE = 0.3, 0.05, 0.98, 0.015
"""Learning rates: high for new weights, lower for those learnt from recordings; never 0, because traffic changes."""

_MOST_WEIGHT = 50.0
"""Bound on weights read from a file, so that `exp` can take the sum of a token's weights."""

LEAST_ERROR = 0.0003
"""Smaller errors are not learnt from, because that would only take time. It bounds how sure a token can get, and a long
copy multiplies the bound: with 0.02, thirty tokens that survived in 80 % of all cases were estimated at 50 %."""

_MAX_DESCRIBED = 1 << 15
"""Most descriptions that are cached; then all are dropped at once."""

Lesson = tuple[int, int, float, Features]
"""The position in the draft that a token was weighed for, counted from 0; the token; its probability; its features."""


class Survival:
    """The weights, shared by all rows of a drafter.

    Rows of several threads may learn at the same time. An update may then be lost, which does no other harm.

    mixer: learns from the branches of trees.
    """

    def __init__(self, *, knows_nothing: bool = False) -> None:
        """Start with weights learnt from recorded traffic (`prior.py`), or with none."""
        self._weights, self._rates = first_parameters(knows_nothing).tolist()
        self._described: dict[int, Features] = {}
        self.mixer = Mixer()

    @property
    def weights(self) -> list[float]:
        """A copy of the weights."""
        return [*self._weights]

    def parameters(self) -> FloatArray:
        """The learnt state, `float64[2, n]`: weights and rates."""
        return np.array([self._weights, self._rates])

    def mixing(self) -> FloatArray:
        """The learnt state for trees, `float64[n]`; see `Mixer.parameters`."""
        return self.mixer.parameters()

    def take_over(self, parameters: FloatArray, mixing: FloatArray) -> None:
        """Replace the learnt state by another's `parameters` and `mixing`."""
        self._weights[:], self._rates[:] = parameters.tolist()
        self.mixer.take_over(mixing)

    def weigh(self, key: int, recent: int, ahead: int, foreseen: int = NOT_FORESEEN) -> tuple[float, Features]:
        """The probability that a token is right, given that all before it are, and its features.

        key: of the token, see `key.py`. recent: see `recent_index`. ahead: see AHEAD. foreseen: see `foreseen_index`,
        if a grammar foresees something there.
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
        """Update the weights of verified tokens; right: the tokens that came. recent: the index used in `weigh`."""
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


def first_parameters(knows_nothing: bool) -> FloatArray:
    """Initial weights and rates, `float64[2, n]`: from recorded traffic, or from nothing."""
    learnt = (None,) * NUM_WEIGHTS if knows_nothing else learnt_weights()
    weights = [weight or 0.0 for weight in learnt]
    rates = [FIRST_RATE if weight is None else TAUGHT_RATE for weight in learnt]
    rates[NOT_SPELLED] = 0.0
    return np.array([weights, rates])


def checked_parameters(parameters: npt.NDArray[Any]) -> FloatArray:
    """The learnt state from a file, `float64[2, n]`; raises ValueError for impossible values."""
    if parameters.dtype != np.float64 or parameters.shape != (2, NUM_WEIGHTS):
        raise ValueError(
            f"parameters must be float64[2, {NUM_WEIGHTS}], got {parameters.dtype}{list(parameters.shape)}"
        )
    weights, rates = parameters
    if not (np.abs(weights) <= _MOST_WEIGHT).all():  # NaN fails
        raise ValueError(f"weights must be from -{_MOST_WEIGHT} to {_MOST_WEIGHT}, got another one")
    if not ((rates >= 0.0) & (rates <= FIRST_RATE)).all():
        raise ValueError(f"rates must be from 0 to {FIRST_RATE}, got another one")
    if parameters[:, NOT_SPELLED].any():
        raise ValueError('the weight for "spelling offers nothing" must stay 0, got another one')
    return parameters
