"""How many passes of one column a wider one is worth."""

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from ngramspec.drafting.types import FloatArray

NUM_KEPT = 9
"""Passes of a width whose median is its price: single ones are disturbed by whatever else the machine does."""

NUM_ENOUGH = 3
"""Passes after which a median is trusted."""

STALE = 2000
"""Passes after which a price that was not measured again is doubted."""

FIRST_GUESS = 0.05
"""By how much a second column is guessed to cost more, in passes of one. On a GPU it is less, on a CPU more."""

_HOPE = 0.5
"""Of what a width was found to cost beyond one column, so much is hoped to be true where that was long ago."""

_MOST_SURPRISE = 2.0
"""A single pass counts for no more than so many times what was expected of it: the next ones will say the rest."""


class Growth:
    """Prices by columns, in passes of one column; of passes that are alike otherwise.

    Between the widths that were measured they lie on straight lines. A width is tried once half of it was: so on a
    machine where every column is dear that is found out at two columns, and where they are cheap the widest one
    follows after a few passes.
    """

    def __init__(self, like: "Growth | None" = None) -> None:
        """Start with what passes that are a little different have cost, to be doubted from the beginning."""
        self._prices: dict[int, deque[float]] = {}
        self._measured_at: dict[int, int] = {}
        self._num_passes = 0
        self._curve: tuple[FloatArray, FloatArray] | None = None
        self._least_step: float | None = None
        if like is None:
            return
        for width, prices in like._prices.items():
            if len(prices) >= NUM_ENOUGH or like._measured_at[width] == -STALE:
                self._put(width, [median(prices)])
                self._measured_at[width] = -STALE

    @property
    def reach(self) -> int:
        """The widest pass that may be tried, in columns."""
        return 2 * max(self._prices, default=1)

    def record(self, columns: int, price: float) -> None:
        """Take in a pass; those of one column only count."""
        self._num_passes += 1
        if columns > 1:
            self._put(columns, [min(price, _MOST_SURPRISE * float(self.of(columns)[-1]))])
            self._measured_at[columns] = self._num_passes

    def of(self, num_columns: int) -> FloatArray:
        """The prices `float64[n]` of 1, 2, … columns."""
        if self._curve is None:
            self._curve = self._drawn()
        widths, prices = self._curve
        columns = np.arange(1, num_columns + 1)
        found: FloatArray = np.interp(columns, widths, prices)
        if num_columns > widths[-1]:
            beyond = columns[int(widths[-1]) :] - widths[-1]
            found[int(widths[-1]) :] += beyond * self._slope(widths[-1], prices[-1])
        return found

    @property
    def least_step(self) -> float:
        """What one more column adds at the least, of those within reach."""
        if self._least_step is None:
            self._least_step = float(np.diff(self.of(self.reach)).min())
        return self._least_step

    def hoped_for(self, num_columns: int) -> FloatArray:
        """As `of`; but what was not measured often enough, or not of late, costs half of what it adds."""
        found = self.of(num_columns)
        doubted = np.array([not self._is_fresh(width) for width in range(1, num_columns + 1)])
        doubted[0] = False
        return np.where(doubted, 1.0 + (found - 1.0) * _HOPE, found)

    def state(self) -> dict[str, list[float]]:
        """What was measured, as JSON can say it."""
        return {str(width): list(prices) for width, prices in self._prices.items()}

    @classmethod
    def of_state(cls, state: Mapping[str, Sequence[float]]) -> "Growth":
        """One that knows what `state` said, as if it had been measured just now."""
        growth = cls()
        for width, prices in state.items():
            growth._put(int(width), prices)
            growth._measured_at[int(width)] = 0
        return growth

    def _put(self, width: int, prices: Sequence[float]) -> None:
        self._prices.setdefault(width, deque(maxlen=NUM_KEPT)).extend(prices)
        self._curve = self._least_step = None

    def _is_fresh(self, width: int) -> bool:
        """Whether passes of about this width were measured often enough, and of late."""
        alike = range(width - width // 4, width + width // 4 + 1)
        late = [near for near in alike if self._num_passes - self._measured_at.get(near, -STALE) < STALE]
        return sum(len(self._prices[near]) for near in late) >= NUM_ENOUGH

    def _slope(self, width: float, price: float) -> float:
        return (price - 1.0) / (width - 1.0) if width > 1 else FIRST_GUESS

    def _drawn(self) -> tuple[FloatArray, FloatArray]:
        widths = sorted(self._prices)
        medians = [max(1.0, median(self._prices[width])) for width in widths]
        weights = [len(self._prices[width]) for width in widths]
        return np.array([1.0, *widths]), np.array([1.0, *rising(medians, weights)])


def rising(values: Sequence[float], weights: Sequence[int]) -> list[float]:
    """The non-decreasing sequence nearest to `values`, by weighted squares (pool adjacent violators, Ayer et al. 1955).

    More columns are no less work: where they were quicker, that was noise.
    """
    pools: list[tuple[float, int, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = value, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, size = total + heavy, size + many
        pools.append((mean, total, size))
    return [mean for mean, _, size in pools for _ in range(size)]
