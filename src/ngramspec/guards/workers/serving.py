"""The process that forks workers; each answers one source after another until its pipe closes for any reason."""

import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ngramspec.guards.workers.fork_server import COMMAND, FORK, REAP, REPLY
from ngramspec.guards.workers.frames import packed, received

GRACE_SECONDS = 2.0
"""Seconds after the deadline at which the system kills the process, should its parent be gone or stopped."""
WORN_SHARE = 4
"""A worker that has kept more than 1 / this of the memory that a source may take is replaced."""

LONG_SECONDS = 0.05
"""Work that takes longer than this many seconds yields to shorter work."""

Answer = Callable[[list[bytes]], list[bytes]]


def serve_forks(backend: str) -> None:
    """Fork a worker for `backend` on each request on standard input, a socket, until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the terminal is for the parent
    worker = _worker_of(backend)
    _limit("RLIMIT_CORE", 0)
    _, own_bytes = _used_bytes()
    gc.collect()
    gc.freeze()  # otherwise garbage collection in each worker would copy shared pages
    control, workers = socket.socket(fileno=os.dup(0)), dict[int, int]()
    while True:
        message, pipes, *_ = socket.recv_fds(control, COMMAND.size, 2)
        if not message:
            return
        command, number = COMMAND.unpack(message)
        if command == FORK:
            workers[number] = os.fork()
            if workers[number] == 0:
                control.close()
                _become_worker(*pipes)
                _serve(worker, own_bytes)
                return
            for pipe in pipes:
                os.close(pipe)
            control.sendall(REPLY.pack(workers[number]))
            continue
        if number in workers:
            os.kill(workers[number], signal.SIGKILL)  # it was not waited for, so its id cannot be reused
        if command == REAP:
            control.sendall(REPLY.pack(os.waitpid(workers.pop(number), 0)[1]))


def _become_worker(source: int, answers: int) -> None:
    """Make those pipes standard input and output."""
    for pipe, descriptor in ((source, 0), (answers, 1)):
        os.dup2(pipe, descriptor)
        os.close(pipe)


def _serve(worker: Any, own_bytes: int) -> None:
    """Answer requests from standard input on standard output, until it closes.

    worker: from `_worker_of`. own_bytes: memory used at the start.
    """
    pipe = os.dup(1)
    os.dup2(2, 1)  # anything else that is printed is not an answer
    while True:
        try:
            kind, *parts = received(_read)
        except EOFError:
            return
        if kind == b"vocabulary":
            worker.learn(*parts)
            _write(pipe, [])
            continue
        limits = SourceBounds(parts.pop())
        space, _ = _used_bytes()
        _limit("RLIMIT_AS", space + limits.memory_bytes if space else None)
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + GRACE_SECONDS)
        answered = _in_a_thread(worker.answer, parts, limits.stack_bytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit("RLIMIT_AS", None)
        _, used_bytes = _used_bytes()
        is_worn = used_bytes - own_bytes > limits.memory_bytes // WORN_SHARE
        _write(pipe, [b"worn" if is_worn else b"", *answered])


class SourceBounds:
    """Limits of a source, from a message: seconds, and bytes of memory and stack."""

    def __init__(self, part: bytes) -> None:
        seconds, memory_bytes, stack_bytes = part.split()
        self.seconds = float(seconds)
        self.memory_bytes = int(memory_bytes)
        self.stack_bytes = int(stack_bytes)


def _worker_of(backend: str) -> Any:
    """The module of a backend: it has `answer`, and `learn` if it compiles for a vocabulary."""
    if backend == "xgrammar":
        from ngramspec.guards.workers import xgrammar_worker

        return xgrammar_worker
    from ngramspec.guards.workers import llguidance_worker

    return llguidance_worker


def _in_a_thread(answer: Answer, parts: list[bytes], stack_bytes: int) -> list[bytes]:
    """The result of `answer`, on a stack of `stack_bytes`; if the parent ends meanwhile, so does this process."""
    answered: list[list[bytes]] = []
    done, tell = os.pipe()

    def work() -> None:
        try:
            answered.append(answer(parts))
        finally:
            os.close(tell)

    _end_with_the_pipe(True)
    threading.stack_size(stack_bytes)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    poll = select.poll()
    poll.register(done, select.POLLIN)
    poll.register(0, select.POLLIN)
    ready = poll.poll(1000 * LONG_SECONDS)
    if not ready:
        _yield_to_others(thread)
        ready = poll.poll()
    if any(pipe == 0 for pipe, _ in ready):
        os._exit(0)  # nothing is sent to a worker that is at work: the pipe has closed
    thread.join()
    os.close(done)
    _end_with_the_pipe(False)
    if not answered:
        os._exit(1)  # its error goes to standard error, which is discarded: the parent reports that the process ended
    return answered[0]


def _yield_to_others(thread: threading.Thread) -> None:
    """Lower the priority of a thread until it ends, on systems where each thread has one."""
    if sys.platform.startswith("linux") and thread.native_id is not None:
        with suppress(ProcessLookupError):  # it has ended just now
            os.setpriority(os.PRIO_PROCESS, thread.native_id, 10)


def _end_with_the_pipe(is_on: bool) -> None:
    """Set whether the system ends this process once the pipe closes, even while it holds the interpreter's lock."""
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC if is_on else flags & ~os.O_ASYNC)


def _read(length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = os.read(0, min(length - len(found), 1 << 20))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _write(pipe: int, parts: list[bytes]) -> None:
    left = memoryview(packed(parts))
    while left:
        left = left[os.write(pipe, left) :]


def _limit(name: str, most: int | None) -> None:
    """Set a limit of this process; None removes it."""
    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (hard if most is None else min(most, hard) if hard >= 0 else most, hard))


def _used_bytes() -> tuple[int, int]:
    """Address space and memory of this process, in bytes; 0 if the system does not tell."""
    if not sys.platform.startswith("linux"):
        return 0, 0
    with open("/proc/self/statm", "rb") as file:
        space, memory, *_ = map(int, file.read().split())
    page = os.sysconf("SC_PAGE_SIZE")
    return space * page, memory * page
