"""The workers of one backend: as many as are needed at once, and none kept for long from others who wait."""

import os
import threading
import weakref
from collections.abc import Callable
from time import monotonic

from ngramspec.guards.limits import Limits, raised
from ngramspec.guards.types import BackendError
from ngramspec.guards.workers.process import EndedError, Process

FAIR_SECONDS = 1.0
"""What anybody may take while others wait. The one who has gone longest beyond it is ended for them."""


class Pool:
    """Workers that are started when they are needed, and asked by one thread at a time each."""

    def __init__(self, room: str, most: int) -> None:
        """room: the backend that they compile for. most: workers at once."""
        self.room = room
        self.most = most
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._all: list[Process] = []
        self._idle: list[Process] = []
        self._num_waiting = 0

    def ask(self, parts: list[bytes], limits: Limits, told: "Told | None" = None) -> list[bytes]:
        """A worker's answer to `parts`; told: a vocabulary that it has to know.

        Raises BackendError where there is none: it took too long, or too much, or the worker crashed over it.
        """
        seat: list[Process] = []
        try:
            self._take(seat)
            (process,) = seat
            if not process.is_alive():
                process.start()
            head = [b"", b""] if told is None or told.fingerprint == process.known else [b"told", told.parts()]
            bounds = f"{limits.max_seconds} {limits.max_memory_bytes} {limits.max_stack_bytes}".encode()
            answer = process.ask([*head, *parts, bounds], limits.max_seconds)
            process.known = told.fingerprint if told is not None else None
        except EndedError as error:
            self._drop(*seat)
            raise BackendError(_why(seat[0], limits)) from error
        except BaseException:  # interrupted: its answer would come to whoever asks next
            self._drop(*seat)
            raise
        self._give_back(process, is_worn=answer[0] == b"worn")
        return answer[1:]

    def close(self) -> None:
        """End the workers that nobody uses."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._all = [process for process in self._all if process not in idle]
        for process in idle:
            process.close()

    def _take(self, seat: list[Process]) -> None:
        """Put a worker into `seat`: so whoever is interrupted knows whether there is one to let go of."""
        with self._changed:
            self._num_waiting += 1
            try:
                while not self._idle and len(self._all) >= self.most:
                    self._changed.wait(self._until_fair())
            finally:
                self._num_waiting -= 1
            if not self._idle:
                self._idle.append(Process(self.room))
                self._all.append(self._idle[-1])
            self._idle[-1].asked_at = None
            seat.append(self._idle[-1])
            self._idle.pop()

    def _until_fair(self) -> float:
        """End who has gone beyond what is fair, one for each who waits; returns the seconds to look again in."""
        running = [process for process in self._all if process.asked_at is not None]
        num_ended = sum(process.end_reason is not None for process in running)
        going = sorted((process for process in running if process.end_reason is None), key=_since)
        now = monotonic()
        for process in going[: max(0, self._num_waiting - num_ended)]:
            if now - _since(process) >= FAIR_SECONDS:
                process.end("others")
        left = [FAIR_SECONDS - (now - _since(process)) for process in going if process.end_reason is None]
        return min([FAIR_SECONDS, *(max(0.01, seconds) for seconds in left)])

    def _give_back(self, process: Process, is_worn: bool) -> None:
        with self._changed:
            process.asked_at = None
            if not is_worn and process.end_reason is None:
                self._idle.append(process)
                self._changed.notify()
                return
        self._drop(process)  # it has kept memory of its work, or was ended as it answered

    def _drop(self, *seat: Process) -> None:
        for process in seat:
            process.close()
        with self._changed:
            self._all = [process for process in self._all if process not in seat]
            self._changed.notify()


class Told:
    """A vocabulary that a worker must know, in the form that it is sent in."""

    def __init__(self, fingerprint: str, parts: Callable[[], bytes]) -> None:
        """parts: makes the bytes to send."""
        self.fingerprint = fingerprint
        self.parts = parts


def _since(process: Process) -> float:
    return process.asked_at or 0.0


def _why(process: Process, limits: Limits) -> str:
    if process.end_reason == "late":
        return f"it takes more than max_seconds={limits.max_seconds:g}: {raised('max_seconds')}"
    if process.end_reason == "others":
        return (
            f"it takes more than {FAIR_SECONDS:g} s, and all workers were busy while others waited: make it simpler,"
            " or try again later"
        )
    death = process.death
    if death in ("SIGSEGV", "SIGBUS"):
        return (
            f"it is nested too deeply, or its chain of rules is too long, for max_stack_bytes={limits.max_stack_bytes}"
            f" ({death}): {raised('max_stack_bytes')}"
        )
    if death == "SIGALRM":
        return f"it takes more than max_seconds={limits.max_seconds:g}: {raised('max_seconds')}"
    return (
        f"the process that compiles it ended ({death or 'without a signal'}); it may need more than"
        f" max_memory_bytes={limits.max_memory_bytes}: {raised('max_memory_bytes')}"
    )


_pools: "weakref.WeakSet[Pool]" = weakref.WeakSet()


def _forget_all() -> None:
    for pool in _pools:
        for process in pool._all:
            process.forget()
        pool._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
