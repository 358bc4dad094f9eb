"""How much does a guard add to a pass? The same passes, guarded and not, on a real network with 131 k tokens.

    python -m benchmarks.guarded_pass SCHEMAS... [--instances 6] [--rounds 3] [--drafted 0 4 10] [--batch 1 4]

SCHEMAS are files of JSON lines, gzipped or not, with a `schema` and its `valid` instances. The model has the shape of
SmolLM-135M, and emits the instances, written compactly (`ngramspec.testing.replay_model`), after prompts that show the
schema. A guarded and an unguarded pass read the same tokens and accept the same; all masks along a draft are filled:

    llguidance, xgrammar    drafts are the coming text, a fixed number of tokens each: the time is that of the masks
    steered                 the default drafter steered by the default guard; in comparison, the default drafter
                            drafts unguarded, but its pass reads the steered drafts instead of its own

They take turns in one process. A pass lasts from the start of one forward to the start of the next. Its time is the
median over the rounds, and the table has the median, over all passes, of guarded time by unguarded time.
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

from benchmarks.recorded import SHAPES
from ngramspec import FixedBudget, Guard, GuardError, Speculator, Vocabulary
from ngramspec.drafting import NO_DRAFT, AdaptiveLookup, Draft, DraftSession, Steering, TokenArray
from ngramspec.replay import Trace, load_tokenizer
from ngramspec.testing.forwards import timed_forwards
from ngramspec.testing.replay_model import ReplayModel
from training.guarded import schema_prompt
from training.json_lines import json_lines

BACKENDS = ("llguidance", "xgrammar")
FEWEST, MOST = 40, 160
"""Bounds on the tokens of an instance."""

Times = dict[tuple[int, int], list[float]]
"""Seconds of each pass, one per round, by the first request of its batch and its number there."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A prompt and a JSON text, `int32[n]` both, and the guards that the text fits, by backend."""

    prompt: TokenArray
    tokens: TokenArray
    guards: dict[str, Guard]


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("schemas", nargs="+", type=Path, help="JSON lines with a schema and its valid instances")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--instances", type=int, default=6, help="texts to write")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--drafted", type=int, nargs="*", default=[0, 4, 10], help="tokens per draft")
    made.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="rows")
    made.add_argument("--shape", choices=SHAPES, default="135m")
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = made.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    vocabulary = Vocabulary.of(load_tokenizer("tekken"))
    bench = Bench(list(instances(arguments.schemas, vocabulary, arguments.instances)), vocabulary, arguments.shape)
    cases = [(batch, drafted) for batch in arguments.batch for drafted in [*arguments.drafted, None]]
    rows = [
        bench.steered_row(batch, arguments.rounds)
        if drafted is None
        else bench.masked_row(batch, drafted, arguments.rounds)
        for batch, drafted in track(cases, "Passing", console=Console(stderr=True), transient=True)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows, bench.instances)


def instances(
    paths: Sequence[Path], vocabulary: Vocabulary, limit: int, backends: Sequence[str] = BACKENDS
) -> Iterator[Instance]:
    """First instances of schemas, in random order, that all backends accept and that have a suitable length."""
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
            guards = {backend: _guard(row["schema"], vocabulary, backend) for backend in backends}
            if all(guard is not None and guard.accepts(text) for guard in guards.values()):
                found += 1
                prompt = np.array(vocabulary.encode(schema_prompt(row["schema"])), np.int32)
                fitting = {backend: guard for backend, guard in guards.items() if guard is not None}
                yield Instance(prompt, tokens, fitting)


def _guard(schema: Any, vocabulary: Vocabulary, backend: Any) -> Guard | None:
    try:
        return Guard.json_schema(schema, vocabulary, backend=backend, whitespace="compact")
    except GuardError:
        return None


class _Certain:
    """Drafts the coming text, as much as allowed."""

    def __init__(self, outputs: Iterator[list[int]]) -> None:
        self._rows = outputs

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


class _Kept:
    """The drafts of a batch's passes, by row in the order of opening: kept from one run, and read again in another."""

    def __init__(self, rows: Sequence[list[Draft]] | None = None) -> None:
        self._lookup = AdaptiveLookup()
        self._kept = None if rows is None else iter(rows)
        self.rows: list[list[Draft]] = []

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        session = self._lookup.open(segment, references)
        if self._kept is not None:
            return _Rereading(session, iter(next(self._kept)))
        self.rows.append([])
        return _Keeping(session, self.rows[-1])


