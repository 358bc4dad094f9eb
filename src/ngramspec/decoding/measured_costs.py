"""What a pass costs, measured while passes run: by rows, columns and context."""

import threading
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Any

import numpy as np

from ngramspec.decoding.costs import Shape
from ngramspec.decoding.growth import NUM_ENOUGH, NUM_KEPT, STALE, Growth
from ngramspec.drafting.types import FloatArray

MEMORY = 5_000
"""Passes over which the rate is averaged: what counts is the rate in the long run, over all kinds of text."""

DRAFTING_MEMORY = 100
"""Passes over which the time of drafting is averaged: under a grammar it takes ten times as long as without one."""


class Rate:
    """Something per something else, averaged over the last passes with weights that fade."""

    def __init__(self, amount: float = 0.0, per: float = 0.0, *, memory: int = MEMORY) -> None:
        """Start with no passes, or with what `state` said; memory: passes."""
        self._amount = amount
        self._per = per
        self._fade = 1 - 1 / memory

    def record(self, amount: float, per: float) -> None:
        """Take in a pass."""
        self._amount = self._amount * self._fade + amount
        self._per = self._per * self._fade + per

    def state(self) -> list[float]:
        """What another one may start with."""
        return [self._amount, self._per]

    @property
    def mean(self) -> float:
        """How much per one; 0.0 before the first pass."""
        return self._amount / self._per if self._per else 0.0


class Alone:
    """Seconds of passes of one column, of as many rows and about as much context."""

    def __init__(self) -> None:
        """Nothing measured."""
        self.measured_at = 0
        self._times: deque[float] = deque(maxlen=NUM_KEPT)
        self.seconds = 0.0

    @property
    def is_known(self) -> bool:
        """Whether `seconds`, the median, is to be trusted."""
        return len(self._times) >= NUM_ENOUGH

    def record(self, seconds: float, now: int) -> None:
        """Take in a pass; now: the number of passes until now."""
        self._times.append(seconds)
        self.seconds = median(self._times)
        self.measured_at = now

    def state(self) -> list[float]:
        """The times."""
        return list(self._times)


