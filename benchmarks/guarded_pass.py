"""What does a guard cost a pass? The same passes, guarded and not, on a real network with 131 k tokens.

    python -m benchmarks.guarded_pass SCHEMAS... [--instances 6] [--rounds 3] [--drafted 0 4 10] [--batch 1 4]

SCHEMAS are files of JSON lines, gzipped or not, with a `schema` and its `valid` instances. The model has the shape of
SmolLM-135M, and says the instances, written compactly (`ngramspec.testing.replay_model`). Drafts are what it will say,
so a guarded and an unguarded pass read the same tokens and accept the same; all masks along a draft are filled.

They take turns in one process. A pass lasts from the start of one forward to the start of the next; its time is the
median over the rounds, and the table holds the median, over all passes, of guarded time by unguarded time.
"""

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from transformers import LlamaConfig

from benchmarks.forwards import timed_forwards
from benchmarks.recorded import SHAPES
from benchmarks.traces import json_lines
from ngramspec import FixedBudget, Guard, GuardError, Speculator, Vocabulary
from ngramspec.drafting import Draft, DraftSession, TokenArray
from ngramspec.replay import Trace, load_tokenizer
from ngramspec.testing.replay_model import ReplayModel

ARMS = ("unguarded", "llguidance", "xgrammar")
FEWEST, MOST = 40, 160
"""Tokens of an instance."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A JSON text `int32[n]`, and the guards that it fits, by backend."""

    tokens: TokenArray
    guards: dict[str, Guard]


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("schemas", nargs="+", type=Path, help="JSON lines with a schema and its valid instances")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--instances", type=int, default=6, help="texts to write")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--drafted", type=int, nargs="+", default=[0, 4, 10], help="tokens per draft")
    made.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="rows")
    made.add_argument("--shape", choices=SHAPES, default="135m")
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = made.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    vocabulary = Vocabulary.of(load_tokenizer("tekken"))
    instances = list(_instances(arguments.schemas, vocabulary, arguments.instances))
    bench = _Bench(instances, vocabulary, arguments.shape)
    rows = [
        bench.row(batch, drafted, arguments.rounds)
        for batch in arguments.batch
        for drafted in track(arguments.drafted, f"Batch {batch}", console=Console(stderr=True), transient=True)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows, instances)


def _instances(paths: Sequence[Path], vocabulary: Vocabulary, limit: int) -> Iterator[Instance]:
    """First instances of schemas, in random order, that both backends take and that are of a fair length."""
    found = 0
    for path in paths:
        rows = list(json_lines(path))
        random.Random(0).shuffle(rows)
        for row in rows:
            if found == limit:
                return
            if not row["valid"]:
                continue
            text = json.dumps(row["valid"][0], ensure_ascii=False, separators=(",", ":"))
            tokens = np.array(vocabulary.encode(text), np.int32)
            if not FEWEST <= tokens.size <= MOST:
                continue
            guards = {backend: _guard(row["schema"], vocabulary, backend) for backend in ARMS[1:]}
            if all(guard is not None and guard.accepts(text) for guard in guards.values()):
                found += 1
                yield Instance(tokens, {backend: guard for backend, guard in guards.items() if guard is not None})


def _guard(schema: Any, vocabulary: Vocabulary, backend: Any) -> Guard | None:
    try:
        return Guard.json_schema(schema, vocabulary, backend=backend, whitespace="compact")
    except GuardError:
        return None


class _Certain:
    """Drafts what will be said, as much as it may."""

    def __init__(self, outputs: Sequence[list[int]]) -> None:
        self._rows = iter(outputs)

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        return _CertainSession(np.array(next(self._rows), np.int32))


class _CertainSession:
    def __init__(self, output: TokenArray) -> None:
        self._upcoming = output
        self._has_read_prompt = False

    def extend(self, tokens: TokenArray) -> None:
        if self._has_read_prompt:
            self._upcoming = self._upcoming[tokens.size :]
        self._has_read_prompt = True

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return Draft(self._upcoming[:max_tokens])

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


class _Bench:
    def __init__(self, instances: Sequence[Instance], vocabulary: Vocabulary, shape: str) -> None:
        self.instances = instances
        [self.end] = vocabulary.eos_tokens
        prompt = np.array(vocabulary.encode("Write the object."), np.int32)
        config = LlamaConfig(
            vocab_size=len(vocabulary),
            max_position_embeddings=prompt.size + MOST + 1,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=self.end,
            pad_token_id=self.end,
            **SHAPES[shape],
        )
        self.model: Any = ReplayModel(config, [Trace(prompt, instance.tokens) for instance in instances])

    def row(self, batch: int, drafted: int, rounds: int) -> dict[str, Any]:
        """One line of the table."""
        times: dict[str, dict[tuple[int, int], list[float]]] = {arm: defaultdict(list) for arm in ARMS}
        for _ in range(rounds):
            for first in range(0, len(self.instances), batch):
                requests = [(first + row) % len(self.instances) for row in range(batch)]
                for arm in ARMS:
                    for index, seconds in enumerate(self.run(arm, requests, drafted)):
                        times[arm][first, index].append(seconds)
        plain = {place: median(seconds) for place, seconds in times["unguarded"].items()}
        row: dict[str, Any] = {"batch": batch, "drafted": drafted, "passes": len(plain)}
        row["ms"] = median(plain.values()) * 1e3
        for arm in ARMS[1:]:
            row[arm] = median(median(seconds) / plain[place] for place, seconds in times[arm].items())
        return row

    def run(self, arm: str, requests: Sequence[int], drafted: int) -> list[float]:
        """Seconds of each pass but the first and the last; asserts that the texts come out."""
        outputs = [[*self.instances[request].tokens.tolist(), self.end] for request in requests]
        spec = Speculator(_Certain(outputs), FixedBudget(drafted))
        guards = [self.instances[request].guards.get(arm) for request in requests]
        processors = [] if arm == "unguarded" else [Guard.per_row(guards)]
        with timed_forwards(self.model, time.perf_counter) as forwards:
            output = self.model.generate(
                **self.model.inputs(requests),
                max_new_tokens=MOST,
                custom_generate=spec,
                logits_processor=processors,
            )
        emitted = output[:, -max(map(len, outputs)) :].tolist()
        assert outputs == [row[: len(text)] for row, text in zip(emitted, outputs, strict=True)]
        starts = forwards.starts[1:]
        return [end - start for start, end in pairwise(starts)]


def _print(rows: list[dict[str, Any]], instances: Sequence[Instance]) -> None:
    lengths = sorted(instance.tokens.size for instance in instances)
    table = Table(
        box=SIMPLE_HEAD,
        title=f"A guarded pass by an unguarded one ({len(lengths)} texts of {lengths[0]} to {lengths[-1]} tokens)",
    )
    for name in ("batch", "drafted", "passes", "ms unguarded", *ARMS[1:]):
        table.add_column(name, justify="right")
    for row in rows:
        ratios = [f"{row[arm]:.3f}x" for arm in ARMS[1:]]
        table.add_row(str(row["batch"]), str(row["drafted"]), str(row["passes"]), f"{row['ms']:.1f}", *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
