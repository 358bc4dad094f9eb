"""How much host time do steering and masks take by themselves?

    python -m benchmarks.steering [TRACES...] [--requests 40] [--repeats 5]

Steering: recorded function calls and SQL are replayed once, and all questions of the drafter to its steering are
recorded: what is foreseen, whether a token may come, what is forced. Then the steering of fresh rows answers the same
questions, without drafter or model. Times are the thread's, the minimum of the repeats for each request: per draft, per
position of a draft, and in total per emitted token, including the advance of the matchers and the steering's commit.

Masks: 32 rows with drafts of 10 tokens, filled on other threads, as in a pass: the time until all are filled, and the
wait for them after a forward pass of 7 ms on a device, for which the thread sleeps.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import NO_DRAFT, AdaptiveLookup, Draft, Steering, TokenArray
from ngramspec.guards import Matcher
from ngramspec.hf.choice import masks
from ngramspec.hf.choice.masks import MaskThreads, RowMasks
from ngramspec.replay import Trace, load_tokenizer, replay
from training.guarded import function_calls, statements

ROWS, DRAFTED, PASS_SECONDS = 32, 10, 0.007


@dataclass(slots=True)
class Drafting:
    """One draft: the questions, each a name and its arguments, and the tokens committed after it."""

    max_tokens: int
    min_survival: float
    asked: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    committed: TokenArray = field(default_factory=lambda: NO_DRAFT)


class _Noting:
    """A steering that records its questions."""

    def __init__(self, steering: Steering, drafting: Drafting) -> None:
        self._steering, self._asked = steering, drafting.asked

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: int) -> Any:
            self._asked.append((name, arguments))
            return getattr(self._steering, name)(*arguments)

        return ask


class _Noted:
    """A session whose steering is recorded; without one, it repeats the recorded questions."""

    def __init__(self, drafting: Drafting, session: Any = None) -> None:
        self._drafting, self._session = drafting, session

    def steer(self, max_tokens: int, min_survival: float, steering: Any) -> Draft:
        if self._session is not None:
            draft: Draft = self._session.steer(max_tokens, min_survival, _Noting(steering, self._drafting))
            return draft
        ask = {"foreseen": steering.foreseen, "push": steering.push, "forced": steering.forced}
        for name, arguments in self._drafting.asked:
            ask[name](*arguments)
        return Draft(NO_DRAFT)


class _NotingRow(RowSteering):
    """The steering of a row, which records its drafts."""

    def __init__(self, matchers: Sequence[Matcher], texts: Sequence[TokenArray], rows: list[list[Drafting]]) -> None:
        super().__init__(matchers, texts)
        self._drafts: list[Drafting] = []
        rows.append(self._drafts)

    def draft(self, session: Any, matchers: Sequence[Matcher], max_tokens: int, min_survival: float) -> Draft:
        self._drafts.append(Drafting(max_tokens, min_survival))
        return super().draft(_Noted(self._drafts[-1], session), matchers, max_tokens, min_survival)  # type: ignore[arg-type]

    def commit(self, tokens: TokenArray) -> None:
        super().commit(tokens)
        if self._drafts:
            self._drafts[-1].committed = tokens


def main() -> None:
    """Print the tables."""
    made = parser(__doc__)
    made.add_argument("--requests", type=int, default=40, help="of each kind")
    made.add_argument("--repeats", type=int, default=5)
    arguments = made.parse_args()
    vocabulary = load_tokenizer(arguments.tokenizer).vocabulary
    paths = trace_paths(made, arguments.traces)
    kinds = {"function calls": function_calls(paths, vocabulary).traces}
    kinds |= {name: found.traces for name, found in statements(paths, vocabulary).items()}
    used = {name: [*_some(traces, arguments.requests)] for name, traces in kinds.items() if traces}
    figures = {
        "steering": {name: steering(traces, vocabulary.tokens, arguments.repeats) for name, traces in used.items()},
        "masks": {name: filling(traces, arguments.repeats) for name, traces in used.items()},
    }
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)


def _some(traces: Sequence[Trace], most: int) -> Iterator[Trace]:
    fitting = [trace for trace in traces if trace.output.size > DRAFTED + 1 and not trace.degenerate_loop]
    yield from fitting[:: max(1, len(fitting) // most)][:most]


def steering(traces: Sequence[Trace], tokens: Sequence[bytes], repeats: int) -> dict[str, float]:
    """Microseconds of steering, by what they are for."""
    rows: list[list[Drafting]] = []
    drafter = AdaptiveLookup(vocabulary=tokens)
    steer = lambda matchers, texts: _NotingRow(matchers, texts, rows)  # noqa: E731
    replay(traces, drafter, budget=AdaptiveBudget(), costs=fitted("h100-8b"), steer=steer)
    played = zip(traces, rows, strict=True)
    times = [min((_played(trace, row) for _ in range(repeats)), key=sum) for trace, row in played]
    drafting, advancing, committing = (sum(found) * 1e6 for found in zip(*times, strict=True))
    drafts = [drafting for row in rows for drafting in row]
    num_positions = sum(name == "foreseen" for each in drafts for name, _ in each.asked)
    num_tokens = sum(each.committed.size for each in drafts)
    return {
        "drafts": len(drafts),
        "positions": num_positions / len(drafts),
        "tokens_per_pass": num_tokens / len(drafts),
        "us_per_draft": drafting / len(drafts),
        "us_per_position": drafting / num_positions,
        "us_per_pass": (drafting + advancing + committing) / len(drafts),
        "us_per_token": (drafting + advancing + committing) / num_tokens,
    }


def _played(trace: Trace, row: Sequence[Drafting]) -> tuple[float, float, float]:
    """Seconds of drafts, of advancing the matcher, and of the steering's commits."""
    assert trace.guard is not None
    clock, matcher = time.thread_time, trace.guard.matcher()
    steered = RowSteering([matcher], [trace.prompt])
    matcher.advance(trace.output[:1])
    steered.commit(trace.output[:1])
    drafting = advancing = committing = 0.0
    for each in row:
        start = clock()
        steered.draft(_Noted(each), [matcher], each.max_tokens, each.min_survival)  # type: ignore[arg-type]
        drafted = clock()
        matcher.advance(each.committed)
        advanced = clock()
        steered.commit(each.committed)
        drafting, advancing, committing = (
            drafting + drafted - start,
            advancing + advanced - drafted,
            committing + clock() - advanced,
        )
    return drafting, advancing, committing


