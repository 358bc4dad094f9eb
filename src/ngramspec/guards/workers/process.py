"""One worker process, as its parent sees it: started, asked, ended."""

import os
import select
import signal
import subprocess
import sys
import threading
import weakref
from time import monotonic
from types import ModuleType

from ngramspec.guards.types import BackendError
from ngramspec.guards.workers.frames import packed, received

START_SECONDS = 60.0
"""For a worker to say that it is ready; xgrammar's loads torch."""

_CODE = """
import sys, importlib.util as u
room, folder, *path = sys.argv[1:]
sys.path += path
spec = u.spec_from_file_location("ngramspec", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["ngramspec"] = module = u.module_from_spec(spec)
spec.loader.exec_module(module)
from ngramspec.guards.workers import serving
serving.serve(room)
"""
"""What a worker runs. It begins with Python's own modules alone on its path (-I -S), so that no file of the current
folder, or beside the script, can take their place; then comes what its parent imports from."""


class EndedError(Exception):
    """The worker has ended before it answered."""


class Process:
    """A worker, for one thread at a time; room: the backend that it compiles for."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.known: str | None = None
        """The fingerprint of the vocabulary that it was told last."""
        self.asked_at: float | None = None
        self.end_reason: str | None = None
        self.is_closed = False
        self._process: subprocess.Popen[bytes] | None = None

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, also where it has ended while nobody asked. Raises BackendError where it does not come up in time.

        A thread of its own starts it: an interrupt within `Popen` would leave a process that nobody knows.
        """
        self.close()  # the pipes of one that has ended may still be open here
        self.known = self.end_reason = None
        self.is_closed = False
        raised: list[BackendError] = []

        def begin() -> None:
            try:
                self._begin()
            except BackendError as error:
                raised.append(error)

        beginner = threading.Thread(target=begin, daemon=True)
        beginner.start()
        beginner.join()
        if raised:
            raise raised[0]

    def _begin(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", _CODE, self.room, _package_folder(), *_path()]
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        except (OSError, TypeError) as error:
            raise BackendError(f"a process to compile in must start, got {error} of {sys.executable!r}") from error
        for pipe in self._pipes():
            os.set_blocking(pipe, False)
        weakref.finalize(self, _end, self._process, os.getpid())  # at the latest when the interpreter ends
        if self.is_closed:  # whoever wanted it was interrupted
            _end(self._process, os.getpid())
            return
        try:
            self._receive(monotonic() + START_SECONDS)
        except EndedError as error:
            reason = self.end_reason or "it ended"
            raise BackendError(f"a process to compile in must start, got of {sys.executable!r}: {reason}") from error

    def ask(self, parts: list[bytes], seconds: float) -> list[bytes]:
        """Its answer to `parts`. Raises EndedError where it ends, or is ended, before it has answered."""
        self.asked_at = monotonic()
        self._send(packed(parts), self.asked_at + seconds)
        return self._receive(self.asked_at + seconds)

    def end(self, reason: str) -> None:
        """End it, from any thread; whoever waits for its answer is told why."""
        self.end_reason = self.end_reason or reason
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End it, take its pipes down, and wait for it; also if it is only about to start."""
        self.is_closed = True
        if self._process is not None:
            _end(self._process, os.getpid())

    def forget(self) -> None:
        """In the child of a fork: the worker is the parent's. Close our ends of its pipes, and leave it alone."""
        if self._process is not None:
            self._process.returncode = 0  # so that nobody waits for it here
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    @property
    def death(self) -> str | None:
        """The signal that ended it, by name; None where none has."""
        code = self._process.wait() if self._process is not None else 0
        return signal.Signals(-code).name if code < 0 else None

    def _pipes(self) -> tuple[int, int]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None or process.stdin.closed:
            raise EndedError
        return process.stdin.fileno(), process.stdout.fileno()

    def _send(self, message: bytes, until: float) -> None:
        pipe, _ = self._pipes()
        left = memoryview(message)
        while left:
            self._wait(pipe, select.POLLOUT, until)
            try:
                left = left[os.write(pipe, left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise EndedError from error

    def _receive(self, until: float) -> list[bytes]:
        _, pipe = self._pipes()

        def read(length: int) -> bytes:
            found = bytearray()
            while len(found) < length:
                self._wait(pipe, select.POLLIN, until)
                piece = os.read(pipe, min(length - len(found), 1 << 20))
                if not piece:
                    raise EOFError
                found += piece
            return bytes(found)

        try:
            return received(read)
        except EOFError as error:
            raise EndedError from error

    def _wait(self, pipe: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        left = until - monotonic()
        if left > 0 and poll.poll(left * 1000):
            return
        self.end("late")
        raise EndedError


def _end(process: "subprocess.Popen[bytes]", owner: int) -> None:
    if os.getpid() != owner:
        return
    process.kill()  # does nothing where it has ended
    with process:  # closes its pipes, and waits for it
        pass


def _package_folder() -> str:
    package: ModuleType = sys.modules["ngramspec"]
    return os.path.abspath(os.path.dirname(str(package.__file__)))


def _path() -> list[str]:
    """Where our modules come from, without the current folder and the script's."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    strange = {*_AT_FIRST, *_current_folder()}
    if main is not None:
        strange.add(os.path.realpath(os.path.dirname(main)))
    absolute = [entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)]
    return [entry for entry in absolute if os.path.realpath(entry) not in strange]


def _current_folder() -> list[str]:
    """The current folder; none where it has been removed."""
    try:
        return [os.path.realpath(os.getcwd())]
    except OSError:
        return []


_AT_FIRST = _current_folder()
"""The current folder when this was loaded: what was put on the path as "." or by -m is there, whatever came after."""
