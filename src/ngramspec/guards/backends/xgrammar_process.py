"""xgrammar's compiler in a process of its own, which can be stopped when it takes too long or too much.

The process is started with the first grammar (a few seconds, for xgrammar loads torch) and serves the following ones.
"""

import os
import pickle
import re
import subprocess
import sys
import threading
import weakref
from typing import Any

from ngramspec.guards.types import BackendError

MAX_SECONDS = 30.0
"""Time for one grammar."""
MAX_BYTES = 8 << 30
"""Address space of the process; torch and xgrammar take a good part of it for themselves."""


class Worker:
    """A process that compiles, one grammar at a time."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self.max_seconds = max_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def compile(self, kind: str, source: str, options: dict[str, object], texts: list[bytes]) -> str:
        """The compiled grammar, serialized. Raises BackendError where it cannot be had, with xgrammar's words."""
        is_late = threading.Event()
        with self._lock:
            process = self._running()

            def stop() -> None:
                is_late.set()
                process.kill()

            late = threading.Timer(self.max_seconds, stop)
            late.daemon = True
            try:
                _send(process.stdin, (kind, source, options, texts))
                late.start()
                compiled, error = _receive(process.stdout)
            except (EOFError, BrokenPipeError) as ended:
                self._end(process)
                if is_late.is_set():
                    raise BackendError(f"compiling took more than {self.max_seconds:g} s") from ended
                raise BackendError("the compiling process ended: it may have run out of memory") from ended
            except BaseException:  # interrupted: its answer would come to whoever asks next
                self._end(process)
                raise
            finally:
                late.cancel()
        if error is not None:
            raise BackendError(error)
        return str(compiled)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        # What was put on sys.path by hand is on the path of the process as well.
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
        )
        weakref.finalize(self, _stop, self._process)  # at the latest when the interpreter ends
        try:
            _receive(self._process.stdout)  # it says when it has loaded what it needs
        except BaseException as error:
            self._end(self._process)
            if isinstance(error, EOFError):
                raise BackendError(f"the compiling process must start, got an end of {sys.executable}") from error
            raise
        return self._process

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = None
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    with process:  # closes its pipes, and waits for it
        pass


WORKER = Worker()

_SOURCE_PLACE = re.compile(r"\[[\d:]+\] \S+:\d+: ")
"""The time, and the place in xgrammar's own source, before what it has to say."""


def _send(pipe: Any, message: object) -> None:
    pickle.dump(message, pipe)
    pipe.flush()


def _receive(pipe: Any) -> Any:
    try:
        return pickle.load(pipe)
    except pickle.UnpicklingError as error:  # it ended in the middle of its answer
        raise EOFError from error


def _serve() -> None:
    """Compile what comes in until the pipe closes."""
    import resource

    from ngramspec.guards.backends.xgrammar import make_tokenizer

    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    from xgrammar import GrammarCompiler

    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    _send(pipe, None)
    texts: list[bytes] = []
    while True:
        try:
            kind, source, options, new_texts = _receive(sys.stdin.buffer)
        except EOFError:
            return
        if new_texts != texts:
            texts = new_texts
            compiler = GrammarCompiler(make_tokenizer(texts), cache_enabled=False)
        try:
            _send(pipe, (getattr(compiler, f"compile_{kind}")(source, **options).serialize_json(), None))
        except Exception as error:  # whatever it is, it is said to whoever asked
            _send(pipe, (None, _SOURCE_PLACE.sub("", str(error).partition("\n")[0]) or type(error).__name__))


if __name__ == "__main__":
    _serve()