def filling(traces: Sequence[Trace], repeats: int) -> dict[str, float]:
    """Milliseconds to fill the masks of ROWS rows, the minimum of the repeats."""
    chance, rows = Random(0), []
    for index in range(ROWS):
        trace = traces[index % len(traces)]
        assert trace.guard is not None
        start, matcher = chance.randrange(1, trace.output.size - DRAFTED), trace.guard.matcher()
        matcher.advance(trace.output[:start])
        rows.append((RowMasks([matcher]), trace.output[start : start + DRAFTED].tolist()))
    walls, cpu, waits = [], [], []
    with MaskThreads() as threads:
        for _ in range(repeats):
            start_wall, start_cpu = time.perf_counter(), time.process_time()
            masks.begin(rows, threads)
            _wait(rows)
            walls.append(time.perf_counter() - start_wall)
            cpu.append(time.process_time() - start_cpu)
            masks.begin(rows, threads)
            time.sleep(PASS_SECONDS)
            start_wall = time.perf_counter()
            _wait(rows)
            waits.append(time.perf_counter() - start_wall)
    return {"ms": min(walls) * 1e3, "cpu_ms": min(cpu) * 1e3, "ms_after_a_pass": min(waits) * 1e3}


def _wait(rows: Sequence[tuple[RowMasks, TokenArray]]) -> None:
    for own, _ in rows:
        own.num_legal(DRAFTED)


def _print(figures: dict[str, dict[str, Any]]) -> None:
    names = ("drafts", "positions", "tokens_per_pass", "us_per_draft", "us_per_position", "us_per_pass", "us_per_token")
    table = Table("steering", *(name.replace("us_", "µs ").replace("_", " ") for name in names), box=SIMPLE_HEAD)
    for kind, found in figures["steering"].items():
        table.add_row(kind, *(f"{found[name]:.1f}" for name in names))
    console = wide_console()
    console.print(table)
    for kind, found in figures["masks"].items():
        console.print(
            f"masks of {ROWS} rows of {DRAFTED + 1} positions, {kind}: {found['ms']:.1f} ms, {found['cpu_ms']:.1f} of"
            f" CPU; waited for after a pass of {PASS_SECONDS * 1e3:.0f} ms: {found['ms_after_a_pass']:.1f} ms"
        )


if __name__ == "__main__":
    main()
