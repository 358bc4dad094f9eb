"""How many passes of one column a wider one is worth."""

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import FloatArray

IntArray = npt.NDArray[np.int64]

NUM_KEPT = 9
"""Passes of a width whose median is its price: single ones are disturbed by whatever else the machine does."""

NUM_ENOUGH = 3
"""Passes after which a median is trusted."""

HALF_LIFE = 128
"""Passes after which half of what a width was found to add is still believed, where one hopes."""

FIRST_GUESS = 0.05
"""By how much a second column is guessed to cost more, in passes of one. On a GPU it is less, on a CPU more."""

_HOPE = 0.5
"""Of what a width was found to add, so much is hoped to be true for each doubt about it."""

_MOST_DOUBTS = 60

_WRONG = 0.75
"""A pass that takes less than this share of what was believed was not just a quick one."""

_MOST_SURPRISE = 2.0
"""A single pass counts for no more than so many times what was expected of it: the next ones will say the rest."""

DEAREST = 2.0
"""A column, or a drafted token, counts for no more than so many plain passes: beyond one it never pays anyway."""


class Guess(NamedTuple):
    """What is assumed before any wider pass was measured.

    slope: plain passes that each further column adds. reach: the widest pass that may be tried, in columns.
    """

    slope: float
    reach: int


BLIND = Guess(FIRST_GUESS, 2)
"""What is assumed where nothing at all was measured."""


class Growth:
    """Prices by columns, in passes of one column; of passes that are alike otherwise.

    Between the widths that were measured they lie on straight lines. A width is tried once half of it was: so on a
    machine where every column is dear that is found out soon, and where they are cheap the widest one follows after a
    few passes.

    Whatever was measured is doubted more and more with each HALF_LIFE passes in which it was not measured again.
    Where a pass then proves to be much quicker than was believed, all prices that are doubted as well and say
    otherwise are forgotten: what else is running can make a pass slower than it is, and never quicker.
    """

    def __init__(self, like: "Growth | None" = None, guess: Guess = BLIND) -> None:
        """Start with what passes that are a little different have cost, to be doubted from the beginning."""
        self._guess = guess
        self._prices: dict[int, deque[float]] = {}
        self._measured_at: dict[int, int] = {}
        self._num_passes = 0
        self._curve: tuple[FloatArray, FloatArray] | None = None
        self._least_step: float | None = None
        if like is None:
            return
        for width, prices in like._prices.items():
            is_inherited = like._measured_at[width] < 0
            if len(prices) >= NUM_ENOUGH or is_inherited:
                self._put(width, [median_low(prices)])
                self._measured_at[width] = -HALF_LIFE

    @property
    def is_empty(self) -> bool:
        """Whether all that it says is a guess."""
        return not self._prices

    @property
    def reach(self) -> int:
        """The widest pass that may be tried, in columns."""
        return 2 * max(self._prices) if self._prices else self._guess.reach

    def record(self, columns: int, price: float) -> None:
        """Take in a pass; those of one column only count."""
        self._num_passes += 1
        if columns == 1:
            return
        expected = float(self.of(columns)[-1])
        price = min(price, _MOST_SURPRISE * expected, DEAREST * columns)
        is_wrong = price < _WRONG * expected and price - 1.0 < _HOPE * (expected - 1.0)
        if is_wrong and self._doubts(np.array([columns]))[0]:
            self._forget_doubted(price)
        self._put(columns, [price])
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

    def least_step_hoped_for(self) -> float:
        """As `least_step`, at the prices that are hoped for."""
        return max(0.0, float(np.diff(self.hoped_for(self.reach)).min()))

    def hoped_for(self, num_columns: int) -> FloatArray:
        """As `of`; but of what a width adds half is left for each doubt about it."""
        found = self.of(num_columns)
        doubts = self._doubts(np.arange(1, num_columns + 1))
        doubts[0] = 0
        return 1.0 + (found - 1.0) * _HOPE**doubts

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

    def _doubts(self, widths: IntArray) -> IntArray:
        """How much is to be doubted of each width, `int64[n]`: one for each half-life since a pass of about this width
        was measured, and one for each pass that is missing to a median that can be trusted.
        """
        if not self._prices:
            return np.full(widths.size, NUM_ENOUGH)
        measured = np.array(list(self._prices))
        sizes = np.array([len(self._prices[width]) for width in self._prices])
        times = np.array([self._measured_at[width] for width in self._prices])
        alike = np.abs(widths[:, None] - measured) <= widths[:, None] // 4
        latest = np.where(alike, times, -HALF_LIFE).max(axis=1)
        known = (alike * sizes).sum(axis=1)
        doubts: IntArray = (self._num_passes - latest) // HALF_LIFE + np.maximum(0, NUM_ENOUGH - known)
        return np.minimum(doubts, _MOST_DOUBTS)

    def _forget_doubted(self, price: float) -> None:
        """Forget what is doubted itself, whatever was measured nearby, and dearer than `price`."""
        for width, prices in list(self._prices.items()):
            is_doubted = self._num_passes - self._measured_at[width] >= HALF_LIFE or len(prices) < NUM_ENOUGH
            if is_doubted and median_low(prices) > price:
                del self._prices[width], self._measured_at[width]
        self._curve = self._least_step = None

    def _slope(self, width: float, price: float) -> float:
        return (price - 1.0) / (width - 1.0) if width > 1 else self._guess.slope

    def _drawn(self) -> tuple[FloatArray, FloatArray]:
        widths = sorted(self._prices)
        medians = [max(1.0, median_low(self._prices[width])) for width in widths]
        ages = [(self._num_passes - self._measured_at[width]) // HALF_LIFE for width in widths]
        halves = [0.5 ** min(age, _MOST_DOUBTS) for age in ages]
        weights = [len(self._prices[width]) * half for width, half in zip(widths, halves, strict=True)]
        return np.array([1.0, *widths]), np.array([1.0, *rising(medians, weights)])


def rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to `values`, by weighted squares (pool adjacent violators, Ayer et al. 1955).

    More columns are no less work: where they were quicker, that was noise.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = value, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, size = total + heavy, size + many
        pools.append((mean, total, size))
    return [mean for mean, _, size in pools for _ in range(size)]
