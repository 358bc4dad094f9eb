"""Cost of a pass by rows, columns and context, measured while passes run."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ngramspec import forking
from ngramspec.decoding.column_prices import BLIND, DEAREST, FIRST_GUESS, ColumnPrices, Guess
from ngramspec.decoding.cost_state import checked_state
from ngramspec.decoding.costs import Shape
from ngramspec.decoding.drafting_time import DraftingPrice, DraftingTime
from ngramspec.decoding.plain_time import PlainTime
from ngramspec.decoding.rate import WidthRate
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import Way
from ngramspec.drafting.types import FloatArray

LEAST_PROMPT = 16
"""A pass over fewer columns says little about the cost of a column."""

CHANGED = 2.5
"""When a plain pass takes this many times more or less than believed, prices in plain passes are void."""

FIRST_REACH = 16
"""Widest pass, in columns, that may be tried first once a prompt's pass was measured."""

LEAST_SHARE = 0.5
"""A packed pass with fewer drafted tokens than this share of a column says little about the price of a column."""

DRAFTING_MEMORY = 64
"""Passes over which the time of drafting is averaged for the rate."""


class MeasuredCosts:
    """Learns what passes cost from the passes of one model on one machine; safe to share between threads.

    Seconds of passes of one column are grouped by rows and by context within a factor of two. The price of wider ones
    is kept as a ratio to these, for all passes whose rows are within a factor of two and contexts within four: a ratio
    holds for more passes than a time does, and also while other load slows the machine down. A new group starts with
    the prices of the nearest one; the very first, with an estimate from the time that a prompt took.

    Every measurement, however wrong, is eventually repeated, at a cost that `trials` bounds.
    """

    def __init__(self, *, counts_fill: bool = True) -> None:
        """Begin with no measurements.

        counts_fill: whether the target pads rows to the widest one. If not, as in vLLM, cost follows tokens; passes are
        then told apart by their mean tokens per row, and a column stands for one more token per row.
        """
        self.counts_fill = counts_fill
        self.trials = Trials()
        self._plain: dict[tuple[int, int], PlainTime] = {}
        self._prices_by_group: dict[tuple[int, int], ColumnPrices] = {}
        self._guessed = ColumnPrices()
        self._rates: dict[int, WidthRate] = {}
        self._prompts: dict[int, tuple[int, float]] = {}
        self._drafting = [DraftingTime() for _ in Way]
        self._drafted = self._drafting_of_row = 0.0
        self._latest_rate: tuple[Shape | None, float] = None, 0.0  # each pass needs it twice
        self._num_passes = 0
        self._lock = forking.lock()

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """See `Costs`. hopeful: while the plain pass is doubted, only a plain pass is permitted."""
        with self._lock:
            plain = self._nearest_plain(shape)
            if plain is None:
                return None
            first = max(0, shape.known_columns - 1)  # columns that are read again anyway
            if not num_more and not first:
                return np.array([plain.seconds])
            group_prices = self._group_prices(shape)
            prices = group_prices.hopeful if hopeful else group_prices.of
            if self.counts_fill:
                found = prices(first + num_more + 1)[first:] * plain.seconds
                found[max(1, group_prices.reach - first) :] = np.inf
            else:
                columns = 1.0 + np.arange(num_more + 1) / shape.rows
                whole = np.arange(1, math.ceil(columns[-1]) + 1)
                found = np.interp(columns, whole, prices(whole.size)) * plain.seconds
                found[columns > group_prices.reach] = np.inf
            if hopeful:
                own = self._plain.get(_group(shape))
                if own is None or own.is_doubted(self._num_passes):
                    found[1:] = np.inf
            return found

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """See `Costs`."""
        with self._lock:
            plain, group_prices = self._nearest_plain(shape), self._group_prices(shape)
            if plain is None:
                return 0.0
            column = group_prices.cheapest_hopeful_column() if hopeful else group_prices.cheapest_column
            return column * plain.seconds / (1 if self.counts_fill else shape.rows)

    def drafting(self) -> list[DraftingPrice]:
        """See `Costs`."""
        with self._lock:
            most = DEAREST * max((plain.seconds for plain in self._plain.values()), default=math.inf)
            prices = [time.price for time in self._drafting]
            if all(price.of_row <= most >= price.of_token for price in prices):
                return prices
            return [DraftingPrice(min(most, of_row), min(most, of_token)) for of_row, of_token in prices]

    def fixed_share(self, shape: Shape) -> float:
        """See `Costs`; 1.0 until passes of fewer rows were measured."""
        rows, size = _group(shape)
        with self._lock:
            plain = self._nearest_plain(shape)
            known = [group for group, measured in self._plain.items() if measured.is_known and group[0] < rows]
            if plain is None or not known:
                return 1.0
            fewest = min(known, key=lambda group: (group[0], abs(group[1] - size)))
            fewer = self._plain[fewest].seconds
            per_row = (plain.seconds - fewer) / (rows - fewest[0])
            return min(1.0, max(0.0, (plain.seconds - per_row * rows) / plain.seconds))

    def rate(self, shape: Shape) -> float:
        """See `Costs`; at current prices."""
        with self._lock:
            if self._latest_rate[0] != shape:
                self._latest_rate = shape, self._rate(shape)
            return self._latest_rate[1]

    def _rate(self, shape: Shape) -> float:
        rate, plain = self._rates.get(_size(shape.rows)), self._nearest_plain(shape)
        if rate is None or plain is None:
            return 0.0
        prices = self._group_prices(shape).of(rate.num_columns)
        drafting = self._drafting_of_row * shape.rows
        return rate.mean(prices, drafting / plain.seconds) * shape.rows / plain.seconds

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        if not 0.0 < seconds < math.inf:
            return
        columns, group = self._columns(shape), _group(shape)
        with self._lock:
            self._num_passes += 1
            self._latest_rate = None, 0.0
            plain = self._plain.get(group)
            before = plain.seconds if plain is not None else seconds
            if columns == 1:
                if plain is None:
                    plain = self._plain[group] = PlainTime()
                plain.record(seconds, self._num_passes)
            if plain is None or self._nearest_plain(shape) is not plain:
                return
            if columns > 1:
                plain.record_wider(seconds)
            if not 1.0 / CHANGED < plain.seconds / before < CHANGED:
                self._prices_by_group.pop(_sizes(shape), None)  # ratios to a wrong plain time
            share = self._share(shape, columns)
            if columns > 1 and share >= LEAST_SHARE:
                self._own_prices(shape).record(columns, 1.0 + (seconds / plain.seconds - 1.0) / share)
            elif self._prices_by_group:  # otherwise nothing can age
                self._own_prices(shape).age()
            self._record_rate(shape.rows, columns, num_tokens / shape.rows, DEAREST * plain.seconds)

    def _record_rate(self, rows: int, columns: int, num_tokens: float, most: float) -> None:
        """num_tokens: per row. most: cap on the seconds of drafting a row."""
        rate = self._rates.get(_size(rows))
        if rate is None:
            rate = self._rates[_size(rows)] = WidthRate()
        rate.record(columns, num_tokens)
        share = 1.0 / min(self._num_passes, DRAFTING_MEMORY)
        self._drafting_of_row += share * (min(self._drafted / rows, most) - self._drafting_of_row)
        self._drafted = 0.0

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """See `Costs`. The time divided by the columns bounds the price of a column from above."""
        read = self._columns(shape)
        if read < LEAST_PROMPT or not 0.0 < seconds < math.inf:
            return
        with self._lock:
            size = _size(shape.rows)
            columns, least = self._prompts.get(size, (1, math.inf))
            if seconds / read < least / columns:
                self._prompts[size] = read, seconds
                self._latest_rate = None, 0.0

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`."""
        if 0.0 <= seconds < math.inf:
            with self._lock:
                self._drafting[way].record(seconds / num_rows, num_tokens / num_rows, self._num_passes)
                self._drafted += seconds

    def state(self) -> dict[str, Any]:
        """All that was learnt, JSON-serialisable."""
        with self._lock:
            return {
                "alone": [[*group, plain.state()] for group, plain in self._plain.items()],
                "growths": [[*sizes, group_prices.state()] for sizes, group_prices in self._prices_by_group.items()],
                "rates": [[size, *rate.state()] for size, rate in self._rates.items()],
            }

    @classmethod
    def of_state(cls, state: object) -> "MeasuredCosts":
        """Restore from `state`. Raises ValueError for what `state` cannot have returned."""
        costs, state = cls(), checked_state(state)
        costs._plain = {(rows, size): PlainTime.of_state(times) for rows, size, times in state["alone"]}
        costs._prices_by_group = {
            (rows, size): ColumnPrices.of_state(prices) for rows, size, prices in state["growths"]
        }
        costs._rates = {size: WidthRate(tokens, passes) for size, tokens, passes in state["rates"]}
        return costs

    def _columns(self, shape: Shape) -> int:
        """Columns of the pass; of a packed one, as many as its tokens would fill, and more than one with a draft."""
        if self.counts_fill:
            return shape.columns
        return max(1 + (shape.tokens > shape.rows), round(shape.tokens / shape.rows))

    def _share(self, shape: Shape, columns: int) -> float:
        """Drafted tokens, as a share of those of a full pass of `columns`; 1.0 where rows are padded."""
        if self.counts_fill or columns == 1:
            return 1.0
        return (shape.tokens - shape.rows) / ((columns - 1) * shape.rows)

    def _nearest_plain(self, shape: Shape) -> PlainTime | None:
        """Plain time of this shape's group, else of the nearest trusted group, else of the nearest measured one."""
        group = _group(shape)
        own = self._plain.get(group)
        if own is not None and own.is_known:
            return own
        nearest = _nearest([other for other, plain in self._plain.items() if plain.is_known], group)
        if nearest is not None:
            return self._plain[nearest]
        nearest = _nearest([other for other, plain in self._plain.items() if plain.is_measured], group)
        return None if nearest is None else self._plain[nearest]

    def _own_prices(self, shape: Shape) -> ColumnPrices:
        """The prices of this shape's group, created from the nearest group if there are none."""
        sizes = _sizes(shape)
        own = self._prices_by_group.get(sizes)
        if own is None or own.is_empty:
            own = self._prices_by_group[sizes] = ColumnPrices(self._group_prices(shape), self._guess(shape))
        return own

    def _group_prices(self, shape: Shape) -> ColumnPrices:
        """The prices of this shape's group, else of the nearest one."""
        sizes = _sizes(shape)
        own = self._prices_by_group.get(sizes)
        if own is not None and not own.is_empty:
            return own
        nearest = _nearest(
            [group for group, group_prices in self._prices_by_group.items() if not group_prices.is_empty], sizes
        )
        if nearest is not None:
            return self._prices_by_group[nearest]
        guess = self._guess(shape)
        if guess != self._guessed.guess:
            self._guessed = ColumnPrices(guess=guess)
        return self._guessed

    def _guess(self, shape: Shape) -> Guess:
        prompt, plain = self._prompts.get(_size(shape.rows)), self._nearest_plain(shape)
        if prompt is None or plain is None:
            return BLIND
        columns, seconds = prompt
        return Guess(max(FIRST_GUESS, (seconds / plain.seconds - 1.0) / (columns - 1)), FIRST_REACH)


def _nearest(groups: Iterable[tuple[int, int]], group: tuple[int, int]) -> tuple[int, int] | None:
    """The group nearest by rows, then by context; None if `groups` is empty."""
    return min(groups, default=None, key=lambda other: (abs(other[0] - group[0]), abs(other[1] - group[1])))


def _group(shape: Shape) -> tuple[int, int]:
    return shape.rows, shape.context.bit_length()


def _sizes(shape: Shape) -> tuple[int, int]:
    return _size(shape.rows), shape.context.bit_length() // 2


def _size(rows: int) -> int:
    return (rows - 1).bit_length()
