"""Online change detection, with a bound on false alarms that holds for any distribution.

A value is ranked among those before it, and the rank becomes a normal score. If the values are distributed as before,
the scores are standard normal; if they have changed, the scores are shifted. Each of several shifts is tested by its
likelihood ratio, in the form of Shiryaev (1963) and Roberts (1966): summed over all positions at which the change may
have happened. The expected sum after n unchanged values is n, so it seldom becomes large (Doob). Detecting changes by
ranks is the idea of conformal martingales (Volkhonskiy et al. 2017). Sums of this form, and the bound on their false
alarms, are the e-detectors of Shin, Ramdas and Rinaldo (2022).
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Generic, NamedTuple, TypeVar

from ngramspec.watching.ranks import Ranks

Mark = TypeVar("Mark")
"""Identifies when a value came, in any form that its owner chooses."""

RATE = 100_000
"""Values per false alarm, at least, in expectation."""

MEMORY = 256
"""Most values that a new one is compared with; the fewest are half as many, once that many have come."""

SHIFTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""Shifts that are tested, in standard deviations of the values' normal scores."""

_LEAST = 1e-12
"""Least distance of a rank from 0 and 1, where normal scores are infinite."""

_NORMAL = NormalDist()


class Change(NamedTuple, Generic[Mark]):
    """Values have changed. is_rise: whether they are larger than before.

    start: mark of the first value that was compared. first_changed: mark of the first value that probably differs.
    """

    is_rise: bool
    start: Mark
    first_changed: Mark


class _Shift(Generic[Mark]):
    """The hypothesis that scores are shifted by `size`.

    odds: for it, against no change. since: mark of the first value that supports it.
    """

    __slots__ = ("_evidence", "odds", "since", "size")

    def __init__(self, size: float, mark: Mark) -> None:
        self.size, self.since = size, mark
        self.odds = self._evidence = 0.0

    def take(self, score: float, mark: Mark) -> None:
        """Add the score of a value. The change began where the evidence was last 0 (Page 1954)."""
        gain = self.size * score - self.size * self.size / 2
        if self._evidence <= 0.0:
            self._evidence, self.since = 0.0, mark
        self._evidence += gain
        self.odds = (1.0 + self.odds) * math.exp(gain)


class _Epoch(Generic[Mark]):
    """Values that are compared with each other; at most `MEMORY`."""

    def __init__(self, uniform: Callable[[], float], mark: Mark) -> None:
        self._ranks, self._start = Ranks(uniform), mark
        self._shifts = [_Shift(size, mark) for size in SHIFTS]

    def __len__(self) -> int:
        return len(self._ranks)

    def take(self, value: float, mark: Mark, most: float) -> Change[Mark] | None:
        """most: odds at which a change is reported."""
        rank = min(max(self._ranks.of(value), _LEAST), 1.0 - _LEAST)
        score = _NORMAL.inv_cdf(rank)
        for shift in self._shifts:
            shift.take(score, mark)
        if sum([shift.odds for shift in self._shifts]) < most * len(self._shifts):
            return None
        likeliest = max(self._shifts, key=lambda shift: shift.odds)
        return Change(likeliest.size > 0.0, self._start, likeliest.since)


class ChangeDetector(Generic[Mark]):
    """Reports when values change. In T values that do not, it reports at most T / `rate` changes in expectation.

    "Do not change" means that the values are exchangeable: any other order was equally likely. Two epochs overlap by
    half, so that a value is compared with at least `MEMORY` / 2 earlier ones; in each epoch the odds reach `most` with
    a probability of at most `MEMORY` / `most`. After a change it starts afresh. A value takes some 40 µs.
    """

    def __init__(self, uniform: Callable[[], float], rate: float = RATE) -> None:
        """uniform: draws from [0, 1), independently of the values. rate: values per expected false alarm."""
        self._uniform, self._most = uniform, 2 * rate + MEMORY
        self._epochs: list[_Epoch[Mark]] = []

    def take(self, value: float, mark: Mark) -> Change[Mark] | None:
        """Add a value; returns the change, if there is one. mark: of this value."""
        if not self._epochs or len(self._epochs[-1]) == MEMORY // 2:
            self._epochs = [*self._epochs[-1:], _Epoch(self._uniform, mark)]
        found = [epoch.take(value, mark, self._most) for epoch in self._epochs]
        changes = [change for change in found if change is not None]
        if not changes:
            return None
        self._epochs = []
        return changes[0]
