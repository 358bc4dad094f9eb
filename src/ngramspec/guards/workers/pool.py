"""The workers of one backend, scheduled so that small sources do not wait for large ones.

Every source gets a short turn first. One that needs more continues if a seat in the second line is free; otherwise it
yields, and restarts at the end of that line with a longer turn. Each line has seats of its own, so neither starves the
other. This is a feedback queue (Corbató et al. 1962) of two levels; killing a worker and forking another takes
milliseconds.
"""

import os
import threading
import weakref
from collections.abc import Callable
from math import inf
from time import monotonic

from ngramspec.guards.limits import Limits, raised
from ngramspec.guards.types import BackendError
from ngramspec.guards.workers.fork_server import ForkServer
from ngramspec.guards.workers.process import EndedError, Process

TURNS = (0.2, 2.0)
"""Seconds that a source has in the first and second line while others wait there, from when its worker is ready. The
one furthest beyond its turn is stopped for them."""


class _Request:
    """One source, waiting or at work; line: 0 for its first turn, then 1."""

    def __init__(self) -> None:
        self.line = 0
        self.process: Process | None = None


class Pool:
    """Workers that are forked on demand; each serves one thread at a time."""

    def __init__(self, backend: str, most: int) -> None:
        """backend: its name. most: workers at a time, if there are at least half as many cores."""
        self.backend = backend
        self.seats = max(1, min(most // 2, os.cpu_count() or 1))
        """Seats of each line."""
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._server: ForkServer | None = None
        self._idle: list[Process] = []
        self._working: list[_Request] = []
        self._lines: tuple[list[_Request], list[_Request]] = ([], [])

    def ask(self, parts: list[bytes], limits: Limits, vocabulary: "SentVocabulary | None" = None) -> list[bytes]:
        """A worker's answer to `parts`; vocabulary: if it needs one.

        Raises BackendError if there is none: it took too long or too much memory, or the worker crashed.
        """
        request = _Request()
        while True:
            try:
                self._begin(request)
                answer = self._answer(request, parts, limits, vocabulary)
            except EndedError as error:
                process, death = self._drop(request)
                if process.end_reason != "others" or request.line == 1:
                    raise BackendError(_why(process.end_reason, death, limits)) from error
                request.line = 1
            except BaseException:  # interrupted: its answer would go to the next caller
                self._drop(request)
                raise
            else:
                self._give_back(request, is_worn=answer[0] == b"worn")
                return answer[1:]

    def close(self) -> None:
        """End the idle workers, and the server that forks them."""
        with self._changed:
            idle, self._idle = self._idle, []
            server, self._server = self._server, None
        for process in idle:
            process.close()
        if server is not None:
            server.close()

    def _answer(
        self, request: _Request, parts: list[bytes], limits: Limits, vocabulary: "SentVocabulary | None"
    ) -> list[bytes]:
        process = request.process
        assert process is not None
        if not process.is_alive():
            process.start(self._alive_server)
        if vocabulary is not None and process.vocabulary != vocabulary.fingerprint:
            process.send_vocabulary(vocabulary.parts(), vocabulary.fingerprint)
        bounds = f"{limits.max_seconds} {limits.max_memory_bytes} {limits.max_stack_bytes}".encode()
        return process.ask([*parts, bounds], limits.max_seconds)

    def _alive_server(self) -> ForkServer:
        with self._changed:
            if self._server is None or not self._server.is_alive():
                if self._server is not None:
                    self._server.close()
                self._server = ForkServer(self.backend)
            return self._server

    def _begin(self, request: _Request) -> None:
        """Wait in line for a seat, then take a worker."""
        with self._changed:
            line = self._lines[request.line]
            line.append(request)
            try:
                while line[0] is not request or self._num_seated(request.line) >= self.seats:
                    self._changed.wait(self._end_turns(request.line) if line[0] is request else None)
                request.process = self._idle[-1] if self._idle else Process()
                request.process.began_at = None
                self._working.append(request)
                del self._idle[-1:]
            finally:
                line.remove(request)
                self._changed.notify_all()  # the next one is now the first in line

    def _num_seated(self, line: int) -> int:
        return sum(other.line == line for other in self._working)

    def _end_turns(self, line: int) -> float:
        """Make sources whose turn is over yield to the first in `line`; returns the seconds until the next check.

        In the first line one yields for each waiting source, or all as soon as one waits in the second line, so that
        those seated there get the cores. The first source in the second line handles both lines.
        """
        left = []
        for each in range(line + 1):
            seated = [request for request in self._working if request.line == each]
            going = sorted((request for request in seated if not _is_ended(request)), key=_since)
            num_wanted = len(self._lines[each]) - (len(seated) - len(going))
            over = [request for request in going if _left(request) <= 0]
            for request in over if each == 0 and self._lines[1] else over[: max(0, num_wanted)]:
                if each == 0 and not self._lines[1] and self._num_seated(1) < self.seats:
                    request.line = 1  # it continues, in a seat of the second line
                    return 0.0
                assert request.process is not None
                request.process.end("others")
            left += [_left(request) for request in going if request not in over]
        return min([TURNS[0], *left])

    def _give_back(self, request: _Request, is_worn: bool) -> None:
        process = request.process
        assert process is not None
        with self._changed:
            process.began_at = None
            if not is_worn and process.end_reason is None:
                self._working.remove(request)
                self._idle.append(process)
                self._changed.notify_all()
                return
        self._drop(request)  # it has not freed its memory, or was killed while it answered

    def _drop(self, request: _Request) -> tuple[Process, str | None]:
        """Kill its worker, if it has one, and free its seat; returns the worker, and the signal that it died of."""
        process = request.process or Process()
        death = process.close()
        with self._changed:
            request.process = None
            self._working = [other for other in self._working if other is not request]
            self._changed.notify_all()
        return process, death


class SentVocabulary:
    """A vocabulary that a worker needs, in the form in which it is sent."""

    def __init__(self, fingerprint: str, parts: Callable[[], bytes]) -> None:
        """parts: makes the bytes to send."""
        self.fingerprint = fingerprint
        self.parts = parts


def _since(request: _Request) -> float:
    """The time at which its work began; one that has not begun sorts last."""
    since = None if request.process is None else request.process.began_at
    return inf if since is None else since


def _left(request: _Request) -> float:
    """The rest of its turn, in seconds."""
    return TURNS[request.line] - (monotonic() - _since(request))


def _is_ended(request: _Request) -> bool:
    return request.process is not None and request.process.end_reason is not None


def _why(reason: str | None, death: str | None, limits: Limits) -> str:
    if reason == "late":
        return f"it takes more than max_seconds={limits.max_seconds:g}: {raised('max_seconds')}"
    if reason == "others":
        return (
            f"it takes more than {TURNS[1]:g} s, and all workers were busy while others waited: make it simpler,"
            " or try again later"
        )
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
        for process in (*pool._idle, *(request.process for request in pool._working)):
            if process is not None:
                process.forget()
        if pool._server is not None:
            pool._server.forget()
        pool._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
