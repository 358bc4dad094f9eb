"""Is the budget ever slower than plain decoding? Recorded requests in batches, on machines whose prices are given.

    python -m benchmarks.simulation [TRACES...] [--records 24] [--max-new 128] [--batches 1 4 16] [--json]

The loop, the drafter, the budget and the measuring of costs are the real ones; the clock is not. It advances by what a
pass costs on the machine, times a disturbance: 7 % on most passes, threefold on one in fifty. So what is learnt of
costs, and what learning it costs, shows in minutes for all kinds of traffic, and comes out the same every time.
Speed-ups are ratios of undisturbed costs. A first round begins with nothing measured; the second one goes on with it.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Sequence as Rows
from dataclasses import dataclass, replace
from statistics import geometric_mean

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import AdaptiveBudget, Choices, MeasuredCosts, Plan, Reading, Row, Shape, Target, step
from ngramspec.drafting import AdaptiveLookup, TokenArray
from ngramspec.replay import ReplayTarget, Trace, load_tokenizer, read_traces

MAX_PROMPT = 2048


@dataclass(frozen=True, slots=True)
class Machine:
    """rows: milliseconds of a plain pass by its rows. columns: by rows, how many plain passes one of so many columns is
    worth. What lies between is on straight lines; rows take the curve of the nearest ones.
    """

    name: str
    rows: dict[int, float]
    columns: dict[int, dict[int, float]]

    def seconds(self, rows: int, columns: int) -> float:
        """What a pass costs."""
        curve = self.columns[min(self.columns, key=lambda known: abs(np.log(known / rows)))]
        plain = np.interp(rows, list(self.rows), list(self.rows.values()))
        return float(plain * np.interp(columns, list(curve), list(curve.values()))) / 1e3


MACHINES = (
    # Of a Llama of 135 M parameters on one CPU thread, as measured.
    Machine(
        "CPU, float32",
        {1: 40, 4: 41, 16: 75},
        {
            1: {1: 1, 2: 1.25, 4: 1.6, 8: 2.3, 11: 2.8, 16: 3.8, 49: 11, 97: 22},
            4: {1: 1, 2: 1.19, 4: 1.55, 8: 2.6, 16: 4.0, 49: 12, 97: 24},
            16: {1: 1, 2: 1.57, 4: 2.4, 8: 3.8, 16: 6.9, 49: 21, 97: 42},
        },
    ),
    Machine(
        "CPU, bfloat16",
        {1: 30, 4: 32, 16: 70},
        {
            1: {1: 1, 2: 1, 4: 1.02, 8: 1.4, 16: 1.5, 49: 3, 97: 6},
            4: {1: 1, 2: 1, 4: 1.3, 8: 2, 16: 2.9, 49: 8, 97: 16},
            16: {1: 1, 2: 1.04, 4: 1.29, 8: 2, 16: 3.9, 49: 12, 97: 24},
        },
    ),
)


@dataclass(slots=True, kw_only=True, eq=False)
class _Request(Row):
    output: TokenArray
    context: int


class _Target(Target):
    """A machine that reads out what was recorded. spent: seconds without disturbances. now: with them."""

    def __init__(self, machine: Machine, noise: random.Random) -> None:
        self.spent = self.now = 0.0
        self._machine, self._noise = machine, noise

    def shape(self, rows: Rows[Row]) -> Shape:
        longest = max(row.context + len(row.emitted) for row in rows if isinstance(row, _Request))
        return Shape(len(rows), 1, len(rows), longest)

    def read(self, plans: Rows[Plan]) -> Reading:
        sizes = [plan.draft.tokens.size for plan in plans]
        seconds = self._machine.seconds(len(plans), 1 + max(sizes))
        self.spent += seconds
        self.now += seconds * self._noise.lognormvariate(0, 0.07) * (3 if self._noise.random() < 0.02 else 1)
        plain = self.shape([plan.row for plan in plans])
        shape = plain._replace(columns=1 + max(sizes), tokens=len(plans) + sum(sizes))
        return Reading(shape, [choices for plan in plans for choices in self._recorded(plan)])

    @staticmethod
    def _recorded(plan: Plan) -> Rows[Choices]:
        assert isinstance(plan.row, _Request)
        return ReplayTarget(plan.row.output).read([plan]).choices


class Simulation:
    """A service on a machine: one drafter, one budget, what was measured of costs."""

    def __init__(self, machine: Machine, seed: int = 0) -> None:
        self._machine = machine
        self._drafter, self._budget, self._costs = AdaptiveLookup(), AdaptiveBudget(), MeasuredCosts()
        self._noise = random.Random(seed)

    def speedup(self, batches: Iterable[Sequence[Trace]]) -> float:
        """Plain decoding's seconds over ours, for these batches."""
        plain = ours = 0.0
        for batch in batches:
            plain += self._plain([trace.output.size - 1 for trace in batch])
            ours += self._decoded([self._opened(trace) for trace in batch])
        return plain / ours

    def _plain(self, lengths: list[int]) -> float:
        return sum(self._machine.seconds(sum(length > done for length in lengths), 1) for done in range(max(lengths)))

    def _opened(self, trace: Trace) -> _Request:
        session = self._drafter.open()
        session.extend(trace.prompt)
        session.extend(trace.output[:1])
        first, remaining = trace.output[:1].tolist(), trace.output.size - 1
        return _Request(session, first, remaining, output=trace.output, context=trace.prompt.size + 1)

    def _decoded(self, rows: list[_Request]) -> float:
        target = _Target(self._machine, self._noise)
        while live := [row for row in rows if not row.ended]:
            step(target, live, self._budget, self._costs, lambda: target.now)
        return target.spent