class MeasuredCosts:
    """Learns what passes cost from the passes of one model on one machine; safe to share between threads.

    Seconds of passes of one column are kept by rows and by context within a factor of two. How much dearer wider ones
    are is kept as a ratio to these, for all passes whose rows are within a factor of two and contexts within four: a
    ratio holds for more passes than a time does, and while a neighbour slows the machine down. A kind that is new
    starts with what the nearest one knows.
    """

    counts_fill = True

    def __init__(self) -> None:
        """Start with nothing measured."""
        self._alone: dict[tuple[int, int], Alone] = {}
        self._growths: dict[tuple[int, int], Growth] = {}
        self._rates: dict[int, Rate] = {}
        self._drafting = Rate(memory=DRAFTING_MEMORY)
        self._drafting_of_a_pass = Rate(memory=DRAFTING_MEMORY)
        self._num_passes = 0
        self._lock = threading.Lock()

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """See `Costs`. Where one hopes, and no plain pass was measured of late, nothing but such a pass is offered."""
        with self._lock:
            alone = self._nearest_alone(shape)
            if alone is None:
                return None
            if not num_more:
                return np.array([alone.seconds])
            growth = self._growth(shape)
            found = (growth.hoped_for if hopeful else growth.of)(num_more + 1) * alone.seconds
            found[growth.reach :] = np.inf
            if hopeful and self._is_doubted(self._alone.get(_kind(shape))):
                found[1:] = np.inf
            return found

    def per_token(self, shape: Shape) -> float:
        """See `Costs`."""
        with self._lock:
            alone, growth = self._nearest_alone(shape), self._growth(shape)
            return 0.0 if alone is None else growth.least_step * alone.seconds

    def per_draft_token(self) -> float:
        """See `Costs`."""
        with self._lock:
            return self._drafting.mean

    def fixed_share(self, shape: Shape) -> float:
        """See `Costs`; all of it until passes of fewer rows were measured."""
        rows, size = _kind(shape)
        with self._lock:
            alone = self._nearest_alone(shape)
            known = [kind for kind, measured in self._alone.items() if measured.is_known and kind[0] < rows]
            if alone is None or not known:
                return 1.0
            fewest = min(known, key=lambda kind: (kind[0], abs(kind[1] - size)))
            fewer = self._alone[fewest].seconds
            per_row = (alone.seconds - fewer) / (rows - fewest[0])
            return min(1.0, max(0.0, (alone.seconds - per_row * rows) / alone.seconds))

    def rate(self, shape: Shape) -> float:
        """See `Costs`."""
        with self._lock:
            rate, alone = self._rates.get(_size(shape.rows)), self._nearest_alone(shape)
            return 0.0 if rate is None or alone is None else rate.mean * shape.rows / alone.seconds

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        with self._lock:
            self._num_passes += 1
            kind = _kind(shape)
            alone = self._alone.get(kind)
            if shape.columns == 1:
                alone = self._alone.setdefault(kind, Alone())
                alone.record(seconds, self._num_passes)
            if alone is None or not alone.is_known:
                return
            growth = self._own_growth(shape)
            growth.record(shape.columns, seconds / alone.seconds)
            passes = float(growth.of(shape.columns)[-1])  # not as this one took: a slow minute says nothing of drafts
            passes += self._drafting_of_a_pass.mean / alone.seconds
            self._rates.setdefault(_size(shape.rows), Rate()).record(num_tokens / shape.rows, passes)

    def record_drafting(self, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        with self._lock:
            self._drafting_of_a_pass.record(seconds, 1)
            if num_tokens:
                self._drafting.record(seconds, num_tokens)

    def state(self) -> dict[str, Any]:
        """All that was learnt, as JSON can say it."""
        with self._lock:
            return {
                "alone": [[*kind, alone.state()] for kind, alone in self._alone.items()],
                "growths": [[*sizes, growth.state()] for sizes, growth in self._growths.items()],
                "rates": [[size, *rate.state()] for size, rate in self._rates.items()],
            }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> "MeasuredCosts":
        """One that knows what `state` said."""
        costs = cls()
        for rows, size, times in state["alone"]:
            alone = costs._alone[rows, size] = Alone()
            for seconds in times:
                alone.record(seconds, 0)
        costs._growths = {(rows, size): Growth.of_state(prices) for rows, size, prices in state["growths"]}
        costs._rates = {size: Rate(amount, per) for size, amount, per in state["rates"]}
        return costs

    def _is_doubted(self, alone: Alone | None) -> bool:
        return alone is None or not alone.is_known or self._num_passes - alone.measured_at >= STALE

    def _nearest_alone(self, shape: Shape) -> Alone | None:
        kind = _kind(shape)
        alone = self._alone.get(kind)
        if alone is not None and alone.is_known:
            return alone
        nearest = _nearest([other for other, measured in self._alone.items() if measured.is_known], kind)
        return None if nearest is None else self._alone[nearest]

    def _own_growth(self, shape: Shape) -> Growth:
        """What is learnt of passes like this one; at first it is what is known of the nearest kind."""
        sizes = _sizes(shape)
        own = self._growths.get(sizes)
        if own is None:
            own = self._growths[sizes] = Growth(self._growth(shape))
        return own

    def _growth(self, shape: Shape) -> Growth:
        """What was learnt of passes like this one, or else of the nearest kind."""
        sizes = _sizes(shape)
        nearest = sizes if sizes in self._growths else _nearest(self._growths, sizes)
        return _UNKNOWN if nearest is None else self._growths[nearest]


_UNKNOWN = Growth()


def _nearest(kinds: Iterable[tuple[int, int]], kind: tuple[int, int]) -> tuple[int, int] | None:
    """Of `kinds` that of about as many rows, then of about as much context; None where there are none."""
    return min(kinds, default=None, key=lambda other: (abs(other[0] - kind[0]), abs(other[1] - kind[1])))


def _kind(shape: Shape) -> tuple[int, int]:
    return shape.rows, shape.context.bit_length()


def _sizes(shape: Shape) -> tuple[int, int]:
    return _size(shape.rows), shape.context.bit_length() // 2


def _size(rows: int) -> int:
    return (rows - 1).bit_length()
