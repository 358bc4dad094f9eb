"""The price of a wide pass, in passes of one column."""

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ngramspec.decoding.isotonic import rising
from ngramspec.drafting.types import FloatArray

IntArray = npt.NDArray[np.int64]

NUM_KEPT = 9
"""Passes of a width that are kept; their median is its price, because other load disturbs single passes."""

NUM_ENOUGH = 3
"""Passes from which on a median is trusted."""

HALF_LIFE = 128
"""Passes without a new measurement that add one doubt about a width."""

FIRST_GUESS = 0.05
"""Guessed price of a second column, in passes of one column. On a GPU it is less, on a CPU more."""

_HOPE = 0.5
"""Share of a width's measured extra cost that is believed for each doubt, in the hopeful price."""

_MOST_DOUBTS = 60

_HALVES = [0.5**age for age in range(_MOST_DOUBTS + 1)]

_WRONG = 0.75
"""A pass below this share of the believed price is not noise: the belief is wrong."""

_MOST_SURPRISE = 2.0
"""A single pass counts for at most this many times its expected price: later passes will confirm the rest."""

DEAREST = 2.0
"""Highest price of a column, or of a drafted token, in plain passes. A price above 1 never pays anyway."""


class Guess(NamedTuple):
    """What is assumed before any wide pass was measured.

    slope: price of each further column, in plain passes. reach: the widest pass that may be tried, in columns.
    """

    slope: float
    reach: int


BLIND = Guess(FIRST_GUESS, 2)
"""The guess when nothing at all was measured."""


