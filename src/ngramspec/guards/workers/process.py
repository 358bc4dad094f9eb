"""The parent's handle of one worker process: start it, ask it, end it."""

import os
import select
import weakref
from collections.abc import Callable
from time import monotonic

from ngramspec.guards.types import BackendError
from ngramspec.guards.workers.fork_server import START_SECONDS, ForkServer, apart, signal_name
from ngramspec.guards.workers.frames import packed, received


class EndedError(Exception):
    """The worker has ended before it answered."""


class Process:
    """A worker, for one thread at a time: a fork of its server."""

    def __init__(self) -> None:
        self.vocabulary: str | None = None
        """Fingerprint of the vocabulary that it was last sent."""
        self.began_at: float | None = None
        """The time at which its work began; None while it is idle, or about to begin."""
        self.end_reason: str | None = None
        self._forked: _Forked | None = None

    @property
    def id(self) -> int | None:
        """The process id; None before the process has started."""
        return None if self._forked is None else self._forked.id

    def is_alive(self) -> bool:
        """Whether it can answer."""
        return self._forked is not None and self._forked.is_alive()

    def start(self, server: Callable[[], ForkServer]) -> None:
        """Fork it, also after it has ended. Raises BackendError if it does not start in time.

        A thread of its own does this: an interrupt halfway would leave an unknown process.
        """
        self.close()
        self.vocabulary = self.end_reason = None
        apart(lambda: self._start(server()))

    def _start(self, server: ForkServer) -> None:
        self._forked = _Forked(server)

    def send_vocabulary(self, vocabulary: bytes, fingerprint: str) -> None:
        """Send it a vocabulary, which is trusted. Raises EndedError."""
        if self.vocabulary != fingerprint:
            self._talk([b"vocabulary", vocabulary], monotonic() + START_SECONDS)
            self.vocabulary = fingerprint

    def ask(self, parts: list[bytes], seconds: float) -> list[bytes]:
        """Its answer to `parts`. Raises EndedError if it ends, or is killed, before it has answered."""
        self.began_at = monotonic()
        return self._talk([b"", *parts], self.began_at + seconds)

    def end(self, reason: str) -> None:
        """Kill it, from any thread; a caller that waits for its answer gets `reason`."""
        self.end_reason = self.end_reason or reason
        if self._forked is not None:
            self._forked.server.kill(self._forked.number)

    def close(self) -> str | None:
        """Kill it, close its pipes, and wait for it; returns the name of the signal that it died of, if any."""
        return None if self._forked is None else self._forked.close()

    def forget(self) -> None:
        """In a forked child: close our ends of the worker's pipes, and leave it to the parent."""
        if self._forked is not None:
            self._forked.forget()

    def _talk(self, parts: list[bytes], until: float) -> list[bytes]:
        if self._forked is None:
            raise EndedError
        try:
            self._send(self._forked.source, packed(parts), until)
            return received(lambda length: self._read(length, until))
        except (EOFError, BrokenPipeError) as error:
            raise EndedError from error

    def _send(self, pipe: int, message: bytes, until: float) -> None:
        left = memoryview(message)
        while left:
            self._wait(pipe, select.POLLOUT, until)
            try:
                left = left[os.write(pipe, left) :]
            except BlockingIOError:
                continue

    def _read(self, length: int, until: float) -> bytes:
        assert self._forked is not None
        found = bytearray()
        while len(found) < length:
            self._wait(self._forked.answers, select.POLLIN, until)
            piece = os.read(self._forked.answers, min(length - len(found), 1 << 20))
            if not piece:
                raise EOFError
            found += piece
        return bytes(found)

    def _wait(self, pipe: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        left = until - monotonic()
        if left > 0 and poll.poll(left * 1000):
            return
        self.end("late")
        raise EndedError


class _Forked:
    """A running process, and our ends of its pipes, both non-blocking."""

    def __init__(self, server: ForkServer) -> None:
        """Raises BackendError if it cannot be forked."""
        self.server = server
        source, self.source = os.pipe()
        self.answers, answers = os.pipe()
        os.set_blocking(self.source, False)
        os.set_blocking(self.answers, False)
        self._close_pipes = weakref.finalize(self, _close, self.source, self.answers, os.getpid())
        try:
            self.number, self.id = server.fork(source, answers)
        except BackendError:
            self._close_pipes()
            raise
        finally:
            os.close(source)
            os.close(answers)

    def is_alive(self) -> bool:
        poll = select.poll()
        poll.register(self.answers, 0)  # a hang-up is always reported
        return self._close_pipes.alive and self.server.is_alive() and not poll.poll(0)

    def close(self) -> str | None:
        if not self._close_pipes.alive:
            return None
        self._close_pipes()
        codes: list[int] = []
        apart(lambda: codes.append(self.server.reap(self.number)))
        return signal_name(*codes)

    def forget(self) -> None:
        if self._close_pipes.detach() is not None:
            os.close(self.source)
            os.close(self.answers)


def _close(source: int, answers: int, owner: int) -> None:
    if os.getpid() == owner:
        os.close(source)
        os.close(answers)
