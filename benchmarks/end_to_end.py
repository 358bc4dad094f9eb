"""Does it pay where the network is real? Plain decoding, transformers' prompt lookup and ngramspec on recorded traffic.

    python -m benchmarks.end_to_end [TRACES...] [--records 2] [--batches 1 4 16] [--dtype bfloat16] [--whole]

The model has the shape of SmolLM-135M and random weights, and says what was recorded (`ngramspec.testing`), so all ways
must emit the same text; that is asserted. Each batch of requests is decoded by all ways in turn, several times over,
in one process; a segment's time in a round is the sum over its batches, and a speed-up is the ratio of medians over the
rounds.

Prompts are read once, for all ways and rounds, and their cache handed to `generate()`: that takes the same time however
one decodes. With --whole every call reads its prompt itself, and is timed as a whole.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.forwards import Clock, timed_forwards
from benchmarks.recorded import EOS, SHAPES, first_requests, replay_model
from benchmarks.traces import parser, trace_paths
from ngramspec import Speculator
from ngramspec.replay import Trace

SEGMENTS = ("code_edit_fullfile", "json_call", "agent_sql", "summarize", "rag", "chat")
WAYS = ("plain", "ngramspec", "transformers")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Run:
    """`generate()` calls: seconds from the start and from the end of prefill; tokens and target passes of all rows."""

    whole: float
    decode: float
    tokens: int
    passes: int


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """What is timed."""

    segment: str
    batch: int
    way: str


class Bench:
    """One model, timed in several ways."""

    def __init__(self, traces: Sequence[Trace], shape: str, dtype: str, clock: Clock) -> None:
        self.model = replay_model(traces, shape).to(getattr(torch, dtype))
        self._clock = clock
        # One for all runs, as in a service: what passes cost is learnt once. No segment is named, or else a text that
        # is decoded a second time would be copied from the first.
        self._spec = Speculator()

    def run(self, way: str, requests: Sequence[int]) -> Run:
        """Decode the requests as one batch; asserts that the recorded texts come out."""
        inputs = self.model.inputs(requests)
        spec, passes_before = self._spec, self._spec.stats.total.target_passes
        settings: dict[str, dict[str, Any]] = {
            "plain": {},
            "ngramspec": {"custom_generate": spec},
            "transformers": {"prompt_lookup_num_tokens": 10},
        }
        expected = [[*self.model.traces[request].output.tolist(), EOS] for request in requests]
        with timed_forwards(self.model, self._clock) as forwards:
            start = self._clock()
            output = self.model.generate(**inputs, max_new_tokens=max(map(len, expected)), **settings[way])
            end = self._clock()
        emitted = output[:, inputs["input_ids"].shape[1] :].tolist()
        assert expected == [row[: len(text)] for row, text in zip(emitted, expected, strict=True)], f"{way} differs"
        tokens = sum(map(len, expected))
        # A pass over three live rows counts three: tokens per pass then means the same in a batch as alone.
        passes = {
            "plain": tokens,
            "ngramspec": spec.stats.total.target_passes - passes_before,
            "transformers": len(forwards.ends),
        }
        return Run(end - start, end - forwards.ends[0], tokens, passes[way])

    def run_round(self, jobs: Iterable[tuple[str, tuple[int, ...]]]) -> dict[Case, Run]:
        """All ways in turn on each job, a segment and the requests of a batch; sums by segment, and over all."""
        runs: dict[Case, list[Run]] = defaultdict(list)
        for segment, requests in jobs:
            batch = len(requests)
            for way in WAYS if batch == 1 else WAYS[:2]:  # transformers' prompt lookup takes no batch
                run = self.run(way, requests)
                runs[Case(segment, batch, way)].append(run)
                runs[Case(ALL, batch, way)].append(run)
        return {case: _sum(parts) for case, parts in runs.items()}


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    traces = first_requests(
        arguments.traces,
        arguments.tokenizer,
        arguments.segments,
        limit=arguments.records,
        max_prompt=arguments.max_prompt,
        max_new=arguments.max_new,
    )
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    bench = Bench(traces, arguments.shape, arguments.dtype, clock)
    jobs = list(_jobs(traces, arguments.segments, arguments.batch))
    for way in WAYS:
        bench.run(way, [0])  # warms up
    turns = track(range(arguments.rounds), "Rounds", console=Console(stderr=True), transient=True)
    rounds = [bench.run_round(jobs) for _ in turns]
    rows = [
        _row(rounds, segment, batch)
        for batch in dict.fromkeys((1, arguments.batch))
        for segment in (*arguments.segments, ALL)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows, traces, arguments)


def _arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--segments", nargs="+", default=SEGMENTS, help=f"default: {' '.join(SEGMENTS)}")
    made.add_argument("--records", type=int, default=4, help="requests per segment")
    made.add_argument("--batch", type=int, default=4, help="rows of the batches that are timed beside single requests")
    made.add_argument("--max-prompt", type=int, default=768, help="longest prompt, in tokens")
    made.add_argument("--max-new", type=int, default=96, help="tokens after which outputs are cut")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    made.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    made.add_argument("--shape", choices=SHAPES, default="135m")
    made.add_argument("--cpu-time", action="store_true", help="CPU time: on a busy machine, a wall clock times others")
    arguments = made.parse_args()
    arguments.traces = trace_paths(made, arguments.traces)
    return arguments


def _jobs(traces: list[Trace], segments: Sequence[str], batch: int) -> Iterable[tuple[str, tuple[int, ...]]]:
    for segment in segments:
        requests = [index for index, trace in enumerate(traces) if trace.segment == segment]
        yield from ((segment, (request,)) for request in requests)
        if batch > 1:  # a segment with fewer requests than rows has some of them twice
            yield segment, tuple(requests[row % len(requests)] for row in range(batch))


def _sum(runs: Sequence[Run]) -> Run:
    return Run(
        whole=sum(run.whole for run in runs),
        decode=sum(run.decode for run in runs),
        tokens=sum(run.tokens for run in runs),
        passes=sum(run.passes for run in runs),
    )


def _row(rounds: Sequence[dict[Case, Run]], segment: str, batch: int) -> dict[str, Any]:
    """What the table says of a segment: a speed-up is the ratio of medians over the rounds."""
    plain = [done[Case(segment, batch, "plain")] for done in rounds]
    decode, whole = median(run.decode for run in plain), median(run.whole for run in plain)
    row: dict[str, Any] = {"segment": segment, "batch": batch, "plain_ms_per_token": decode / plain[0].tokens * 1e3}
    for way in WAYS[1:]:
        case = Case(segment, batch, way)
        timed = [done[case] for done in rounds if case in done]
        if timed:
            row[way] = {
                "tokens_per_pass": timed[0].tokens / timed[0].passes,
                "decode": decode / median(run.decode for run in timed),
                "whole": whole / median(run.whole for run in timed),
            }
    return row


def _print(rows: list[dict[str, Any]], traces: list[Trace], arguments: Any) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 150
    clock = "CPU time" if arguments.cpu_time else "wall time"
    console.print(
        f"{len(traces)} requests, prompts of {fmean(trace.prompt.size for trace in traces):.0f} tokens and outputs of"
        f" {fmean(trace.output.size for trace in traces):.0f} on average; {arguments.shape}, {arguments.dtype},"
        f" {arguments.threads} thread(s), {clock}. All texts were the recorded ones. Speed-ups over plain decoding,"
        f" ratios of medians of {arguments.rounds} rounds."
    )
    table = Table("segment", box=SIMPLE_HEAD, pad_edge=False)
    columns = ["batch", "plain, ms\nper token"]
    for name in ("ngramspec", "prompt lookup"):
        columns += [f"{name}\ntokens per pass", "\ndecode", "\nwhole"]
    for title in columns:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            row["segment"],
            str(row["batch"]),
            f"{row['plain_ms_per_token']:.1f}",
            *(cell for way in WAYS[1:] for cell in _cells(row.get(way))),
        )
    console.print(table)


def _cells(figures: dict[str, float] | None) -> tuple[str, str, str]:
    if figures is None:
        return "-", "-", "-"
    return f"{figures['tokens_per_pass']:.2f}", f"{figures['decode']:.2f}x", f"{figures['whole']:.2f}x"


if __name__ == "__main__":
    main()