class ColumnPrices:
    """Prices by columns, in passes of one column, for passes of similar rows and context.

    Prices are interpolated linearly between measured widths. A width may be tried once half of it was measured: where
    columns are expensive, that shows early; where they are cheap, the widest pass is reached within a few passes.

    A price gets one more doubt for each HALF_LIFE passes in which it was not measured again. When a pass then proves
    much quicker than believed, all doubted prices that contradict it are forgotten: other load can slow a pass down,
    never speed it up.
    """

    def __init__(self, like: "ColumnPrices | None" = None, guess: Guess = BLIND) -> None:
        """like: prices of similar passes to start with, doubted from the beginning. guess: used if there are none."""
        self.guess = guess
        self._prices: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}
        self._measured_at: dict[int, int] = {}
        self._num_passes = 0
        self._knots: tuple[list[int], list[float]] | None = None
        self._curve: FloatArray | None = None
        self._cheapest: float | None = None
        self._least_hope = 0.0
        self._hopes_until = 0
        if like is None:
            return
        for width, prices in like._prices.items():
            is_inherited = like._measured_at[width] < 0
            if len(prices) >= NUM_ENOUGH or is_inherited:
                self._put(width, [like._medians[width]])
                self._measured_at[width] = -HALF_LIFE

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured yet, so that all prices are guesses."""
        return not self._prices

    @property
    def reach(self) -> int:
        """The widest pass that may be tried, in columns."""
        return 2 * max(self._prices) if self._prices else self.guess.reach

    def age(self) -> None:
        """Count a plain pass, which measures no price of a wider one."""
        self._num_passes += 1

    def record(self, columns: int, price: float) -> None:
        """Record a pass of `columns`, at least two, that cost `price` plain passes."""
        self._num_passes += 1
        expected = float(self.of(columns)[-1])
        price = min(price, _MOST_SURPRISE * expected, DEAREST * columns)
        is_wrong = price < _WRONG * expected and price - 1.0 < _HOPE * (expected - 1.0)
        if is_wrong and self._doubts(np.array([columns]))[0]:
            self._forget_doubted(price)
        self._put(columns, [price])
        self._measured_at[columns] = self._num_passes

    def of(self, num_columns: int) -> FloatArray:
        """The prices `float64[n]` of 1, 2, … columns; to be read only."""
        if self._curve is None or self._curve.size < num_columns:
            self._curve = self._drawn(max(num_columns, self.reach))
        return self._curve[:num_columns]

    @property
    def cheapest_column(self) -> float:
        """Lowest price of a further column: the mean over those of a pass, at the width where that is least.

        The step from one width to the next may be nearly free, but it takes the columns before it.
        """
        if self._cheapest is None:
            widths, prices = self._measured
            means = [(price - 1.0) / (width - 1.0) for width, price in zip(widths[1:], prices[1:], strict=True)]
            self._cheapest = min(means, default=self.guess.slope)
        return self._cheapest

    def cheapest_hopeful_column(self) -> float:
        """`cheapest_column` at hopeful prices."""
        if self._num_passes >= self._hopes_until:
            further = self.hopeful(self.reach)[1:] - 1.0
            self._least_hope = float((further / np.arange(1, further.size + 1)).min())
            self._hopes_until = min(map(self._doubted_more_at, (*self._measured_at.values(), -HALF_LIFE)))
        return self._least_hope

    def _doubted_more_at(self, measured_at: int) -> int:
        """Number of passes at which a measurement made at `measured_at` gets its next doubt."""
        return measured_at + HALF_LIFE * ((self._num_passes - measured_at) // HALF_LIFE + 1)

    def hopeful(self, num_columns: int) -> FloatArray:
        """The hopeful prices `float64[n]`: as `of`, with the extra cost of a width halved for each doubt about it."""
        found = self.of(num_columns)
        doubts = self._doubts(np.arange(1, num_columns + 1))
        doubts[0] = 0
        return 1.0 + (found - 1.0) * _HOPE**doubts

    def state(self) -> dict[str, list[float]]:
        """The measurements, JSON-serialisable."""
        return {str(width): list(prices) for width, prices in self._prices.items()}

    @classmethod
    def of_state(cls, state: Mapping[str, Sequence[float]]) -> "ColumnPrices":
        """Restore from `state`, as if measured just now."""
        restored = cls()
        for width, prices in state.items():
            restored._put(int(width), prices)
            restored._measured_at[int(width)] = 0
        return restored

    def _changed(self) -> None:
        """Drop what was derived from the measurements, which have changed."""
        self._knots = self._curve = self._cheapest = None
        self._hopes_until = 0

    def _put(self, width: int, prices: Sequence[float]) -> None:
        kept = self._prices.setdefault(width, deque(maxlen=NUM_KEPT))
        kept.extend(prices)
        self._medians[width] = median_low(kept)
        self._changed()

    def _doubts(self, widths: IntArray) -> IntArray:
        """Doubts about each width, `int64[n]`: one per HALF_LIFE passes since a pass of about this width was measured,
        and one per pass that is missing from a trusted median.
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
        """Forget the widths that are themselves doubted and cost more than `price`."""
        for width, prices in list(self._prices.items()):
            is_doubted = self._num_passes - self._measured_at[width] >= HALF_LIFE or len(prices) < NUM_ENOUGH
            if is_doubted and self._medians[width] > price:
                del self._prices[width], self._medians[width], self._measured_at[width]
        self._changed()

    @property
    def _measured(self) -> tuple[list[int], list[float]]:
        """The measured widths, one column first, and a price for each: wider ones are not cheaper."""
        if self._knots is None:
            widths = sorted(self._prices)
            medians, kept, times, now = self._medians, self._prices, self._measured_at, self._num_passes
            prices = [medians[width] if medians[width] > 1.0 else 1.0 for width in widths]
            if sorted(prices) != prices:  # a width's weight halves with every HALF_LIFE passes since it was measured
                ages = [min((now - times[width]) // HALF_LIFE, _MOST_DOUBTS) for width in widths]
                weights = [len(kept[width]) * _HALVES[age] for width, age in zip(widths, ages, strict=True)]
                prices = rising(prices, weights)
            self._knots = [1, *widths], [1.0, *prices]
        return self._knots

    @property
    def _last_step(self) -> float:
        """Price of each column after the widest measured width: the mean of those before it."""
        widths, prices = self._measured
        return (prices[-1] - 1.0) / (widths[-1] - 1.0) if self._prices else self.guess.slope

    def _drawn(self, num_columns: int) -> FloatArray:
        """The prices of 1, 2, … columns: linear between the measured widths, and extrapolated after the last one."""
        widths, prices = self._measured
        columns = np.arange(1.0, num_columns + 1.0)
        curve: FloatArray = np.interp(columns, widths, prices)
        last = widths[-1]
        if num_columns > last:
            curve[last:] += (columns[last:] - last) * self._last_step
        return curve
