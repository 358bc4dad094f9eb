"""What does the loop itself cost? Host time per step, without forward passes, compared with plain `generate()`.

    python -m benchmarks.host_time [--batches 1 8 32] [--drafts 0 1 5 10 24] [--rounds 5] [--profile]

CPU time of decoding outside `model(...)`, after prefill, divided by the number of passes. The model is one small layer
over 64 tokens and the texts are short, so that argmax and mask, a device's work, are negligible; the drafter is the
real one. Two texts: random tokens, of which nearly every draft is rejected at once, and a period of 48 tokens, of
which every draft is accepted. Plain decoding and all draft lengths take turns. The minimum over the rounds is shown,
because other load on the machine can only add to it.

The loop alone is measured with drafts made beforehand and a fixed price of passes: no drafting, no costs.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.recorded import replay_model
from ngramspec import FixedBudget, Speculator
from ngramspec.decoding import LinearCosts
from ngramspec.drafting import Draft, TokenArray
from ngramspec.hf.entry.cost_tables import CostTables
from ngramspec.replay import Trace
from ngramspec.testing.forwards import timed_forwards

VOCABULARY = 64
PROMPT = 256
PERIOD = 48
STEPS = 60
PLAIN = -1
"""Stands for plain `generate()` among the draft lengths."""


class Cost(NamedTuple):
    """Host microseconds per step of the whole batch, and per emitted token; tokens per pass of a row."""

    per_step: float
    per_token: float
    tokens_per_pass: float


class Known:
    """A drafter with drafts made beforehand, one for each position of each row's output: all right, or all wrong."""

    def __init__(self, traces: Sequence[Trace], length: int, *, right: bool) -> None:
        """length: of each draft, in tokens."""
        self._rows = iter([self._drafts(trace.output, length, right=right) for trace in traces])

    @staticmethod
    def _drafts(output: TokenArray, length: int, *, right: bool) -> list[Draft]:
        drafted = output if right else output % (VOCABULARY - 2) + 1
        return [Draft(drafted[start : start + length]) for start in range(output.size + 1)]

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "KnownSession":
        """The session of the next row."""
        return KnownSession(self, next(self._rows))

    def propose_all(
        self, sessions: Sequence["KnownSession"], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        """The draft of each session."""
        return [session.drafts[session.position] for session in sessions]


class KnownSession:
    """One row's drafts, and its position."""

    def __init__(self, drafter: Known, drafts: list[Draft]) -> None:
        self.drafter, self.drafts = drafter, drafts
        self.position = -PROMPT

    def extend(self, tokens: TokenArray) -> None:
        """Advance."""
        self.position += tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        """The draft for this position."""
        return self.drafts[self.position]

    def observe(self, draft: Draft, num_accepted: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class FixedPrices(CostTables):
    """Each pass costs the same, and nothing is measured."""

    def of(self, model: Any, passes: str = "") -> Any:
        """The fixed price."""
        return LinearCosts(1.0, 0.0)


class Bench:
    """One text, decoded by batches of rows like it."""

    def __init__(self, text: str, batch: int, longest_draft: int) -> None:
        rng = np.random.default_rng(0)
        traces = []
        for _ in range(batch):
            length = PROMPT + STEPS * (longest_draft + 1 if text == "accepted" else 1)
            tokens = rng.integers(1, VOCABULARY, PERIOD if text == "accepted" else length).astype(np.int32)
            tokens = np.resize(tokens, length)
            traces.append(Trace(tokens[:PROMPT], tokens[PROMPT:]))
        self.text = text
        self.batch = batch
        self.model = replay_model(traces, "tiny", VOCABULARY)

    def run(self, length: int, *, alone: bool = False) -> Cost:
        """Decode with drafts of at most `length` tokens. alone: only the loop, without drafting and costs."""
        tokens = STEPS * (max(length, 0) + 1 if self.text == "accepted" else 1)
        settings: dict[str, Any] = {}
        if alone:
            drafter = Known(self.model.traces, length, right=self.text == "accepted")
            settings["custom_generate"] = spec = Speculator(drafter, FixedBudget(length))
            spec.costs = FixedPrices()
        elif length != PLAIN:
            settings["custom_generate"] = Speculator(budget=FixedBudget(length))
        with timed_forwards(self.model, time.thread_time) as forwards:
            self.model.generate(**self.model.inputs(range(self.batch)), max_new_tokens=tokens, **settings)
            end = time.thread_time()
        host = (end - forwards.ends[0] - forwards.decode_seconds) * 1e6
        steps = forwards.num_decode_passes
        return Cost(host / steps, host / (tokens * self.batch), tokens / (steps + 1))


def main() -> None:
    """Print the table, or a profile of each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", nargs="+", type=int, default=(1, 8, 32))
    parser.add_argument("--drafts", nargs="+", type=int, default=(0, 1, 5, 10, 24), help="longest drafts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where our loop spends its time instead")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    benches = [
        Bench(text, batch, max(arguments.drafts)) for text in ("rejected", "accepted") for batch in arguments.batches
    ]
    if arguments.profile:
        for bench in benches:
            _profile(bench, max(arguments.drafts))
        return
    table = Table("drafts are", "batch", "longest draft", box=SIMPLE_HEAD, pad_edge=False)
    titles = (
        "tokens per pass",
        "µs per step",
        "of plain's",
        "µs per token",
        "of plain's",
        "loop alone, per row",
    )
    for title in titles:
        table.add_column(title, justify="right")
    for bench in track(benches, console=Console(stderr=True), transient=True):
        costs, alone = _measure(bench, arguments.drafts, arguments.rounds)
        plain = costs[PLAIN]
        for length, cost in costs.items():
            table.add_row(
                bench.text,
                str(bench.batch),
                "plain" if length == PLAIN else str(length),
                f"{cost.tokens_per_pass:.2f}",
                f"{cost.per_step:.0f}",
                f"{cost.per_step / plain.per_step:.2f}",
                f"{cost.per_token:.1f}",
                f"{cost.per_token / plain.per_token:.2f}",
                "" if length == PLAIN else f"{alone[length] / bench.batch:.1f}",
            )
    Console().print(table)


def _measure(bench: Bench, drafts: Sequence[int], rounds: int) -> tuple[dict[int, Cost], dict[int, float]]:
    """By draft length: the cost of a step, and that of the loop alone, in microseconds."""
    costs: dict[int, Cost] = {}
    alone: dict[int, float] = {}
    for number in range(rounds + 1):
        for length in (PLAIN, *drafts):
            cost = bench.run(length)
            loop = 0.0 if length == PLAIN else bench.run(length, alone=True).per_step
            if number:  # the first round is a warm-up
                costs[length] = min(costs.get(length, cost), cost)
                alone[length] = min(alone.get(length, loop), loop)
    return costs, alone


def _profile(bench: Bench, length: int) -> None:
    bench.run(length)
    print(f"{bench.text}, batch {bench.batch}, drafts of {length}:")
    with cProfile.Profile(time.thread_time) as profile:
        bench.run(length)
    pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
