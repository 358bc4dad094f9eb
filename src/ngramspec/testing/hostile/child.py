"""The process that uses hostile inputs: it reports each outcome, and how long no other thread could run."""

import json
import os
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from ngramspec.testing.hostile.inputs import Input
from ngramspec.testing.hostile.uses import ask, input_text, warm_up

TICK = 0.002
"""Seconds that the ticking thread sleeps."""


class Ticker:
    """A thread that ticks, and measures how late.

    longest: most seconds that a tick was late while this process computed, because another thread held the
    interpreter's lock. Time that the machine gave to other processes does not count.
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
    """The outcome of one input; making it does not count."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            text = input_text(each, Path(folder))
            warm_up(each.backend)
            ticker.longest, start = 0.0, time.perf_counter()
            outcome = ask(each, text)
    except Exception as error:  # the kind of finding that this process exists for
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = str(error).partition("\n")[0][:200]
        outcome = f"raised {type(error).__name__}: {said} at {os.path.basename(last.filename)}:{last.lineno}"
    seconds = time.perf_counter() - start
    time.sleep(2 * TICK)  # wait for a late tick
    return {"outcome": outcome, "seconds": seconds, "hold": ticker.longest}


def serve() -> None:
    """Answer each line of standard input with one on standard output, until it closes."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # anything else that is printed is not an answer
    warm_up("llguidance")
    ticker = Ticker()
    print("{}", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answered(Input(**json.loads(line)), ticker)), file=replies, flush=True)


if __name__ == "__main__":
    serve()
