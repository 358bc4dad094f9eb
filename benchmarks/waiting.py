"""How long does an honest source wait for its guard while others keep sending sources that use up their limits?

    python -m benchmarks.waiting --hostile 24 [--seconds 30]

The hostile threads begin at the same time, and each sends its next source when its last one was refused. Meanwhile one
thread compiles a new small schema every 50 ms, as requests would, and one a new schema of 600 properties, which takes
close to a second by itself. It prints the seconds from call to guard and, at the end, those of calls still waiting.
"""

import argparse
import itertools
import json
import os
import threading
import time
from collections.abc import Callable

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)])
SLOW = "(" * 300_000
"""llguidance takes more than its deadline for this regex."""
PAUSE = 0.05


def small(number: int) -> str:
    """A schema that takes milliseconds."""
    return json.dumps({"properties": {f"name{number}": {"type": "integer"}, "tag": {"enum": ["a"]}}})


def large(number: int) -> str:
    """A schema that takes close to a second."""
    return json.dumps({"properties": {f"name{number}_{i}": {} for i in range(600)}})


class Honest(threading.Thread):
    """Compiles one new schema after another."""

    def __init__(self, schema: Callable[[int], str]) -> None:
        super().__init__(daemon=True)
        self.schema = schema
        self.seconds: list[float] = []
        self.refusals: list[str] = []
        self.since = time.perf_counter()

    def run(self) -> None:
        """Run until the process ends."""
        for number in itertools.count():
            self.since = time.perf_counter()
            try:
                Guard.json_schema(self.schema(number), VOCABULARY)
                self.seconds.append(time.perf_counter() - self.since)
            except GuardError as error:
                self.refusals.append(str(error))
            time.sleep(PAUSE)

    def show(self) -> None:
        """Print the results so far."""
        seconds = [*self.seconds, time.perf_counter() - self.since]
        p50, p95, longest = np.percentile(seconds, [50, 95, 100])
        print(f"  {self.schema.__name__}: {len(self.seconds)} made, {len(self.refusals)} refused;", end=" ")
        print(f"p50 {p50:.3f} s, p95 {p95:.3f} s, longest {longest:.3f} s", *set(self.refusals[:1]), flush=True)


def hostile(name: int) -> None:
    """Send one slow source after another."""
    for number in itertools.count():
        try:
            Guard.regex(f"{name}{SLOW}{number}", VOCABULARY)
        except GuardError:
            continue


def main() -> None:
    """Run all threads for a while, and print the results of the honest ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hostile", type=int, default=24, help="threads (default: 24)")
    parser.add_argument("--seconds", type=float, default=30.0, help="(default: 30)")
    given = parser.parse_args()
    Guard.json_schema({}, VOCABULARY)
    for name in range(given.hostile):
        threading.Thread(target=hostile, args=(name,), daemon=True).start()
    honest = [Honest(small), Honest(large)]
    for thread in honest:
        thread.start()
    time.sleep(given.seconds)
    print(f"{given.hostile} hostile")
    for thread in honest:
        thread.show()
    os._exit(0)  # ends threads that still wait


if __name__ == "__main__":
    main()
