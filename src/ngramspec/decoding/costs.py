"""What a pass costs, measured while passes run: by rows, columns and context."""

import threading
from bisect import bisect_right
from collections import deque
from itertools import pairwise
from statistics import median
from typing import NamedTuple, Protocol

NUM_KEPT = 9
"""Passes of a shape whose median is its cost: single ones are disturbed by whatever else the machine does."""

NUM_ENOUGH = 3
"""Passes of one column that must have been measured before any other width is tried."""

STALE = 2000
"""Passes after which a cost that was not measured again rules nothing out any more."""

FIRST_GUESS = 0.05
"""By how much of a pass each further column is guessed to cost while only one width has been measured. On a GPU it is
less, on a CPU more: a first draft that is too short is soon followed by longer ones, one that is too long is lost."""

MEMORY = 5_000
"""Passes over which the rate is averaged: what counts is the rate in the long run, over all kinds of text."""


class Shape(NamedTuple):
    """What makes a pass dear.

    rows: rows that are read. columns: tokens of the widest of them, drafted ones included; narrower rows are filled up.
    tokens: tokens of all rows, without that fill. context: tokens that the cache holds of the longest row.
    """

    rows: int
    columns: int
    tokens: int
    context: int


class Costs(Protocol):
    """Prices shapes, and knows how fast tokens have been coming.

    counts_fill: whether narrow rows cost as much as the widest one; else it is the tokens that count.
    """

    counts_fill: bool

    def seconds(self, shape: Shape) -> float | None:
        """Seconds of a pass of this shape; None where nobody can say yet."""

    def least_seconds(self, shape: Shape) -> float | None:
        """Seconds that such a pass takes at the least, where it has not been tried of late; else None."""

    def per_token(self, shape: Shape) -> float:
        """Seconds that one more column (or token, where fill is not counted) adds at the least."""

    def rate(self, rows: int) -> float:
        """Tokens per second of late, of all rows together; 0.0 where nothing was measured."""

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """Learn that a pass of this shape took so long and emitted so many tokens."""


class Rate:
    """Tokens per second, averaged over the last passes with weights that fade."""

    def __init__(self) -> None:
        """Start with no passes."""
        self._tokens = 0.0
        self._seconds = 0.0

    def record(self, seconds: float, num_tokens: int) -> None:
        """Take in a pass."""
        fade = 1 - 1 / MEMORY
        self._tokens = self._tokens * fade + num_tokens
        self._seconds = self._seconds * fade + seconds

    @property
    def per_second(self) -> float:
        """Tokens per second; 0.0 before the first pass."""
        return self._tokens / self._seconds if self._seconds else 0.0


class Curve:
    """Costs by columns, of passes that are alike in rows and context."""

    def __init__(self, like: "Curve | None" = None) -> None:
        """Start with what was measured of passes that are a little different, until it is measured anew."""
        self._times: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}
        self._measured_at: dict[int, int] = {}
        self._columns: list[int] = []
        self._seconds: list[float] = []
        if like is not None:
            self._times = {width: deque(times, NUM_KEPT) for width, times in like._times.items()}
            self._medians = dict(like._medians)
            self._measured_at = dict(like._measured_at)
            self._draw()

    def record(self, columns: int, seconds: float, now: int) -> None:
        """Take in a pass; now: the number of passes until now."""
        times = self._times.setdefault(columns, deque(maxlen=NUM_KEPT))
        times.append(seconds)
        self._medians[columns] = median(times)
        self._measured_at[columns] = now
        self._draw()

    def seconds(self, columns: int) -> float | None:
        """By a straight line between the widths measured; None until one column has been measured often enough."""
        if len(self._times.get(1, ())) < NUM_ENOUGH:
            return None
        place = bisect_right(self._columns, columns) - 1
        width, seconds = self._columns[place], self._seconds[place]
        if place + 1 < len(self._columns):
            slope = (self._seconds[place + 1] - seconds) / (self._columns[place + 1] - width)
        elif place:
            slope = (seconds - self._seconds[0]) / (width - self._columns[0])
        else:
            slope = seconds * FIRST_GUESS
        return seconds + slope * (columns - width)

    def least_seconds(self, columns: int, now: int) -> float | None:
        """The cost of the widest narrower width measured of late, which is no dearer; None where `columns` was."""
        if now - self._measured_at.get(columns, -STALE) < STALE:
            return None
        if columns == 1:
            return 0.0
        for place in range(bisect_right(self._columns, columns) - 1, 0, -1):
            if now - self._measured_at[self._columns[place]] < STALE:
                return self._seconds[place]
        return self._seconds[0] if self._seconds else None

    def least_slope(self) -> float:
        """Seconds that a column adds between the two widths where it adds least; 0.0 where fewer were measured."""
        points = list(zip(self._columns, self._seconds, strict=True))
        # Between widths further apart it adds what it adds between their neighbours, on average: never less.
        slopes = [(after - before) / (wide - narrow) for (narrow, before), (wide, after) in pairwise(points)]
        return min(slopes, default=0.0)

    def _draw(self) -> None:
        self._columns = sorted(self._times)
        # More columns are no less work: where they were quicker, that was noise.
        self._seconds, highest = [], 0.0
        for width in self._columns:
            highest = max(highest, self._medians[width])
            self._seconds.append(highest)


