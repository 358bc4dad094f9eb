"""Does it pay with a real network? Plain decoding, transformers' prompt lookup and ngramspec on recorded traffic.

    python -m benchmarks.end_to_end [TRACES...] [--records 2] [--batches 1 4 16] [--dtype bfloat16] [--whole]

The model has the shape of SmolLM-135M and random weights, and emits what was recorded (`ngramspec.testing`), so all
ways must emit the same text; that is asserted. Each batch of requests is decoded in all ways in turn, several times,
in one process. A segment's time in a round is the sum over its batches, and a speed-up is the ratio of medians over
the rounds.

Reading a prompt takes the same time in all ways, so it is not timed. A single request gets a cache with its prompt. A
batch reads its prompts in the first pass of the call, and is timed from there on: a given cache would have to be kept
for all rows to the end. With --whole every call is timed completely.
"""

import copy
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, geometric_mean, median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from transformers import DynamicCache

from benchmarks.console import wide_console
from benchmarks.recorded import EOS, SHAPES, first_requests, replay_model
from benchmarks.traces import parser, trace_paths
from ngramspec import Speculator
from ngramspec.hf.seam import CACHE
from ngramspec.replay import Trace
from ngramspec.testing.forwards import Clock, timed_forwards

WAYS = ("plain", "ngramspec", "transformers")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Run:
    """`generate()` calls: seconds, tokens and target passes of all rows."""

    seconds: float
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

    def __init__(self, traces: Sequence[Trace], shape: str, dtype: str, clock: Clock, *, whole: bool) -> None:
        self.model = replay_model(traces, shape).to(getattr(torch, dtype))
        self._clock = clock
        self._reads_prompts = whole
        # One for all runs, as in a service, so that costs of passes are learnt once. No segment is named, or a text
        # that is decoded a second time would be copied from the first.
        self._spec = Speculator()

    def rounds(self, requests: Sequence[int], num_rounds: int) -> list[dict[str, Run]]:
        """Decode the requests as one batch in all ways, in turn."""
        inputs = self.model.inputs(requests)
        is_alone = len(requests) == 1
        read = None if self._reads_prompts or not is_alone else self._read(inputs)
        ways = WAYS if is_alone else WAYS[:2]  # transformers' prompt lookup takes no batch
        return [{way: self._run(way, requests, inputs, read) for way in ways} for _ in range(num_rounds)]

    @torch.no_grad()
    def _read(self, inputs: dict[str, Tensor]) -> DynamicCache:
        """A cache of all but the last token of the prompts."""
        cache = DynamicCache()
        read = {name: tensor[:, :-1] for name, tensor in inputs.items()}
        self.model(**read, **{CACHE: cache}, logits_to_keep=1)
        return cache

    def _run(self, way: str, requests: Sequence[int], inputs: dict[str, Tensor], read: DynamicCache | None) -> Run:
        """Decode the requests as one batch; asserts that the recorded texts are emitted."""
        spec, passes_before = self._spec, self._spec.stats.total.target_passes
        settings: dict[str, dict[str, Any]] = {
            "plain": {},
            "ngramspec": {"custom_generate": spec},
            "transformers": {"prompt_lookup_num_tokens": 10},
        }
        expected = [[*self.model.traces[request].output.tolist(), EOS] for request in requests]
        settings[way] |= {} if read is None else {CACHE: copy.deepcopy(read)}
        with timed_forwards(self.model, self._clock) as forwards:
            start = self._clock()
            output = self.model.generate(**inputs, max_new_tokens=max(map(len, expected)), **settings[way])
            end = self._clock()
        emitted = output[:, inputs["input_ids"].shape[1] :].tolist()
        assert expected == [row[: len(text)] for row, text in zip(emitted, expected, strict=True)], f"{way} differs"
        tokens = sum(map(len, expected))
        # A pass over three live rows counts as three, so that tokens per pass means the same in a batch as alone.
        passes = {
            "plain": tokens,
            "ngramspec": spec.stats.total.target_passes - passes_before,
            "transformers": len(forwards.ends),
        }
        is_after_prompts = len(requests) > 1 and not self._reads_prompts
        return Run(end - (forwards.ends[0] if is_after_prompts else start), tokens, passes[way])


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
    arguments.segments = list(dict.fromkeys(trace.segment for trace in traces))
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    bench = Bench(traces, arguments.shape, arguments.dtype, clock, whole=arguments.whole)
    bench.rounds([0], 2)  # warms up
    runs: dict[Case, list[list[Run]]] = defaultdict(list)
    jobs = list(_jobs(traces, arguments.segments, arguments.batches))
    for segment, requests in track(jobs, "Decoding", console=Console(stderr=True), transient=True):
        rounds = bench.rounds(requests, arguments.rounds)
        for way in rounds[0]:
            for name in (segment, ALL):
                runs[Case(name, len(requests), way)].append([done[way] for done in rounds])
    rows = [_row(runs, segment, batch) for batch in arguments.batches for segment in (*arguments.segments, ALL)]
    rows += [_means(rows, batch) for batch in arguments.batches]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows, traces, arguments)


