"""Inside vLLM: how many tokens per pass and per CPU second, by drafter?

    python -m benchmarks.vllm [--model smollm2] [--batches 1 8 32] [--jobs 5 2 1] [--rounds 3] [--tokens 96]

One vLLM engine in this process, with `ngramspec.vllm.Scheduler`. The drafter is changed between jobs, so all arms take
turns at each job. Arms: "none"; vLLM's own proposers "ngram 2-4" and "ngram 5", with 5 tokens, and "suffix", with
vLLM's defaults and earlier answers, if arctic-inference is installed; and ours, with up to 16 tokens: "blind", the
`Proposer`; "history", the scheduler with a segment and without grammars; and "steered", the scheduler as it is.

A job is as many requests as the batch has rows, decoded at once. Free texts are the 25 of `real_prompts.toml`; under a
schema (xgrammar), the prompts are generated letters. In each round all arms begin without a history. Before the first
one, ours decode a job to learn the costs of passes, which an engine knows after some minutes. "per pass": tokens by
passes over a row. "per second": tokens by CPU seconds of the whole process; "ratio": the same relative to "none", the
median of the rounds, the lowest and the highest. "texts": jobs with the tokens of "none".
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.real_models import PACKAGES, folder_of
from benchmarks.vllm_arms import OURS, Bench, Sums
from benchmarks.vllm_requests import Request, jobs_of, letters, real_requests


def measured(bench: Bench, arms: Sequence[str], jobs: Sequence[Sequence[Request]], rounds: int) -> dict[str, Sums]:
    """Sums by arm. All take turns, after a warm-up for what is compiled on first use, and for the costs of passes."""
    known = bench.arms()
    sums = {name: Sums() for name in arms}
    for name in arms:
        warm_up = jobs[0] if name in OURS else jobs[0][:1]
        bench.run(warm_up, known[name](), Sums(seconds=[0.0]))
    for number in range(rounds):
        made = {name: known[name]() for name in arms}
        for each in sums.values():
            each.seconds.append(0.0)
        turn = number % len(arms)
        for job in jobs:
            texts = {name: bench.run(job, made[name], sums[name]) for name in chain(arms[turn:], arms[:turn])}
            for name in arms:
                sums[name].jobs += 1
                sums[name].equal += texts[name] == texts["none"]
    return sums


def table(text: str, batch: int, found: Mapping[str, Sums]) -> Table:
    """The table of one cell, by arm, for people."""
    made = Table("text", "batch", "who drafts", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("per pass", "per second", "ratio", "from", "to", "texts"):
        made.add_column(title, justify="right")
    for name, sums in found.items():
        gains = [plain / seconds for plain, seconds in zip(found["none"].seconds, sums.seconds, strict=True)]
        cells = [f"{gain:.2f}" for gain in (statistics.median(gains), min(gains), max(gains))]
        per_pass, per_second = sums.tokens / sums.passes, sums.tokens / sum(sums.seconds)
        numbers = (f"{per_pass:.2f}", f"{per_second:.1f}", *cells)
        made.add_row(text, str(batch), name, *numbers, f"{sums.equal} of {sums.jobs}")
    return made


def main() -> None:
    """Print a table for each cell, when it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help=f"{', '.join(PACKAGES)}, or a folder")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--jobs", type=int, nargs="+", default=[5, 2, 1], help="of each batch, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=96, help="of an answer, at most")
    parser.add_argument("--texts", nargs="+", choices=["free", "schema"], default=["free", "schema"])
    parser.add_argument("--arms", nargs="+", default=[], help="beside none; all by default")
    asked = parser.parse_args()
    bench = Bench(str(folder_of(asked.model, Path("build/models"))), max(asked.batches))
    arms = ["none", *(name for name in asked.arms or bench.arms() if name != "none")]
    for batch, most in zip(asked.batches, asked.jobs, strict=True):
        requests = {"free": real_requests(asked.tokens), "schema": letters(batch * most, asked.tokens)}
        for text in asked.texts:
            jobs = jobs_of(requests[text], batch, most)
            wide_console().print(table(text, len(jobs[0]), measured(bench, arms, jobs, asked.rounds)))


if __name__ == "__main__":
    main()