def main() -> None:
    """Simulate, then print."""
    command_line = parser(__doc__)
    command_line.add_argument("--records", type=int, default=24, help="requests of each segment (default: 24)")
    command_line.add_argument("--max-new", type=int, default=128, help="tokens after which outputs are cut")
    command_line.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16], help="rows of a batch")
    arguments = command_line.parse_args()
    paths = trace_paths(command_line, arguments.traces)
    tokenizer = load_tokenizer(arguments.tokenizer)
    by_segment: dict[str, list[Trace]] = defaultdict(list)
    for trace in (trace for path in paths for trace in read_traces(path, tokenizer)):
        chosen = by_segment[trace.segment or ""]
        if (
            len(chosen) < arguments.records
            and trace.output.size > 1
            and trace.prompt.size
            and not trace.degenerate_loop
        ):
            chosen.append(replace(trace, prompt=trace.prompt[-MAX_PROMPT:], output=trace.output[: arguments.max_new]))
    cells = [(machine, batch) for machine in MACHINES for batch in arguments.batches]
    rows = []
    for machine, batch in track(cells, "Simulating", console=Console(stderr=True), transient=True):
        service = Simulation(machine)
        for name in ("first", "second"):
            speedups = {segment: service.speedup(_batches(traces, batch)) for segment, traces in by_segment.items()}
            rows.append({"machine": machine.name, "batch": batch, "round": name, "speedups": speedups})
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)


def _batches(traces: Sequence[Trace], batch: int) -> list[list[Trace]]:
    """As many as hold all of them; the last one is filled up with the first ones."""
    return [[traces[(start + row) % len(traces)] for row in range(batch)] for start in range(0, len(traces), batch)]


def _print(rows: Iterable[dict[str, object]]) -> None:
    table = Table("machine", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("batch", "round", "geometric mean", "slowest segments"):
        table.add_column(column, justify="left" if column == "slowest segments" else "right")
    for row in rows:
        speedups = row["speedups"]
        assert isinstance(speedups, dict)
        slowest = sorted(speedups, key=speedups.__getitem__)[:3]
        table.add_row(
            *(str(row[key]) for key in ("machine", "batch", "round")),
            f"{geometric_mean(speedups.values()):.3f}x",
            ", ".join(f"{name} {speedups[name]:.3f}x" for name in slowest),
        )
    wide_console().print(table)


if __name__ == "__main__":
    main()