def _arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--segments", nargs="+", help="default: all that have a request that fits")
    made.add_argument("--records", type=int, default=4, help="requests per segment")
    made.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16], help="rows of a batch")
    made.add_argument("--max-prompt", type=int, default=768, help="longest prompt, in tokens")
    made.add_argument("--max-new", type=int, default=96, help="tokens after which outputs are cut")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    made.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    made.add_argument("--shape", choices=SHAPES, default="135m")
    made.add_argument("--whole", action="store_true", help="every call reads its prompt itself")
    made.add_argument("--cpu-time", action="store_true", help="CPU time: on a busy machine, a wall clock times others")
    arguments = made.parse_args()
    arguments.traces = trace_paths(made, arguments.traces)
    return arguments


def _jobs(
    traces: list[Trace], segments: Sequence[str], batches: Sequence[int]
) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Batches of one segment each; with fewer requests than rows, some come twice."""
    for batch, segment in itertools.product(batches, segments):
        requests = [index for index, trace in enumerate(traces) if trace.segment == segment]
        size = -(-len(requests) // batch) * batch
        filled = [requests[index % len(requests)] for index in range(size)]
        yield from ((segment, tuple(filled[start : start + batch])) for start in range(0, size, batch))


def _sum(runs: Sequence[Run]) -> Run:
    return Run(
        seconds=sum(run.seconds for run in runs),
        tokens=sum(run.tokens for run in runs),
        passes=sum(run.passes for run in runs),
    )


def _row(runs: dict[Case, list[list[Run]]], segment: str, batch: int) -> dict[str, Any]:
    """The table's row for a segment; a speed-up is the ratio of medians over the rounds."""
    by_way = {
        way: [_sum(jobs) for jobs in zip(*runs[Case(segment, batch, way)], strict=True)]
        for way in WAYS
        if Case(segment, batch, way) in runs
    }
    seconds = {way: median(run.seconds for run in rounds) for way, rounds in by_way.items()}
    row: dict[str, Any] = {"segment": segment, "batch": batch}
    row["plain_ms_per_token"] = seconds["plain"] / by_way["plain"][0].tokens * 1e3
    for way in WAYS[1:]:
        if way in by_way:
            # Drafts depend on the costs of passes so far, so rounds differ.
            tokens_per_pass = fmean(run.tokens / run.passes for run in by_way[way])
            row[way] = {"tokens_per_pass": tokens_per_pass, "speedup": seconds["plain"] / seconds[way]}
    return row


def _means(rows: Sequence[dict[str, Any]], batch: int) -> dict[str, Any]:
    """The geometric means over the segments."""
    segments = [row for row in rows if row["batch"] == batch and row["segment"] != ALL]
    made: dict[str, Any] = {"segment": "geometric mean", "batch": batch}
    made["plain_ms_per_token"] = geometric_mean(row["plain_ms_per_token"] for row in segments)
    for way in WAYS[1:]:
        if way in segments[0]:
            made[way] = {key: geometric_mean(row[way][key] for row in segments) for key in segments[0][way]}
    return made


def _print(rows: list[dict[str, Any]], traces: list[Trace], arguments: Any) -> None:
    console = wide_console()
    clock = "CPU time" if arguments.cpu_time else "wall time"
    calls = "whole calls" if arguments.whole else "decoding after the prompt"
    console.print(
        f"{len(traces)} requests, prompts of {fmean(trace.prompt.size for trace in traces):.0f} tokens and outputs of"
        f" {fmean(trace.output.size for trace in traces):.0f} on average; {arguments.shape}, {arguments.dtype},"
        f" {arguments.threads} thread(s), {clock} of {calls}. All texts were the recorded ones. Speed-ups over plain"
        f" decoding, ratios of medians of {arguments.rounds} rounds."
    )
    table = Table("segment", box=SIMPLE_HEAD, pad_edge=False)
    columns = ["batch", "plain, ms\nper token"]
    for name in ("ngramspec", "prompt lookup"):
        columns += [f"{name}\ntokens per pass", "\nspeed-up"]
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


def _cells(figures: dict[str, float] | None) -> tuple[str, str]:
    if figures is None:
        return "-", "-"
    return f"{figures['tokens_per_pass']:.2f}", f"{figures['speedup']:.2f}x"


if __name__ == "__main__":
    main()
