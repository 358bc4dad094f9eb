"""What outlives an engine: the history in its file. And work that is done now and then, beside the engine's thread."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from ngramspec.drafting import AdaptiveLookup
from ngramspec.vllm.trouble import Trouble

TICK_SECONDS = 1.0

BUSY_TICKS, IDLE_TICKS = 180, 10
"""Between two saves of a history, while requests are decoded and while none is. vLLM kills its engines by default."""


def kept_drafter(path: Path | None, fingerprint: str) -> AdaptiveLookup:
    """A drafter with the history in `path`, or without one. A file that does not exist is written at once.

    So what is wrong with the file is known before the first request: raises HistoryError and OSError as
    `AdaptiveLookup.load` and `save` do.
    """
    if path is None:
        return AdaptiveLookup()
    if path.exists():
        return AdaptiveLookup.load(path, fingerprint)
    drafter = AdaptiveLookup()
    drafter.save(path, fingerprint)
    return drafter


class Saving:
    """Saves a history when there is something new and some time has passed; a job of a `Keeper`."""

    def __init__(self, save: Callable[[], None], num_kept: Callable[[], int], is_idle: Callable[[], bool]) -> None:
        """num_kept: answers kept so far. is_idle: whether no request is decoded."""
        self._save, self._num_kept, self._is_idle = save, num_kept, is_idle
        self._num_saved = self._ticks = 0

    def work(self, is_last: bool) -> None:
        """Save, if it is time for that."""
        self._ticks += 1
        num_kept = self._num_kept()
        is_due = is_last or self._ticks >= (IDLE_TICKS if self._is_idle() else BUSY_TICKS)
        if is_due and num_kept != self._num_saved:
            self._ticks = 0
            self._save()
            self._num_saved = num_kept


class Job(NamedTuple):
    """Work that is done in each tick. name: for messages. work: is told whether it is the last time."""

    name: str
    work: Callable[[bool], None]


class Keeper:
    """Does jobs on a thread of its own, and all of them once more at the end."""

    def __init__(self, jobs: Sequence[Job], trouble: Trouble, *, tick_seconds: float = TICK_SECONDS) -> None:
        """trouble: is told of what fails; it is tried again in a later tick."""
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
