"""The history file, which outlives an engine: loaded at its start, and saved periodically."""

from collections.abc import Callable
from pathlib import Path

from ngramspec.drafting import AdaptiveLookup

BUSY_TICKS, IDLE_TICKS = 180, 10
"""Ticks between two saves of a history, while requests are decoded and while none is. vLLM kills its engines by
default, so a save at the end is not enough."""


def kept_drafter(path: Path | None, fingerprint: str) -> AdaptiveLookup:
    """A drafter with the history of the file `path`, or without one. A missing file is written at once.

    So a problem with the file shows before the first request: raises HistoryError and OSError like
    `AdaptiveLookup.load` and `save`.
    """
    if path is None:
        return AdaptiveLookup()
    if path.exists():
        return AdaptiveLookup.load(path, fingerprint)
    drafter = AdaptiveLookup()
    drafter.save(path, fingerprint)
    return drafter


class Saving:
    """Saves a history if it is new and some time has passed; a job of a `PeriodicThread`."""

    def __init__(self, save: Callable[[], None], num_kept: Callable[[], int], is_idle: Callable[[], bool]) -> None:
        """num_kept: number of answers kept so far. is_idle: whether no request is decoded."""
        self._save, self._num_kept, self._is_idle = save, num_kept, is_idle
        self._num_saved = self._ticks = 0

    def work(self, is_last: bool) -> None:
        """Save if a save is due."""
        self._ticks += 1
        num_kept = self._num_kept()
        is_due = is_last or self._ticks >= (IDLE_TICKS if self._is_idle() else BUSY_TICKS)
        if is_due and num_kept != self._num_saved:
            self._ticks = 0
            self._save()
            self._num_saved = num_kept
