"""What outlives an engine: the history in its file. And work that is done now and then, beside the engine's thread."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from ngramspec.drafting import AdaptiveLookup
from ngramspec.vllm.trouble import Trouble

TICK_SECONDS = 1.0

SAVE_TICKS = 180
"""Between two saves of a history."""


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


class Job(NamedTuple):
    """Work that is done every so many ticks; name: for messages."""

    name: str
    ticks: int
    work: Callable[[], None]


class Keeper:
    """Does jobs on a thread of its own, and all of them once more at the end."""

    def __init__(self, jobs: Sequence[Job], trouble: Trouble, *, tick_seconds: float = TICK_SECONDS) -> None:
        """trouble: is told of what fails; the next time it is tried again."""
        self._jobs, self._trouble, self._tick_seconds = jobs, trouble, tick_seconds
        self._over = Event()
        self._thread = Thread(target=self._run, name="ngramspec-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and do each job a last time. A second call does nothing."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            for job in self._jobs:
                self._do(job)

    def _run(self) -> None:
        ticks = 0
        while not self._over.wait(self._tick_seconds):
            ticks += 1
            for job in self._jobs:
                if ticks % job.ticks == 0:
                    self._do(job)

    def _do(self, job: Job) -> None:
        try:
            job.work()
        except Exception as error:
            self._trouble.note(f"{job.name} failed", error)
