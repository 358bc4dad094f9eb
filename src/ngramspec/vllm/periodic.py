"""Periodic work on a thread of its own."""

from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import NamedTuple

from ngramspec.vllm.trouble import Trouble

TICK_SECONDS = 1.0


class PeriodicJob(NamedTuple):
    """Work to do in each tick. name: for messages. work: its argument says whether this is the last time."""

    name: str
    work: Callable[[bool], None]


class PeriodicThread:
    """Does jobs on a thread of its own, and all of them once more at the end."""

    def __init__(self, jobs: Sequence[PeriodicJob], trouble: Trouble, *, tick_seconds: float = TICK_SECONDS) -> None:
        """trouble: takes note of jobs that fail; they are tried again in a later tick."""
        self._jobs, self._trouble, self._tick_seconds = jobs, trouble, tick_seconds
        self._over = Event()
        self._thread = Thread(target=self._run, name="ngramspec-periodic", daemon=True)
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
