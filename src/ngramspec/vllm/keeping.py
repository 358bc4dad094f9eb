"""The history file, which outlives an engine; and periodic work on a thread of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from ngramspec.drafting import AdaptiveLookup
from ngramspec.vllm.trouble import Trouble

TICK_SECONDS = 1.0

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
    """Saves a history if it is new and some time has passed; a job of a `Keeper`."""

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


class Job(NamedTuple):
    """Work to do in each tick. name: for messages. work: its argument says whether this is the last time."""

    name: str
    work: Callable[[bool], None]


class Keeper:
    """Does jobs on a thread of its own, and all of them once more at the end."""

    def __init__(self, jobs: Sequence[Job], trouble: Trouble, *, tick_seconds: float = TICK_SECONDS) -> None:
        """trouble: takes note of jobs that fail; they are tried again in a later tick."""
        self._jobs, self._trouble, self._tick_seconds = jobs, trouble, tick_seconds
        self._over = Event()
        self._thread = Thread(target=self._run, name="ngramspec-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and do each job a last time. A second call does nothing."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            self._do_all(is_last=True)

    def _run(self) -> None:
        while not self._over.wait(self._tick_seconds):
            self._do_all(is_last=False)

    def _do_all(self, *, is_last: bool) -> None:
        for job in self._jobs:
            try:
                job.work(is_last)
            except Exception as error:
                self._trouble.note(f"{job.name} failed", error)