class _Session:
    """A session around another one."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def extend(self, tokens: TokenArray) -> None:
        self._session.extend(tokens)

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        return self._session.propose(max_tokens, min_survival)  # type: ignore[no-any-return]

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self._session.observe(draft, num_accepted)

    def close(self) -> None:
        self._session.close()


class _Keeping(_Session):
    """Drafts like the wrapped session, and keeps the drafts that are read."""

    def __init__(self, session: DraftSession, kept: list[Draft]) -> None:
        super().__init__(session)
        self._drafts = kept

    def steer(self, max_tokens: int, min_survival: float, steering: Steering) -> Draft:
        return self._session.steer(max_tokens, min_survival, steering)  # type: ignore[no-any-return]

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self._drafts.append(draft)
        super().observe(draft, num_accepted)


class _Rereading(_Session):
    """Drafts like the wrapped session, but offers the kept drafts instead."""

    def __init__(self, session: DraftSession, kept: Iterator[Draft]) -> None:
        super().__init__(session)
        self._drafts = kept

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        super().propose(max_tokens, min_survival)
        return next(self._drafts)

    def observe(self, draft: Draft, num_accepted: int) -> None:
        super().observe(Draft(NO_DRAFT), 0)  # the wrapped session's draft was another one


class Bench:
    """One model, all passes."""

    def __init__(self, instances: Sequence[Instance], vocabulary: Vocabulary, shape: str) -> None:
        """shape: of `benchmarks.recorded`."""
        self.instances = instances
        [self.end] = vocabulary.eos_tokens
        config = LlamaConfig(
            vocab_size=len(vocabulary),
            max_position_embeddings=max(instance.prompt.size for instance in instances) + MOST + 1,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=self.end,
            pad_token_id=self.end,
            **SHAPES[shape],
        )
        self.model: Any = ReplayModel(config, [Trace(instance.prompt, instance.tokens) for instance in instances])

    def masked_row(self, batch: int, drafted: int, rounds: int) -> dict[str, Any]:
        """The cost of masks, in passes that draft `drafted` tokens."""
        times: dict[str | None, Times] = {arm: defaultdict(list) for arm in (None, *BACKENDS)}
        for requests in self._batches(batch, rounds):
            for backend, found in times.items():
                spec = Speculator(_Certain(map(self._output, requests)), FixedBudget(drafted))
                for index, seconds in enumerate(self._run(spec, requests, backend)):
                    found[requests[0], index].append(seconds)
        plain = _medians(times[None])
        return _row(batch, drafted, plain) | {backend: _ratio(times[backend], plain) for backend in BACKENDS}

    def steered_row(self, batch: int, rounds: int) -> dict[str, Any]:
        """The total cost of a guard with steering, in passes with its own drafts."""
        times: tuple[Times, Times] = (defaultdict(list), defaultdict(list))
        for requests in self._batches(batch, rounds):
            kept = _Kept()
            steered = self._run(Speculator(kept, FixedBudget()), requests, BACKENDS[0])
            plain = self._run(Speculator(_Kept(kept.rows), FixedBudget()), requests, None)
            for found, passes in zip(times, (plain, steered), strict=True):
                for index, seconds in enumerate(passes):
                    found[requests[0], index].append(seconds)
        unguarded = _medians(times[0])
        return _row(batch, None, unguarded) | {"steered": _ratio(times[1], unguarded)}

    def _batches(self, batch: int, rounds: int) -> Iterator[list[int]]:
        for _ in range(rounds):
            for first in range(0, len(self.instances), batch):
                yield [(first + row) % len(self.instances) for row in range(batch)]

    def _output(self, request: int) -> list[int]:
        return [*self.instances[request].tokens.tolist(), self.end]

    def _run(self, spec: Speculator, requests: Sequence[int], backend: str | None) -> list[float]:
        """Seconds of each pass but the first and the last; asserts that the texts are emitted."""
        outputs = [self._output(request) for request in requests]
        guards = [] if backend is None else [self.instances[request].guards[backend] for request in requests]
        inputs = self.model.inputs(requests)
        with timed_forwards(self.model, time.perf_counter) as forwards:
            output = self.model.generate(
                **inputs,
                max_new_tokens=MOST,
                custom_generate=spec,
                logits_processor=[Guard.per_row(guards)] if guards else [],
            )
        emitted = output[:, inputs["input_ids"].shape[1] :].tolist()
        assert outputs == [row[: len(text)] for row, text in zip(emitted, outputs, strict=True)]
        starts = forwards.starts[1:]
        return [end - start for start, end in pairwise(starts)]


def _medians(times: Times) -> dict[tuple[int, int], float]:
    return {at: median(seconds) for at, seconds in times.items()}


def _ratio(times: Times, plain: dict[tuple[int, int], float]) -> float:
    return median(median(seconds) / plain[at] for at, seconds in times.items())


def _row(batch: int, drafted: int | None, plain: dict[tuple[int, int], float]) -> dict[str, Any]:
    return {"batch": batch, "drafted": drafted, "passes": len(plain), "ms": median(plain.values()) * 1e3}


def _print(rows: list[dict[str, Any]], instances: Sequence[Instance]) -> None:
    lengths = sorted(instance.tokens.size for instance in instances)
    table = Table(
        box=SIMPLE_HEAD,
        title=f"A guarded pass by an unguarded one ({len(lengths)} texts of {lengths[0]} to {lengths[-1]} tokens)",
    )
    arms = (*BACKENDS, "steered")
    for name in ("batch", "drafted", "passes", "ms unguarded", *arms):
        table.add_column(name, justify="right")
    for row in rows:
        drafted = "its own" if row["drafted"] is None else str(row["drafted"])
        ratios = [f"{row[arm]:.3f}x" if arm in row else "" for arm in arms]
        table.add_row(str(row["batch"]), drafted, str(row["passes"]), f"{row['ms']:.1f}", *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
