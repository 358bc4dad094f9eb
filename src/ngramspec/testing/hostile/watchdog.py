"""Runs hostile inputs in a process of its own, and kills it if one takes too long or too much memory."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ngramspec.testing.hostile.inputs import Input

SAMPLE = 0.01
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of an input. seconds: until the answer. bytes: additional memory. hold: of the lock, in seconds."""

    seconds: float = 60.0
    bytes: int = 2 << 30
    hold: float = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an input. fault: None if there is none.

    seconds: until the answer. bytes: most additional memory of the process and its children (0 if the system does not
    report it). hold: seconds in which no other thread could run.
    """

    input: Input
    is_refused: bool
    seconds: float
    bytes: int
    hold: float
    fault: str | None = None
    is_crash: bool = False


class Watchdog:
    """A process for hostile inputs, replaced when it ends. A context manager."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._process: subprocess.Popen[bytes] | None = None
        self._base = 0

    def __enter__(self) -> "Watchdog":
        """Start nothing yet."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process."""
        self.end()

    def ask(self, each: Input) -> Outcome:
        """Run one input, and wait for its outcome."""
        process = self._running()
        assert process.stdin is not None
        base, most, start = max(self._base, _bytes_of(process.pid)), 0, time.monotonic()
        with suppress(BrokenPipeError):  # it has ended meanwhile, which is noticed below
            process.stdin.write(json.dumps(asdict(each)).encode() + b"\n")
            process.stdin.flush()
        while not self._has_answered(SAMPLE):
            most = max(most, _bytes_of(process.pid) - base)
            seconds = time.monotonic() - start
            over = (
                f"no answer in {self.bounds.seconds:g} s"
                if seconds > self.bounds.seconds
                else f"more than {self.bounds.bytes >> 20} MB"
            )
            if seconds > self.bounds.seconds or most > self.bounds.bytes:
                self.end()
                return Outcome(each, False, seconds, most, 0.0, over, is_crash=True)
        answer = self._answer()
        if answer is None:
            code = self.end()
            name = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            return Outcome(each, False, time.monotonic() - start, most, 0.0, f"the process died: {name}", is_crash=True)
        outcome, seconds, hold = answer["outcome"], answer["seconds"], answer["hold"]
        is_well = outcome in ("answered", "refused")
        return Outcome(each, outcome == "refused", seconds, most, hold, None if is_well else outcome)

    def end(self) -> int:
        """Kill the process and its children; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        code = process.poll()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:  # closes its pipes, and waits for it
            pass
        return process.returncode if code is None else code

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None:
            return self._process
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ngramspec.testing.hostile.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        if self._answer() is None:
            raise RuntimeError(f"the process for hostile inputs must start, got exit code {self.end()}")
        self._base = _bytes_of(self._process.pid)
        return self._process

    def _has_answered(self, seconds: float) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _answer(self) -> "dict[str, Any] | None":
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return answer


def _bytes_of(pid: int) -> int:
    """Memory of a process and all its children, in bytes; 0 if the system does not report it."""
    total, left = 0, [pid]
    while left:
        folder = Path(f"/proc/{left.pop()}")
        with suppress(OSError, ValueError, IndexError):  # an ended process holds nothing
            total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in (folder / "task").iterdir():
                left += map(int, (task / "children").read_text().split())
    return total
