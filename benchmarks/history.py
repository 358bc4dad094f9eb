"""How much does a history gain, by its bound on memory? What does saving it cost, and what do references gain?

    python -m benchmarks.history [TRACES...] [--json]

All requests are replayed one after another, in random order, through one drafter with their segment named, with the
budget and the fit of `ngramspec replay --cost h100-8b`. Then again without their prompts, each in a segment that has
the prompt as a reference, or has none.
"""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.traces import parser, trace_paths
from ngramspec.decoding import AdaptiveBudget, fitted
from ngramspec.drafting import AdaptiveLookup, AdaptiveLookupSession, Drafter, TokenArray
from ngramspec.replay import PromptAs, Trace, load_tokenizer, read_traces, replay

BOUNDS = (1, 1 << 17, 1 << 19, 1 << 21)
SEED = 0


class Referring:
    """Gives a row's references to its segment, like `AdaptiveLookup.refer`, and keeps nothing else."""

    def __init__(self) -> None:
        """Begin with no reference."""
        self._drafter = AdaptiveLookup(max_tokens=1 << 22)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> AdaptiveLookupSession:
        """Start a row of a segment that has these references and no history."""
        self._drafter.forget("request")
        self._drafter.refer("request", references)
        return self._drafter.open("request")


def main() -> None:
    """Measure, then print."""
    command_line = parser(__doc__)
    arguments = command_line.parse_args()
    tokenizer = load_tokenizer(arguments.tokenizer)
    found = [row for path in trace_paths(command_line, arguments.traces) for row in read_traces(path, tokenizer)]
    rows = [found[index] for index in np.random.default_rng(SEED).permutation(len(found))]
    progress = Console(stderr=True)
    histories = [_history(rows, bound) for bound in track(BOUNDS, "Histories", console=progress, transient=True)]
    unnamed = [replace(row, segment=None) for row in rows]
    references = {
        "none": _tokens_per_pass(unnamed, AdaptiveLookup(), PromptAs.NOTHING),
        "of_the_segment": _tokens_per_pass(unnamed, Referring(), PromptAs.REFERENCE),
        "of_the_call": _tokens_per_pass(unnamed, AdaptiveLookup(), PromptAs.REFERENCE),
    }
    if arguments.json:
        print(json.dumps({"histories": histories, "references": references}, indent=2))
    else:
        _print(histories, references)


def _history(rows: Sequence[Trace], max_tokens: int) -> dict[str, float]:
    drafter, costs = AdaptiveLookup(max_tokens=max_tokens), fitted("h100-8b")
    report = replay(rows, drafter, budget=AdaptiveBudget(), costs=costs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history"
        start = time.perf_counter()
        drafter.save(path, "benchmark")
        saved = time.perf_counter()
        AdaptiveLookup.load(path, "benchmark", max_tokens=max_tokens)
        loaded = time.perf_counter()
        size = path.stat().st_size
    return {
        "max_tokens": max_tokens,
        "kept": sum(drafter.segments.values()),
        "tokens_per_pass": report.total.counters.tokens_per_pass,
        "modelled_speedup": report.total.modelled_speedup(costs),
        "file_mb": size / 1e6,
        "save_ms": (saved - start) * 1e3,
        "load_ms": (loaded - saved) * 1e3,
    }


def _tokens_per_pass(rows: Sequence[Trace], drafter: Drafter, prompt_as: PromptAs) -> float:
    report = replay(rows, drafter, budget=AdaptiveBudget(), costs=fitted("h100-8b"), prompt_as=prompt_as)
    return report.total.counters.tokens_per_pass


def _print(histories: Sequence[dict[str, float]], references: dict[str, float]) -> None:
    table = Table(*(name.replace("_", " ") for name in histories[0]), box=SIMPLE_HEAD, pad_edge=False)
    for row in histories:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    console = Console()
    console.print(table)
    for name, value in references.items():
        console.print(f"reference {name.replace('_', ' ')}: {value:.2f} tokens per pass")


if __name__ == "__main__":
    main()
