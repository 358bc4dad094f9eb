"""How much sooner requests end with drafts than without, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENT = 1.96
"""Standard errors to either side of a mean that make up a 95 % interval."""

GONE = 1.01
"""Smallest gain that counts as one."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean latency without drafts over that with them. low, high: its 95 % interval; requests: how many it covers."""

    ratio: float
    low: float
    high: float
    requests: int

    @classmethod
    def of(cls, off: Sequence[float], on: Sequence[float]) -> "Gain":
        """Of the same requests, in seconds, all above 0. The interval is that of a ratio of means (delta method).

        It covers the variation of requests of the same kind. It does not cover errors of the prices.
        """
        without, with_drafts = np.array(off), np.array(on)
        ratio = float(without.mean() / with_drafts.mean())
        deviations = without / without.mean() - with_drafts / with_drafts.mean()
        error = math.sqrt(float((deviations**2).sum())) / without.size
        return cls(ratio, ratio * math.exp(-CONFIDENT * error), ratio * math.exp(CONFIDENT * error), without.size)


def gone_at(concurrencies: Sequence[float], gains: Sequence[float]) -> float | None:
    """The concurrency at which a gain falls to GONE, interpolated linearly over the logarithm of the concurrency.

    concurrencies: rising. The last fall counts. None if the gain at the highest one is above GONE; the lowest one if
    there is no gain anywhere.
    """
    if not gains or gains[-1] > GONE:
        return None
    last = max((index for index, gain in enumerate(gains) if gain > GONE), default=None)
    if last is None:
        return concurrencies[0]
    before, after = gains[last], gains[last + 1]
    share = (before - GONE) / (before - after)
    lower, upper = math.log(concurrencies[last]), math.log(concurrencies[last + 1])
    return math.exp(lower + share * (upper - lower))
