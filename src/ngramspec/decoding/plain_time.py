"""What a pass without drafts takes."""

from collections import deque
from collections.abc import Iterable
from statistics import median_low

from ngramspec.decoding.growth import NUM_ENOUGH, NUM_KEPT

STALE = 512
"""Passes after which a plain pass is measured again, where one hopes: until then a neighbour may have come or gone."""

_WRONG = 0.5
"""A pass that takes less than this share of what was believed shows that what was measured before was disturbed."""

_QUICKER = 0.8
"""A wider pass that takes less than this share of a plain one shows that plain ones were disturbed."""


class PlainTime:
    """Seconds of passes of one column, of as many rows and about as much context; a median of the last ones."""

    def __init__(self) -> None:
        """Nothing measured."""
        self.seconds = 0.0
        self._measured_at = 0
        self._times: deque[float] = deque(maxlen=NUM_KEPT)

    @property
    def is_measured(self) -> bool:
        """Whether `seconds` says anything."""
        return bool(self._times)

    @property
    def is_known(self) -> bool:
        """Whether `seconds` is to be trusted."""
        return len(self._times) >= NUM_ENOUGH

    def is_doubted(self, now: int) -> bool:
        """Whether such a pass should be measured again; now: the number of passes until now."""
        return not self.is_known or now - self._measured_at >= STALE

    def record(self, seconds: float, now: int) -> None:
        """Take in a pass of one column. Where it is doubted and proves to be much quicker, all before is forgotten."""
        if self.is_doubted(now) and seconds < _WRONG * self.seconds:
            self._times.clear()
        self._times.append(seconds)
        self.seconds = median_low(self._times)
        self._measured_at = now

    def record_wider(self, seconds: float) -> None:
        """Take in a pass of more columns, which a plain one does not exceed."""
        if seconds < _QUICKER * self.seconds:
            self._times.append(seconds)
            self.seconds = median_low(self._times)

    def state(self) -> list[float]:
        """The times."""
        return list(self._times)

    @classmethod
    def of_state(cls, times: Iterable[float]) -> "PlainTime":
        """One that knows the times that `state` said; there is at least one."""
        plain = cls()
        plain._times.extend(times)
        plain.seconds = median_low(plain._times)
        return plain
