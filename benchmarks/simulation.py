"""Is the budget ever slower than plain decoding? Recorded requests in batches, on machines whose prices are given.

    python -m benchmarks.simulation [TRACES...] [--records 24] [--max-new 128] [--batches 1 4 16] [--guarded]
        [--machines H100 …] [--json]

The loop, the drafter, the budget and the measurement of costs are the real ones; the clock is not. It advances by the
cost of a pass on the machine, times a disturbance: 7 % on most passes, threefold on one in fifty; and by the cost of
drafting on the machine's host. So what is learnt about costs, and what learning it costs, shows in minutes for all
kinds of traffic, and is the same every time. Speed-ups are ratios of undisturbed costs. A first round begins with
nothing measured; the second one continues from it. For comparison, a budget that ignores costs: every row is drafted
for, and steered if it can be, and each token with a survival of 0.3 is verified, at most sixteen.

With --guarded the requests are function calls, each under the schema of the tools that its prompt names.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Sequence as Rows
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import (
    AdaptiveBudget,
    Budget,
    Choices,
    Costs,
    FixedBudget,
    MeasuredCosts,
    Plan,
    Reading,
    Row,
    Shape,
    Target,
    step,
)
from ngramspec.decoding.budget import Terms, usual_terms
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import AdaptiveLookup, Draft, DraftSession, TokenArray
from ngramspec.drafting.types import SteerableSession, Steering
from ngramspec.replay import GuardedRow, ReplayTarget, Trace, load_tokenizer, read_traces
from ngramspec.stats import Counters
from training.guarded import function_calls

MAX_PROMPT = 2048


@dataclass(frozen=True, slots=True)
class Host:
    """Microseconds of drafting, for a row and for each drafted token: blindly, and steered."""

    blind: tuple[float, float]
    steered: tuple[float, float]


FREE = Host((0, 0), (0, 0))


@dataclass(frozen=True, slots=True)
class Machine:
    """rows: milliseconds of a plain pass by rows. columns: by rows, the cost of a pass in plain passes by columns.
    Between these, costs are interpolated linearly; rows take the curve of the nearest ones.

    is_packed: rows are not padded, and a pass costs as much as one whose rows have the average number of tokens. host:
    drafts.
    """

    name: str
    rows: dict[int, float]
    columns: dict[int, dict[int, float]]
    is_packed: bool = False
    host: Host = FREE

    def seconds(self, rows: int, columns: float) -> float:
        """The cost of a pass."""
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

# An 8 B model on an H100, by the fit of `ngramspec.decoding.FITS`: 7.09 ms, and 21.01 µs for each token.
_ROWS = {rows: 7.09 + 0.02101 * rows for rows in (1, 8, 32, 128)}
_COLUMNS = {rows: {1: 1.0, 97: (7.09 + 0.02101 * 97 * rows) / plain} for rows, plain in _ROWS.items()}

SLOW, QUICK = Host((50, 2), (700, 20)), Host((4, 0.4), (60, 4))
"""Drafting in plain Python; and compiled, with foresight that remembers."""

SERVERS = tuple(
    Machine(f"H100, {layout}, {drafting} drafting", _ROWS, _COLUMNS, layout == "packed", host)
    for layout in ("padded", "packed")
    for drafting, host in (("slow", SLOW), ("quick", QUICK))
)


class Threshold(FixedBudget):
    """Accepts every token that is sure enough, whatever it costs."""

    def __init__(self) -> None:
        super().__init__(16)

    def terms(self, rows: Rows[Row], shape: Shape, costs: Costs) -> Terms:
        """Return that all rows are drafted for in the usual way, up to a survival of 0.3."""
        return usual_terms(rows, 0.3)


BUDGETS: dict[str, type[Budget]] = {"adaptive": AdaptiveBudget, "threshold": Threshold}


@dataclass(slots=True)
class _Clock:
    """spent: seconds without disturbances. now: with them."""

    spent: float = 0.0
    now: float = 0.0

    def advance(self, seconds: float, disturbance: float = 1.0) -> None:
        self.spent += seconds
        self.now += seconds * disturbance


class _Session:
    """A session whose drafts take time on the host."""

    def __init__(self, session: SteerableSession, host: Host, clock: _Clock) -> None:
        self._session, self._host, self._clock = session, host, clock
        self.extend, self.observe, self.close = session.extend, session.observe, session.close

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return self._timed(self._session.propose(max_tokens, min_survival), self._host.blind)

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        return self._timed(self._session.steer(max_tokens, min_survival, steering), self._host.steered)

    def _timed(self, draft: Draft, microseconds: tuple[float, float]) -> Draft:
        of_row, of_token = microseconds
        self._clock.advance((of_row + of_token * draft.tokens.size) * 1e-6)
        return draft


@dataclass(slots=True, kw_only=True, eq=False)
class _Request(GuardedRow):
    output: TokenArray
    context: int


class _Target(Target):
    """A machine that emits the recorded text."""

    def __init__(self, machine: Machine, noise: random.Random, clock: _Clock) -> None:
        self._machine, self._noise, self._clock = machine, noise, clock

    def shape(self, rows: Rows[Row]) -> Shape:
        longest = max(row.context + len(row.emitted) for row in rows if isinstance(row, _Request))
        return Shape(len(rows), 1, len(rows), longest)

    def read(self, plans: Rows[Plan]) -> Reading:
        sizes = [plan.draft.tokens.size for plan in plans]
        drafted = sum(sizes) / len(sizes) if self._machine.is_packed else max(sizes)
        disturbance = self._noise.lognormvariate(0, 0.07) * (3 if self._noise.random() < 0.02 else 1)
        self._clock.advance(self._machine.seconds(len(plans), 1 + drafted), disturbance)
        plain = self.shape([plan.row for plan in plans])
        shape = plain._replace(columns=1 + max(sizes), tokens=len(plans) + sum(sizes))
        return Reading(shape, [choices for plan in plans for choices in self._recorded(plan)])

    @staticmethod
    def _recorded(plan: Plan) -> Rows[Choices]:
        assert isinstance(plan.row, _Request)
        return ReplayTarget(plan.row.output).read([plan]).choices


class Simulation:
    """A service on a machine: one drafter, one budget, and measured costs.

    counters: of all served requests.
    """

    def __init__(self, machine: Machine, seed: int = 0, budget: Budget | None = None) -> None:
        self.counters = Counters()
        self._machine = machine
        self._drafter, self._budget = AdaptiveLookup(), budget or AdaptiveBudget()
        self._costs = MeasuredCosts(counts_fill=not machine.is_packed)
        self._noise, self._clock = random.Random(seed), _Clock()

    def speedup(self, batches: Iterable[Sequence[Trace]]) -> float:
        """Plain decoding's seconds over ours, for these batches."""
        plain, start = 0.0, self._clock.spent
        for batch in batches:
            plain += self._plain([trace.output.size - 1 for trace in batch])
            self._decode([self._opened(trace) for trace in batch])
        return plain / (self._clock.spent - start)

    def _plain(self, lengths: list[int]) -> float:
        return sum(self._machine.seconds(sum(length > done for length in lengths), 1) for done in range(max(lengths)))

    def _opened(self, trace: Trace) -> _Request:
        session: DraftSession = _Session(self._drafter.open(), self._machine.host, self._clock)
        session.extend(trace.prompt)
        session.extend(trace.output[:1])
        first, remaining = trace.output[:1].tolist(), trace.output.size - 1
        row = _Request(session, first, remaining, output=trace.output, context=trace.prompt.size + 1)
        if trace.guard is not None:
            matcher = trace.guard.matcher()
            row.guarded_by, row.steering = (matcher,), RowSteering([matcher], [trace.prompt])
            matcher.advance(first)
            row.steering.commit(trace.output[:1])
        return row

    def _decode(self, rows: list[_Request]) -> None:
        target = _Target(self._machine, self._noise, self._clock)
        while live := [row for row in rows if not row.ended]:
            step(target, live, self._budget, self._costs, lambda: self._clock.now)
        for row in rows:
            self.counters.add(row.counters)


