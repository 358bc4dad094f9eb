"""Does it pay on a real model? Plain decoding, transformers' prompt lookup and ngramspec in turn, on pico.

    python -m benchmarks.live [--items 8] [--rounds 5] [--threads 1]

Held-back items of pico's tasks, and text that repeats nothing: sampled at a temperature so high that no draft survives,
it shows the cost of speculation when it cannot help. All ways make the same number of tokens, take turns in one
process, and are compared by the medians of whole `generate()` calls, prefill included.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from ngramspec import Speculator
from ngramspec.pico import load_pico
from training.score import held_back_examples

NEW_TOKENS = 96
SEED = 2
BATCHES = (1, 8)


@dataclass(frozen=True, slots=True)
class Job:
    """Prompts of one kind, and their decoding settings."""

    name: str
    prompts: list[str]
    settings: dict[str, Any]


class Bench:
    """One model, all jobs."""

    def __init__(self, num_rounds: int) -> None:
        self.model: Any
        self.model, self.tokenizer = load_pico()
        self.tokenizer.padding_side = "left"
        self.num_rounds = num_rounds

    def jobs(self, num_items: int) -> list[Job]:
        """Held-back items of each task, then text that repeats nothing."""
        tasks = held_back_examples(self.tokenizer, SEED, num_items)
        jobs = [Job(task, [item.prompt for item in items], {}) for task, items in tasks.items() if task != "repeat"]
        hot = {"do_sample": True, "temperature": 5.0, "top_k": 0}
        return [*jobs, Job("nothing to copy", jobs[0].prompts, hot)]

    def measure(self, job: Job, batch: int) -> tuple[dict[str, float], Speculator]:
        """Median seconds of each way, and the Speculator of the last round, for its counters."""
        seconds: dict[str, list[float]] = {}
        for _ in range(self.num_rounds + 1):
            spec = Speculator()
            ways: dict[str, dict[str, Any]] = {"plain": {}, "ngramspec": {"custom_generate": spec}}
            if batch == 1:
                ways["transformers"] = {"prompt_lookup_num_tokens": 10}
            for way, settings in ways.items():
                seconds.setdefault(way, []).append(self._seconds(job, batch, settings))
        # The first round is a warm-up.
        return {way: median(times[1:]) for way, times in seconds.items()}, spec

    def _seconds(self, job: Job, batch: int, settings: dict[str, Any]) -> float:
        torch.manual_seed(SEED)
        total = 0.0
        for start in range(0, len(job.prompts), batch):
            inputs = self.tokenizer(job.prompts[start : start + batch], return_tensors="pt", padding=True)
            total += _timed(lambda inputs=inputs: self._generate(inputs, job.settings | settings))  # type: ignore[misc]
        return total

    def _generate(self, inputs: dict[str, Tensor], settings: dict[str, Any]) -> None:
        # No end of sequence: a way that ends early would look fast.
        self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, eos_token_id=None, **{"do_sample": False, **settings})


def _timed(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=8, help="held-back items per task")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.rounds)
    table = Table("job", "batch", "tokens per pass", "acceptance", "ngramspec", "transformers", box=SIMPLE_HEAD)
    cases = [(job, batch) for job in bench.jobs(arguments.items) for batch in BATCHES]
    for job, batch in track(cases, console=Console(stderr=True), transient=True):
        seconds, spec = bench.measure(job, batch)
        total = spec.stats.total
        table.add_row(
            job.name,
            str(batch),
            f"{total.tokens_per_pass:.2f}",
            f"{total.acceptance_rate:.2f}",
            *(
                f"{seconds['plain'] / seconds[way]:.2f}x" if way in seconds else "-"
                for way in ("ngramspec", "transformers")
            ),
        )
    Console().print(table)
    print(
        "ngramspec, transformers: speed-up over plain decoding, ratio of medians; transformers' lookup takes no batch"
    )


if __name__ == "__main__":
    main()
