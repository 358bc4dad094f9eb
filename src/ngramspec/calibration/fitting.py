"""From measured passes to prices: least squares of relative errors, no price below 0."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ngramspec.decoding import PassPrices
from ngramspec.decoding.calibration_file import MeasuredPass
from ngramspec.drafting import FloatArray

NAMES = ("base", "of_row", "of_token", "of_cached", "of_pair")
NUM_OF_PASS = 3
"""The first prices do not depend on the cache: one of them must be above 0."""


def fitted_passes(measured: Sequence[MeasuredPass]) -> PassPrices:
    """The prices whose sums are nearest to the measured seconds, for padded rows.

    Raises ValueError if nothing was measured.
    """
    if not measured:
        raise ValueError("a fit needs at least one measured pass, got none: measure some")
    found = fitted([_terms(each) for each in measured], [each.seconds for each in measured], NUM_OF_PASS)
    return PassPrices(**dict(zip(NAMES, found, strict=True)), pads=True)


def fitted(terms: Sequence[Sequence[float]], seconds: Sequence[float], num_needed: int) -> list[float]:
    """The prices of `terms`, none below 0, whose sums are nearest to `seconds`, all above 0, by relative errors.

    num_needed: one of this many first prices is above 0. All subsets of the prices are tried, and solutions with a
    price below 0 are dropped. With five prices that finds the exact solution, which Lawson and Hanson (1974) approach
    step by step.
    """
    shares = np.array(terms, np.float64) / np.array(seconds)[:, None]
    num_prices = shares.shape[1]
    best: FloatArray = np.zeros(num_prices)
    least = np.inf
    for size in range(1, num_prices + 1):
        for chosen in combinations(range(num_prices), size):
            scales = shares[:, chosen].max(axis=0)
            if not scales.all():
                continue
            scaled, *_ = np.linalg.lstsq(shares[:, chosen] / scales, np.ones(len(seconds)), rcond=None)
            error = float(((shares[:, chosen] @ (scaled / scales) - 1.0) ** 2).sum())
            prices = np.zeros(num_prices)
            prices[list(chosen)] = scaled / scales
            if (scaled >= 0.0).all() and prices[:num_needed].any() and error < least:
                least, best = error, prices
    found: list[float] = best.tolist()
    return found


def errors(passes: PassPrices, measured: Sequence[MeasuredPass]) -> dict[str, float]:
    """The median and the largest relative error of the prices over the measured passes."""
    shares = [abs(passes.seconds(each.shape) / each.seconds - 1.0) for each in measured]
    return {"median": float(np.median(shares)), "worst": max(shares)}


def _terms(measured: MeasuredPass) -> tuple[float, ...]:
    """What each price is multiplied by, as in `PassPrices.seconds`."""
    tokens = measured.rows * measured.columns
    return (
        1.0,
        measured.rows,
        tokens,
        measured.rows * measured.context,
        tokens * (measured.context + measured.columns / 2),
    )
