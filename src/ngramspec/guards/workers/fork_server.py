"""A process that has a backend loaded, and forks workers on demand.

Loading a backend takes 0.3 s, or 3 s if it loads torch; a fork takes milliseconds, and shares most of its memory. So a
worker that has to be killed costs next to nothing. AFL's fork server is the same idea.
"""

import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType

from ngramspec.guards.types import BackendError

START_SECONDS = 60.0
"""Most seconds for a fork; the first one waits until the backend is loaded, and xgrammar loads torch."""

_CODE = """
import sys, importlib.util as u
backend, folder, *path = sys.argv[1:]
sys.path += path
spec = u.spec_from_file_location("ngramspec", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["ngramspec"] = module = u.module_from_spec(spec)
spec.loader.exec_module(module)
from ngramspec.guards.workers import serving
serving.serve_forks(backend)
"""
"""The code that it runs. It starts with only Python's own modules on its path (-I -S), so that no file in the current
folder, or beside the script, can shadow them; then the parent's import path is added."""

COMMAND = struct.Struct("=cq")
"""A command, and the number of a worker, which is never reused; FORK carries the worker's ends of two pipes."""
REPLY = struct.Struct("=q")
"""The answer: to FORK the process id; to REAP, which also kills it, the status of `waitpid`; none to KILL."""
FORK, KILL, REAP = b"F", b"K", b"R"


class ForkServer:
    """The parent's handle of a fork server. Once it has ended it cannot be restarted: make another one."""

    def __init__(self, backend: str) -> None:
        """backend: its name. Raises BackendError if the process cannot be started."""
        self.backend = backend
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", "-c", _CODE, backend, _package_folder(), *_path()]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),  # threads do not fork
            )
        except (OSError, TypeError) as error:
            ours.close()
            raise BackendError(f"a process to compile in must start, got {error} from {sys.executable!r}") from error
        finally:
            theirs.close()
        self._socket = ours
        self._end = weakref.finalize(self, _end, self._process, ours, os.getpid())  # or when the interpreter ends

    def is_alive(self) -> bool:
        """Whether it can fork."""
        return self._end.alive and self._process.poll() is None

    def fork(self, source: int, answers: int) -> tuple[int, int]:
        """Fork a worker that reads from pipe `source` and writes to pipe `answers`; returns its number and process id.

        Raises BackendError.
        """
        number = next(self._numbers)
        try:
            return number, self._ask(FORK, number, [source, answers])
        except TimeoutError:
            reason = "late"
        except OSError as error:
            reason = str(error)
        self.close()
        raise BackendError(f"a process to compile in must start, got for {sys.executable!r}: {reason}")

    def kill(self, worker: int) -> None:
        """Kill a worker, from any thread."""
        try:
            self._socket.sendall(COMMAND.pack(KILL, worker))
        except OSError:
            return  # the server has gone; the worker ends once its pipes are closed

    def reap(self, worker: int) -> int:
        """Kill a worker, once, and wait for it; returns its exit code, negative for a signal, as in `Popen`."""
        try:
            return os.waitstatus_to_exitcode(self._ask(REAP, worker, []))
        except OSError:
            return 0  # the server has gone, and the code is unknown

    def close(self) -> None:
        """End the server; workers continue until their pipes are closed."""
        self._end()

    def forget(self) -> None:
        """In a forked child: close our end, and leave the server to the parent."""
        self._process.returncode = 0  # so that it is not waited for here
        self._end.detach()
        self._socket.close()

    def _ask(self, command: bytes, worker: int, pipes: list[int]) -> int:
        with self._lock:
            self._socket.settimeout(max(START_SECONDS, 1e-3))
            socket.send_fds(self._socket, [COMMAND.pack(command, worker)], pipes)
            reply = self._socket.recv(REPLY.size)
        if len(reply) < REPLY.size:
            raise OSError("it ended")
        return int(REPLY.unpack(reply)[0])


def apart(work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own, which an interrupt cannot stop halfway; raises what it raises."""
    raised: list[BaseException] = []

    def begin() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _end(process: "subprocess.Popen[bytes]", control: socket.socket, owner: int) -> None:
    if os.getpid() != owner:
        return
    control.close()
    process.kill()  # does nothing where it has ended
    process.wait()


def signal_name(code: int) -> str | None:
    """The name of the signal that an exit code stands for; None if it stands for none."""
    return signal.Signals(-code).name if code < 0 else None


def _package_folder() -> str:
    package: ModuleType = sys.modules["ngramspec"]
    return os.path.abspath(os.path.dirname(str(package.__file__)))


def _path() -> list[str]:
    """The import path without the current folder and the script's."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    strange = {*_AT_FIRST, *_current_folder()}
    if main is not None:
        strange.add(os.path.realpath(os.path.dirname(main)))
    absolute = [entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)]
    return [entry for entry in absolute if os.path.realpath(entry) not in strange]


def _current_folder() -> list[str]:
    """The current folder; empty if it was removed."""
    try:
        return [os.path.realpath(os.getcwd())]
    except OSError:
        return []


_AT_FIRST = _current_folder()
"""The current folder when this was loaded: entries put on the path as "." or by -m refer to it, even after a chdir."""
