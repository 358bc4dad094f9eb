"""Time of a pass without drafts."""

from collections import deque
from collections.abc import Iterable
from statistics import median_low

from ngramspec.decoding.column_prices import NUM_ENOUGH, NUM_KEPT

STALE = 512
"""Passes after which a plain time is doubted, in the hopeful estimate: other load may have come or gone."""

_WRONG = 0.5
"""A pass below this share of the believed time shows that the earlier ones were disturbed."""

_QUICKER = 0.8
"""A wider pass below this share of the plain time shows that the plain ones were disturbed."""


class PlainTime:
    """Seconds of passes of one column with similar rows and context: the median of the last ones."""

    def __init__(self) -> None:
        """Nothing measured."""
        self.seconds = 0.0
        self._measured_at = 0
        self._times: deque[float] = deque(maxlen=NUM_KEPT)

    @property
    def is_measured(self) -> bool:
        """Whether any pass was measured."""
        return bool(self._times)

    @property
    def is_known(self) -> bool:
        """Whether enough passes were measured to trust `seconds`."""
        return len(self._times) >= NUM_ENOUGH

    def is_doubted(self, now: int) -> bool:
        """Whether such a pass should be measured again; now: number of passes so far."""
        return not self.is_known or now - self._measured_at >= STALE

    def record(self, seconds: float, now: int) -> None:
        """Record a pass of one column. A much quicker one drops the earlier ones if the time was doubted."""
        if self.is_doubted(now) and seconds < _WRONG * self.seconds:
            self._times.clear()
        self._times.append(seconds)
        self.seconds = median_low(self._times)
        self._measured_at = now

    def record_wider(self, seconds: float) -> None:
        """Record a pass of more columns: an upper bound on a plain one."""
        if seconds < _QUICKER * self.seconds:
            self._times.append(seconds)
            self.seconds = median_low(self._times)

    def state(self) -> list[float]:
        """The times, in seconds."""
        return list(self._times)

    @classmethod
    def of_state(cls, times: Iterable[float]) -> "PlainTime":
        """Restore from the times that `state` returned, at least one."""
        plain = cls()
        plain._times.extend(times)
        plain.seconds = median_low(plain._times)
        return plain