def main() -> None:
    """Simulate, then print."""
    command_line = parser(__doc__)
    command_line.add_argument("--records", type=int, default=24, help="requests of each segment (default: 24)")
    command_line.add_argument("--max-new", type=int, default=128, help="tokens after which outputs are cut")
    command_line.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16], help="rows of a batch")
    command_line.add_argument("--guarded", action="store_true", help="function calls under their schemas")
    command_line.add_argument("--machines", nargs="+", default=[""], help="beginnings of names (default: all)")
    arguments = command_line.parse_args()
    paths = trace_paths(command_line, arguments.traces)
    by_segment: dict[str, list[Trace]] = defaultdict(list)
    for trace in _read(paths, arguments.tokenizer, is_guarded=arguments.guarded):
        chosen = by_segment[trace.segment or ""]
        if (
            len(chosen) < arguments.records
            and trace.output.size > 1
            and trace.prompt.size
            and not trace.degenerate_loop
        ):
            chosen.append(replace(trace, prompt=trace.prompt[-MAX_PROMPT:], output=trace.output[: arguments.max_new]))
    machines = [each for each in (*MACHINES, *SERVERS) if each.name.startswith(tuple(arguments.machines))]
    cells = [(machine, batch) for machine in machines for batch in arguments.batches]
    rows: list[dict[str, Any]] = []
    for machine, batch in track(cells, "Simulating", console=Console(stderr=True), transient=True):
        for budget, make in BUDGETS.items():
            service = Simulation(machine, budget=make())
            for name in ("first", "second"):
                service.counters = Counters()
                speedups = {segment: service.speedup(_batches(traces, batch)) for segment, traces in by_segment.items()}
                row = {"machine": machine.name, "batch": batch, "budget": budget, "round": name, "speedups": speedups}
                rows.append(row | {"tokens_per_pass": service.counters.tokens_per_pass})
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)


def _read(paths: Sequence[Path], tokenizer_name: str, *, is_guarded: bool) -> Iterable[Trace]:
    tokenizer = load_tokenizer(tokenizer_name)
    if is_guarded:
        return function_calls(paths, tokenizer.vocabulary).traces
    return (trace for path in paths for trace in read_traces(path, tokenizer))


def _batches(traces: Sequence[Trace], batch: int) -> list[list[Trace]]:
    """Batches of all traces; the last one is filled up with the first traces."""
    return [[traces[(start + row) % len(traces)] for row in range(batch)] for start in range(0, len(traces), batch)]


def _print(rows: Iterable[dict[str, Any]]) -> None:
    table = Table("machine", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("batch", "budget", "round", "tokens per pass", "geometric mean", "slowest segments"):
        table.add_column(column, justify="left" if column in ("budget", "slowest segments") else "right")
    for row in rows:
        speedups = row["speedups"]
        slowest = sorted(speedups, key=speedups.__getitem__)[:3]
        table.add_row(
            *(str(row[key]) for key in ("machine", "batch", "budget", "round")),
            f"{row['tokens_per_pass']:.2f}",
            f"{geometric_mean(speedups.values()):.3f}x",
            ", ".join(f"{name} {speedups[name]:.3f}x" for name in slowest),
        )
    wide_console().print(table)


if __name__ == "__main__":
    main()
