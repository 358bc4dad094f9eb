"""Does it pay on a real model with default settings? Plain decoding, transformers' lookup, a suffix tree, ngramspec.

    python -m benchmarks.real [--model smollm2] [--kinds summary chat] [--dtypes float32] [--batches 1] [--rounds 3]

The prompts are in `real_prompts.toml`: five a kind, under the model's chat template, or before "Answer:". Answers are
greedy and end where the model ends them. A batch takes the first prompts of a kind, as many as fill whole batches; a
batch with more rows than prompts repeats them in turn.

Ways: plain; "lookup", `prompt_lookup_num_tokens=10`, which takes no batch, and is left out under a schema because its
text differs there; ngramspec with default settings, "cold" with a new Speculator for each call, "warm" with one for all
calls, after a call of each kind; and "tree", as warm, but drafted by arctic-inference's suffix tree with its default
settings (left out if that package is missing), so that only drafting differs. Warm is what a service gets: no segment
is named, so nothing is drafted from earlier answers, but the costs of passes are known. All ways take turns at each
call in one process, and whole `generate()` calls are timed, prefill included.

A kind's time is the sum over its calls of the median over the rounds, per emitted token, and a speed-up is a ratio of
two such times. "mean" is the geometric mean over the kinds, "mean, free" over those that the lookup serves, "sum" the
ratio over all calls. "texts": how many calls had plain's tokens. If a text differs, its first differing token is judged
as by `ngramspec check`, and a text that is neither equal nor a near-tie ends the benchmark with exit code 1.
"""

import argparse
import json
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from benchmarks.console import wide_console
from benchmarks.real_models import PACKAGES, folder_of, load
from ngramspec import Guard, Speculator, Vocabulary
from ngramspec.guards import RowGuards
from ngramspec.simulate.peers import SuffixTree
from ngramspec.testing.calls import Call, left_padded
from ngramspec.testing.equivalence import pad_token_of
from ngramspec.testing.explaining import explain
from ngramspec.testing.forwards import timed_forwards
from ngramspec.testing.plain import Run

PROMPTS = Path(__file__).with_name("real_prompts.toml")
WAYS = ("plain", "lookup", "tree", "cold", "warm")
DTYPES = ("float32", "bfloat16")
NONE = "-"


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the prompts of its rows, the longest answer, and the guards of its rows, none for free text."""

    kind: str
    prompts: list[list[int]]
    max_new_tokens: int
    guards: list[Guard]


@dataclass(frozen=True, slots=True)
class Sample:
    """One call in one way.

    cpu, wall: seconds. passes: runs of the model. host: CPU seconds outside of them. prefill: CPU seconds of the first.
    """

    cpu: float
    wall: float
    passes: int
    host: float
    prefill: float


@dataclass(slots=True)
class Case:
    """The result of a job in one way: tokens of all rows, samples by round, and the comparison with plain's text."""

    kind: str
    batch: int
    dtype: str
    job: int
    way: str
    tokens: int
    samples: list[Sample]
    finding: str

    def typical(self, figure: str) -> float:
        """The median over the rounds."""
        return float(median(getattr(sample, figure) for sample in self.samples))