class MeasuredCosts:
    """Learns what passes cost from the passes of one model on one machine; safe to share between threads.

    Passes are alike whose rows are as many and whose contexts are within a factor of two. A kind that is new starts
    with what the nearest one knows: a budget compares widths, and these keep their proportions.
    """

    counts_fill = True

    def __init__(self) -> None:
        """Start with nothing measured."""
        self._curves: dict[tuple[int, int], Curve] = {}
        self._rates: dict[int, Rate] = {}
        self._num_passes = 0
        self._lock = threading.Lock()

    def seconds(self, shape: Shape) -> float | None:
        """See `Costs`."""
        with self._lock:
            return self._curve(shape).seconds(shape.columns)

    def least_seconds(self, shape: Shape) -> float | None:
        """See `Costs`."""
        with self._lock:
            return self._curve(shape).least_seconds(shape.columns, self._num_passes)

    def per_token(self, shape: Shape) -> float:
        """See `Costs`."""
        with self._lock:
            return self._curve(shape).least_slope()

    def rate(self, rows: int) -> float:
        """See `Costs`."""
        rate = self._rates.get(rows)
        return 0.0 if rate is None else rate.per_second

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        with self._lock:
            self._num_passes += 1
            self._curve(shape).record(shape.columns, seconds, self._num_passes)
            self._rates.setdefault(shape.rows, Rate()).record(seconds, num_tokens)

    def _curve(self, shape: Shape) -> Curve:
        rows, size = shape.rows, shape.context.bit_length()
        curve = self._curves.get((rows, size))
        if curve is None:
            nearest = min(self._curves, default=None, key=lambda kind: (abs(kind[0] - rows), abs(kind[1] - size)))
            curve = self._curves[rows, size] = Curve(None if nearest is None else self._curves[nearest])
        return curve


class LinearCosts:
    """A published fit: a pass costs `base` seconds, and `per_token` more for each token of all rows."""

    counts_fill = False

    def __init__(self, base: float, per_token: float, batch: int = 1) -> None:
        """base, per_token: seconds. batch: requests that decode together, each of them as the one that is priced here.

        Raises ValueError for a batch that is no whole number >= 1, and for passes that cost nothing.
        """
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise ValueError(f"batch must be a whole number >= 1, got {batch!r}: it counts the requests of a pass")
        if base < 0 or per_token < 0 or base + per_token <= 0:
            raise ValueError(f"a pass must cost more than 0 seconds, got base={base!r} and per_token={per_token!r}")
        self._base = base
        self._per_token = per_token * batch
        self._rate = Rate()

    def seconds(self, shape: Shape) -> float:
        """See `Costs`."""
        return self.of(shape.tokens)

    def of(self, num_tokens: float) -> float:
        """Seconds of a pass over so many tokens per request."""
        return self._base + self._per_token * num_tokens

    def least_seconds(self, shape: Shape) -> None:
        """Nothing needs to be tried."""

    def per_token(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._per_token

    def rate(self, rows: int) -> float:
        """See `Costs`."""
        return self._rate.per_second

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`; what the pass took is what the fit says."""
        self._rate.record(self.seconds(shape), num_tokens)


FITS: dict[str, tuple[float, float]] = {
    # An 8 B model on an H100, by batched tokens: SpecDecode-Bench's fit (5.886 ms and 1.207 ms of overhead).
    "h100-8b": (7.09e-3, 21.01e-6),
}
"""Published fits, by the name of model and machine: the base and the price of a token, in seconds."""


def fitted(name: str, batch: int = 1) -> LinearCosts:
    """The published fit of that name, for `batch` requests that decode together."""
    return LinearCosts(*FITS[name], batch)
