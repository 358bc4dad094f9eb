"""The process that hostile inputs are handed to: it says what came of each, and how long no other thread could run."""

import json
import os
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from ngramspec.testing.hostile.asking import ask, made, warm
from ngramspec.testing.hostile.inputs import Input

TICK = 0.002
"""Seconds that the ticking thread sleeps."""


class Ticker:
    """A thread that ticks, and notes how late.

    longest: seconds that one tick was late while this process computed: another thread held the interpreter's lock.
    What the machine gave to others in that time does not count.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        last, last_busy = time.perf_counter(), time.process_time()
        while True:
            time.sleep(TICK)
            now, busy = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, min(now - last - TICK, busy - last_busy))
            last, last_busy = now, busy


def answered(each: Input, ticker: Ticker) -> dict[str, object]:
    """What came of one input; to make it does not count."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            text = made(each, Path(folder))
            warm(each.backend)
            ticker.longest, start = 0.0, time.perf_counter()
            outcome = ask(each, text)
    except Exception as error:  # the finding that this process is there for
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).partition("\n")[0][:200]
        outcome = f"raised {type(error).__name__}: {said} at {os.path.basename(last.filename)}:{last.lineno}"
    seconds = time.perf_counter() - start
    time.sleep(2 * TICK)  # a tick that is late still comes
    return {"outcome": outcome, "seconds": seconds, "hold": ticker.longest}


def serve() -> None:
    """Answer each line of standard input with one on standard output, until it closes."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no answer
    warm("llguidance")
    ticker = Ticker()
    print("{}", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answered(Input(**json.loads(line)), ticker)), file=replies, flush=True)


if __name__ == "__main__":
    serve()