class Bench:
    """One model in one precision."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.model, self.tokenizer = load(folder, getattr(torch, dtype))
        self._dtype = dtype
        self._vocabulary = Vocabulary.of(self.tokenizer)
        self._speculators = {"warm": Speculator()}
        if find_spec("arctic_inference") is not None:
            self._speculators["tree"] = Speculator(SuffixTree())

    def jobs(self, kinds: dict[str, Any], batch: int, limit: int, max_new_tokens: int) -> Iterator[Job]:
        """The calls with `batch` rows; at most `limit` prompts of each kind."""
        for kind, items in kinds.items():
            chosen = items[:limit]
            for start in range(0, max(1, len(chosen) - batch + 1), batch):
                rows = [chosen[index % len(chosen)] for index in range(start, start + batch)]
                yield Job(
                    kind,
                    [self._tokens(row["prompt"].strip()) for row in rows],
                    min(max_new_tokens, max(row["max_new_tokens"] for row in rows)),
                    [Guard.json_schema(row["schema"], self._vocabulary) for row in rows if "schema" in row],
                )

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Make the first call of each kind and size."""
        first = {(job.kind, len(job.prompts)): job for job in reversed(jobs)}
        for job in reversed(first.values()):
            for way in self._speculators:
                self._timed(self._call(job), way)

    def run(self, job: Job, index: int, num_rounds: int) -> list[Case]:
        """Make the call in all ways, in turn."""
        ways = [way for way in WAYS if self._serves(way, job)]
        call = self._call(job)
        texts: dict[str, Tensor] = {}
        samples: dict[str, list[Sample]] = {way: [] for way in ways}
        for number in range(num_rounds):
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                texts[way], sample = self._timed(call, way)
                samples[way].append(sample)
        plain = Run(call, texts["plain"])
        tokens = sum(map(len, _rows(call, texts["plain"])))
        return [
            Case(
                job.kind,
                len(job.prompts),
                self._dtype,
                index,
                way,
                tokens if way == "plain" else sum(map(len, _rows(call, texts[way]))),
                samples[way],
                "identical" if way == "plain" else _finding(plain, texts[way]),
            )
            for way in ways
        ]

    def _serves(self, way: str, job: Job) -> bool:
        if way == "lookup":
            return len(job.prompts) == 1 and not job.guards
        return way != "tree" or way in self._speculators

    def _tokens(self, prompt: str) -> list[int]:
        if self.tokenizer.chat_template is None:
            return list(self.tokenizer(f"{prompt}\n\nAnswer:\n")["input_ids"])
        message = [{"role": "user", "content": prompt}]
        return list(self.tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"])

    def _call(self, job: Job) -> Call:
        pad_token = pad_token_of(self.model)
        ids, mask = left_padded(job.prompts, pad_token, self.model.device)
        settings: dict[str, Any] = {"max_new_tokens": job.max_new_tokens, "do_sample": False, "pad_token_id": pad_token}
        settings |= {"logits_processor": [RowGuards(job.guards)]} if job.guards else {}
        return Call(self.model, ids, mask, settings, seed=0)

    def _timed(self, call: Call, way: str) -> tuple[Tensor, Sample]:
        more = self._arguments(call, way)
        with timed_forwards(self.model, time.process_time) as forwards:
            wall, cpu = time.perf_counter(), time.process_time()
            output = call.run(**more)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        prefill = forwards.ends[0] - forwards.starts[0]
        host = cpu - forwards.decode_seconds - prefill
        return output, Sample(cpu, wall, len(forwards.ends), host, prefill)

    def _arguments(self, call: Call, way: str) -> dict[str, Any]:
        if way in self._speculators:
            return {"custom_generate": self._speculators[way]}
        if way == "cold":
            return {"custom_generate": _unknowing()}
        return {"prompt_lookup_num_tokens": 10} if way == "lookup" else {}


def _unknowing() -> Speculator:
    """A new Speculator without prices for passes: its clock is new, and prices are kept by clock."""
    return Speculator(clock=partial(time.perf_counter))


def _rows(call: Call, output: Tensor) -> list[list[int]]:
    """What each row emitted, its end of sequence included, and no padding."""
    run = Run(call, output)
    return [run.emitted[row, : run.end(row)].tolist() for row in range(len(run.emitted))]


def _finding(plain: Run, output: Tensor) -> str:
    """The worst finding in the rows of `output`, with its position: "identical", "near-tie at 17", "defect at 3"."""
    pad_token = plain.call.settings["pad_token_id"]
    mine, theirs = _rows(plain.call, plain.output), _rows(plain.call, output)
    findings = {"identical"}
    for row, (left, right) in enumerate(zip(mine, theirs, strict=True)):
        if left == right:
            continue
        position = next(
            (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
            min(len(left), len(right)),
        )
        order = [row, *(index for index in range(len(mine)) if index != row)]
        texts = torch.nn.utils.rnn.pad_sequence(
            [plain.emitted[index] for index in order], batch_first=True, padding_value=pad_token
        )
        batch = (plain.call.input_ids[order], plain.call.mask[order], texts)
        other = right[position] if position < len(right) else None
        findings.add(f"{explain(plain, row, position, other, batch=batch).finding} at {position}")
    return min(findings, key=lambda finding: ("defect", "near-tie", "identical").index(finding.split()[0]))


def _per_token(cases: Sequence[Case], way: str, clock: str) -> float:
    """Seconds of a way over all its cases, per emitted token."""
    own = [case for case in cases if case.way == way]
    return sum(case.typical(clock) for case in own) / sum(case.tokens for case in own)


def rows_of(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The rows of the table: one for each precision, batch and kind, then the mean over kinds and the sum."""
    rows = []
    for dtype, batch in dict.fromkeys((case.dtype, case.batch) for case in cases):
        alike = [case for case in cases if (case.dtype, case.batch) == (dtype, batch)]
        kinds = list(dict.fromkeys(case.kind for case in alike))
        made = [_row([case for case in alike if case.kind == kind]) for kind in kinds]
        free = [row for row in made if "lookup" in row["speedup"]["cpu"]]
        means = [
            {"kind": name, "speedup": _means(some)} for name, some in (("mean, free", free), ("mean", made)) if some
        ]
        rows += [{"dtype": dtype, "batch": batch, **row} for row in (*made, *means, {**_row(alike), "kind": "sum"})]
    return rows


def _row(cases: Sequence[Case]) -> dict[str, Any]:
    """The figures of all `cases`; a way that serves only some of the calls is compared with plain over these."""
    ways = [way for way in WAYS if any(case.way == way for case in cases)]
    shared = {way: {(case.kind, case.job) for case in cases if case.way == way} for way in ways}
    speedup = {
        clock: {
            way: _per_token([case for case in cases if (case.kind, case.job) in shared[way]], "plain", clock)
            / _per_token(cases, way, clock)
            for way in ways[1:]
        }
        for clock in ("cpu", "wall")
    }
    plain = [case for case in cases if case.way == "plain"]
    rows = sum(case.batch for case in plain)
    return {
        "kind": cases[0].kind,
        "tokens": sum(case.tokens for case in plain) / rows,
        "plain_cpu_ms_per_token": 1e3 * _per_token(cases, "plain", "cpu"),
        "speedup": speedup,
        "ways": {way: _figures([case for case in cases if case.way == way]) for way in ways},
    }


def _figures(cases: Sequence[Case]) -> dict[str, Any]:
    passes = sum(case.typical("passes") for case in cases)
    return {
        "tokens_per_pass": sum(case.tokens / case.batch for case in cases) / passes,
        "cpu_ms_per_pass": 1e3 * sum(case.typical("cpu") - case.typical("prefill") for case in cases) / passes,
        "host_ms_per_pass": 1e3 * sum(case.typical("host") for case in cases) / passes,
        "prefill_share": sum(case.typical("prefill") for case in cases) / sum(case.typical("cpu") for case in cases),
        "calls": len(cases),
        "findings": {f"{case.kind} {case.job}": case.finding for case in cases if case.finding != "identical"},
    }


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Geometric means of the speed-ups, for ways that serve all of these kinds."""
    speedups = [row["speedup"] for row in rows]
    return {
        clock: {
            way: geometric_mean(speedup[clock][way] for speedup in speedups)
            for way in WAYS[1:]
            if all(way in speedup[clock] for speedup in speedups)
        }
        for clock in ("cpu", "wall")
    }


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The table for people; CPU time first, wall time in brackets."""
    made = Table("", "batch", "kind", "tokens", "plain, ms", "tokens per pass", box=SIMPLE_HEAD, pad_edge=False)
    for title in (*WAYS[1:], "texts"):
        made.add_column(title, justify="right")
    for row in rows:
        cpu, wall = row["speedup"]["cpu"], row["speedup"]["wall"]
        ways = row.get("ways")
        cells = [row["dtype"], str(row["batch"]), row["kind"]]
        if ways is None:
            cells += ["", "", ""]
        else:
            per_pass = [
                f"{ways[way]['tokens_per_pass']:.2f}" if way in ways else NONE for way in ("lookup", "tree", "warm")
            ]
            cells += [f"{row['tokens']:.0f}", f"{row['plain_cpu_ms_per_token']:.1f}", ", ".join(per_pass)]
        cells += [f"{cpu[way]:.2f} ({wall[way]:.2f})" if way in cpu else NONE for way in WAYS[1:]]
        made.add_row(*cells, "" if ways is None else _texts(ways))
    return made


def _texts(ways: dict[str, Any]) -> str:
    """How many calls had plain's tokens, cold and warm, and the findings of the others."""
    own = [ways[way] for way in ("cold", "warm")]
    calls = sum(figures["calls"] for figures in own)
    findings = [finding.split()[0] for figures in own for finding in figures["findings"].values()]
    others = [f"{findings.count(name)} {name}" for name in ("near-tie", "defect") if name in findings]
    return ", ".join([f"{calls - len(findings)} of {calls}", *others])


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    kinds = tomllib.loads(arguments.prompts.read_text())
    unknown = sorted(set(arguments.kinds or ()) - kinds.keys())
    if unknown:
        raise SystemExit(f"--kinds must be among {', '.join(kinds)}, got {unknown[0]!r}")
    kinds = {kind: items for kind, items in kinds.items() if kind in (arguments.kinds or kinds)}
    folder = folder_of(arguments.model, arguments.cache)
    cases: list[Case] = []
    for dtype in arguments.dtypes:
        bench = Bench(folder, dtype)
        jobs = [
            job
            for batch in arguments.batches
            for job in bench.jobs(kinds, batch, arguments.limit, arguments.max_new_tokens)
        ]
        bench.warm_up(jobs)
        for index, job in enumerate(track(jobs, dtype, console=Console(stderr=True), transient=True)):
            cases += bench.run(job, index, arguments.rounds)
    rows = rows_of(cases)
    if arguments.json:
        print(json.dumps({"rows": rows, "cases": [asdict(case) for case in cases]}, indent=2))
    else:
        _print(rows, arguments)
    if any(case.finding.startswith("defect") for case in cases if case.way in ("cold", "warm")):
        sys.exit(1)


def _arguments() -> Any:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", default="smollm2", help=f"{', '.join(PACKAGES)}, or a folder with a model")
    made.add_argument(
        "--cache", type=Path, default=Path("build/models"), help="where models are put that are converted"
    )
    made.add_argument("--prompts", type=Path, default=PROMPTS, help="prompts by kind, as TOML")
    made.add_argument("--kinds", nargs="+", help="default: all")
    made.add_argument("--limit", type=int, default=5, help="prompts of a kind")
    made.add_argument("--max-new-tokens", type=int, default=256, help="longest answer; each kind has its own limit too")
    made.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    made.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="rows of a call")
    made.add_argument("--rounds", type=int, default=3, help="rounds that count")
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    made.add_argument("--json", action="store_true", help="print one JSON object, with every call")
    return made.parse_args()


def _print(rows: Sequence[dict[str, Any]], arguments: Any) -> None:
    console = wide_console()
    console.print(table(rows))
    print(f"{arguments.model}, {arguments.threads} thread(s), {arguments.rounds} rounds; speed-ups over plain")
    print("in CPU time (wall time); tokens per pass: lookup, tree, and warm; texts: cold and warm")


if __name__ == "__main__":
    main()
