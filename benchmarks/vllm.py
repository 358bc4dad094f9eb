"""Inside vLLM: how many tokens a pass and a CPU second give, by who drafts?

    python -m benchmarks.vllm [--model smollm2] [--batches 1 8] [--rounds 2] [--prompts 10]

One engine of vLLM in this process, whose scheduler is `ngramspec.vllm.Scheduler`; who drafts is changed between two
jobs, so all ways take turns at each job. Ways: "none"; "ngram 2-4" and "ngram 5", vLLM's rule with 5 tokens; "suffix",
arctic-inference's trees with earlier answers, where that package is installed; and ours: "blind", "history", with a
segment, and "steered", with a segment and within the grammar. All but the first draft what their rule says; ours by the
measured budget. In each round all begin without a history. Prompts are those of `real_prompts.toml`; a job is as many
of them as the batch has rows.

"per pass" are tokens by passes over a row. "per second" are tokens by CPU seconds of the whole process, as a ratio to
"none". "texts": jobs whose tokens are those of "none".
"""

import argparse
import json
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.console import wide_console
from benchmarks.real import PROMPTS
from benchmarks.real_models import PACKAGES, folder_of
from ngramspec.decoding import Budget, FixedBudget
from ngramspec.drafting import AdaptiveLookup, Drafter, NoDrafts
from ngramspec.simulate.peers import EarliestMatch, SuffixTree
from ngramspec.vllm.drafting import Drafting
from ngramspec.vllm.rows import EngineRow

MOST = 16
"""Tokens that a pass may check for a row."""


class Blind(Drafting):
    """Drafts that are never steered."""

    def open(self, *arguments: Any, **named: Any) -> EngineRow:
        """See `Drafting`."""
        row = super().open(*arguments, **named)
        row.awaits_form = False
        return row


@dataclass(frozen=True, slots=True)
class Way:
    """Who drafts. has_history: whether its requests name a segment."""

    drafter: Callable[[], Drafter]
    budget: Budget | None = None
    has_history: bool = False
    drafting: type[Drafting] = Blind


WAYS: Mapping[str, Way] = {
    "none": Way(NoDrafts, FixedBudget(0)),
    "ngram 2-4": Way(lambda: EarliestMatch(min_match=2, max_match=4), FixedBudget(5)),
    "ngram 5": Way(lambda: EarliestMatch(min_match=5, max_match=5), FixedBudget(5)),
    "suffix": Way(lambda: SuffixTree(keeps_outputs=True), FixedBudget(MOST), has_history=True),
    "blind": Way(AdaptiveLookup),
    "history": Way(AdaptiveLookup, has_history=True),
    "steered": Way(AdaptiveLookup, has_history=True, drafting=Drafting),
}


@dataclass(slots=True)
class Sums:
    """Of one way: tokens, passes over a row, CPU seconds, and jobs with the text of "none"."""

    tokens: int = 0
    passes: int = 0
    seconds: float = 0.0
    equal: int = 0
    jobs: int = 0


class Bench:
    """An engine, and who drafts in it by now."""

    def __init__(self, folder: str) -> None:
        from vllm import LLM

        self.llm: Any = LLM(
            model=folder,
            dtype="float32",
            enforce_eager=True,
            max_model_len=2048,
            max_num_seqs=32,
            enable_prefix_caching=False,
            scheduler_cls="ngramspec.vllm.Scheduler",
            speculative_config={
                "method": "custom_class",
                "model": "ngramspec.vllm.NullProposer",
                "num_speculative_tokens": MOST,
            },
            structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
        )
        self._drafts: Any = self.llm.llm_engine.engine_core.engine_core.scheduler.drafts
        self._vocabulary = self.llm.llm_engine.model_config.get_vocab_size()

    def drafting_of(self, way: Way) -> Drafting:
        """One that knows nothing yet."""
        return way.drafting(
            way.drafter(),
            self._drafts.trouble,
            max_draft_tokens=MOST,
            vocabulary=self._vocabulary,
            budget=way.budget,
        )

    def run(self, job: Sequence[Any], kind: str, way: Way, drafting: Drafting, sums: Sums) -> list[tuple[int, ...]]:
        """Decode the job, and add what it took."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        self._drafts.drafting = drafting
        parameters = [
            SamplingParams(
                temperature=0.0,
                max_tokens=item["max_new_tokens"],
                extra_args={"segment": kind} if way.has_history else None,
                structured_outputs=StructuredOutputsParams(json=item["schema"]) if "schema" in item else None,
            )
            for item in job
        ]
        before, start = drafting.stats.total, time.process_time()
        outputs = self.llm.chat(
            [[{"role": "user", "content": item["prompt"].strip()}] for item in job], parameters, use_tqdm=False
        )
        sums.seconds += time.process_time() - start
        counted = drafting.stats.total.since(before)
        sums.tokens += counted.tokens
        sums.passes += counted.target_passes
        return [tuple(output.outputs[0].token_ids) for output in outputs]


def measured(bench: Bench, kinds: Mapping[str, Sequence[Any]], batch: int, rounds: int) -> dict[str, dict[str, Sums]]:
    """By "free" or "schema", and by way."""
    ways = {name: way for name, way in WAYS.items() if name != "suffix" or find_spec("arctic_inference") is not None}
    found: dict[str, dict[str, Sums]] = defaultdict(lambda: {name: Sums() for name in ways})
    for number in range(rounds):
        draftings = {name: bench.drafting_of(way) for name, way in ways.items()}
        order = [*ways][number % len(ways) :] + [*ways][: number % len(ways)]
        for kind, items in kinds.items():
            for start in range(0, len(items), batch):
                job = items[start : start + batch]
                sums = found["schema" if "schema" in job[0] else "free"]
                texts = {name: bench.run(job, kind, ways[name], draftings[name], sums[name]) for name in order}
                for name in ways:
                    sums[name].jobs += 1
                    sums[name].equal += texts[name] == texts["none"]
    return found


def table(found: Mapping[int, Mapping[str, Mapping[str, Sums]]]) -> Table:
    """For people."""
    made = Table("batch", "text", "way", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("per pass", "per second", "texts"):
        made.add_column(title, justify="right")
    for batch, texts in found.items():
        for text, ways in texts.items():
            none = ways["none"].tokens / ways["none"].seconds
            for name, sums in ways.items():
                speed = sums.tokens / sums.seconds / none
                cells = [f"{sums.tokens / sums.passes:.2f}", f"{speed:.2f}", f"{sums.equal} of {sums.jobs}"]
                made.add_row(str(batch), text, name, *cells)
    return made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help=f"{', '.join(PACKAGES)}, or a folder")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=["summary", "extraction", "schema", "correction", "rename"])
    parser.add_argument("--prompts", type=int, default=5, help="of each kind")
    arguments = parser.parse_args()
    given = tomllib.loads(PROMPTS.read_text())
    kinds = {kind: given[kind][: arguments.prompts] for kind in arguments.kinds}
    for item in kinds.get("schema", ()):
        item["schema"] = json.loads(item["schema"])
    bench = Bench(str(folder_of(arguments.model, Path("build/models"))))
    found = {batch: measured(bench, kinds, batch, arguments.rounds) for batch in arguments.batches}
    wide_console().print(table(found))


if __name__ == "__main__":
    main()
