"""What a pass costs, measured while passes run: by rows, columns and context."""

import threading
from bisect import bisect_right
from collections import deque
from itertools import pairwise
from statistics import median
from typing import Any

from ngramspec.decoding.costs import Shape

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


class Rate:
    """Tokens per second, averaged over the last passes with weights that fade."""

    def __init__(self, tokens: float = 0.0, seconds: float = 0.0) -> None:
        """Start with no passes, or with so many tokens in so many seconds."""
        self._tokens = tokens
        self._seconds = seconds

    def record(self, seconds: float, num_tokens: int) -> None:
        """Take in a pass."""
        fade = 1 - 1 / MEMORY
        self._tokens = self._tokens * fade + num_tokens
        self._seconds = self._seconds * fade + seconds

    def state(self) -> list[float]:
        """What another one may start with."""
        return [self._tokens, self._seconds]

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

    def state(self) -> dict[str, list[float]]:
        """What was measured, as JSON can say it: the times by width."""
        return {str(width): list(times) for width, times in self._times.items()}

    @classmethod
    def of_state(cls, state: dict[str, list[float]]) -> "Curve":
        """One that knows what `state` said, as if it had been measured just now."""
        curve = cls()
        for width, times in state.items():
            for seconds in times:
                curve.record(int(width), seconds, 0)
        return curve

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

    def state(self) -> dict[str, Any]:
        """All that was learnt, as JSON can say it."""
        with self._lock:
            return {
                "curves": [[rows, size, curve.state()] for (rows, size), curve in self._curves.items()],
                "rates": [[rows, *rate.state()] for rows, rate in self._rates.items()],
            }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> "MeasuredCosts":
        """One that knows what `state` said."""
        costs = cls()
        costs._curves = {(rows, size): Curve.of_state(times) for rows, size, times in state["curves"]}
        costs._rates = {rows: Rate(tokens, seconds) for rows, tokens, seconds in state["rates"]}
        return costs

    def _curve(self, shape: Shape) -> Curve:
        rows, size = shape.rows, shape.context.bit_length()
        curve = self._curves.get((rows, size))
        if curve is None:
            nearest = min(self._curves, default=None, key=lambda kind: (abs(kind[0] - rows), abs(kind[1] - size)))
            curve = self._curves[rows, size] = Curve(None if nearest is None else self._curves[nearest])
        return curve
