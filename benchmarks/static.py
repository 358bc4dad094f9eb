"""Does a compiled pass with a static cache pay? Plain decoding, transformers' lookup and ngramspec, with and without.

    python -m benchmarks.static [--model smollm2] [--kinds summary chat] [--dtypes float32] [--rounds 3]
    python -m benchmarks.static --model pico             # in a few minutes: it has few layers to compile

"eager" is a dynamic cache and an uncompiled model. "compiled" is `cache_implementation="static"` with transformers'
default `CompileConfig`, which `generate()` uses by itself on a GPU; here also on a CPU. The prompts are those of
`benchmarks.real`, for pico held-back items of its tasks, one at a time; answers are greedy. All ways take turns at each
call in one process. Two rounds before the first are warm-up: compilation is not timed there, but its time is shown
below the table.

Figures are emitted tokens per second of CPU time (on a GPU: of wall time) of whole calls, prefill included, from the
fastest round of each call. In brackets, the ratio to plain decoding, eager. "texts" says how many calls have its tokens
in all ways: compiled passes round differently.
"""

import argparse
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor
from transformers import CompileConfig

from benchmarks.console import wide_console
from benchmarks.real_models import PACKAGES, folder_of, load
from ngramspec import Speculator
from ngramspec.pico import PICO_PATH
from ngramspec.testing.equivalence import pad_token_of
from training.score import held_back_examples

PROMPTS = Path(__file__).with_name("real_prompts.toml")
DECODERS = ("plain", "lookup", "ngramspec")
FORMS = ("eager", "compiled")
WAYS = tuple((decoder, form) for decoder in DECODERS for form in FORMS)
DTYPES = ("bfloat16", "float32")
KINDS = ("summary", "correction", "rename", "chat")
SEED = 2
NUM_DRAFTED = 10
WARM_UPS = 2

Way = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt `int64[1, P]`, and the longest answer."""

    kind: str
    ids: Tensor
    max_new_tokens: int


@dataclass(slots=True)
class Timed:
    """The result of a job in one way: its tokens, and the seconds of each round, warm-up separately."""

    tokens: list[int] = field(default_factory=list)
    warming: float = 0.0
    seconds: list[float] = field(default_factory=list)


class Bench:
    """One model in one precision."""

    def __init__(self, arguments: argparse.Namespace, dtype: str) -> None:
        is_pico = arguments.model == "pico"
        folder = PICO_PATH if is_pico else folder_of(arguments.model, arguments.cache)
        self.model, self._tokenizer = load(folder, getattr(torch, dtype))
        self.model.to(arguments.device)
        self._clock = time.process_time if arguments.device == "cpu" else self._wall
        self._pad = pad_token_of(self.model)
        # A dynamic pass has another cost than a compiled one; each Speculator would find that out by itself.
        self._speculator = Speculator()
        made = self._items_of_pico(arguments) if is_pico else self._items(arguments)
        self.jobs = [
            Job(kind, torch.tensor([ids], device=self.model.device), min(arguments.max_new_tokens, most))
            for kind, ids, most in made
        ]
        # The lookup drafts beyond the longest text, and fails at the end of the cache.
        self._longest = max(job.ids.shape[1] + job.max_new_tokens for job in self.jobs) + NUM_DRAFTED

    def run(self, num_rounds: int) -> dict[Way, list[Timed]]:
        """All calls in all ways, in turn."""
        found: dict[Way, list[Timed]] = {way: [Timed() for _ in self.jobs] for way in WAYS}
        for number in range(WARM_UPS + num_rounds):
            for index, job in enumerate(self.jobs):
                for way in WAYS:
                    timed = found[way][index]
                    timed.tokens, seconds = self._call(job, way)
                    if number < WARM_UPS:
                        timed.warming += seconds
                    else:
                        timed.seconds.append(seconds)
        return found

    def _items(self, arguments: argparse.Namespace) -> Iterator[tuple[str, list[int], int]]:
        """Kind, prompt and longest answer of each call."""
        kinds = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
        for kind in arguments.kinds or KINDS:
            for item in kinds[kind][: arguments.limit]:
                message = [{"role": "user", "content": item["prompt"].strip()}]
                ids = self._tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
                yield kind, ids, item["max_new_tokens"]

    def _items_of_pico(self, arguments: argparse.Namespace) -> Iterator[tuple[str, list[int], int]]:
        tasks = held_back_examples(self._tokenizer, SEED, arguments.limit)
        for task in arguments.kinds or tasks:
            for item in tasks[task]:
                yield task, self._tokenizer(item.prompt)["input_ids"], arguments.max_new_tokens

    def _call(self, job: Job, way: Way) -> tuple[list[int], float]:
        decoder, form = way
        more: dict[str, Any] = {"plain": {}, "lookup": {"prompt_lookup_num_tokens": NUM_DRAFTED}}.get(
            decoder, {"custom_generate": self._speculator}
        )
        if form == "compiled":
            config: Any = CompileConfig()
            config._compile_all_devices = True
            more |= {"cache_implementation": "static", "compile_config": config, "max_cache_len": self._longest}
        start = self._clock()
        output = self.model.generate(
            job.ids,
            attention_mask=torch.ones_like(job.ids),
            max_new_tokens=job.max_new_tokens,
            do_sample=False,
            pad_token_id=self._pad,
            **more,
        )
        return output[0, job.ids.shape[1] :].tolist(), self._clock() - start

    def _wall(self) -> float:
        torch.cuda.synchronize(self.model.device)
        return time.perf_counter()


def rate(timed: Sequence[Timed]) -> float:
    """Tokens per second over some calls, from each call's fastest round."""
    return sum(len(each.tokens) for each in timed) / sum(min(each.seconds) for each in timed)


def rows_of(bench: Bench, found: dict[Way, list[Timed]]) -> list[list[str]]:
    """A row of cells for each kind, and one for all."""
    rows = []
    kinds = list(dict.fromkeys(job.kind for job in bench.jobs))
    for kind in (*kinds, "all"):
        chosen = [index for index, job in enumerate(bench.jobs) if kind in (job.kind, "all")]
        rates = {way: rate([timed[index] for index in chosen]) for way, timed in found.items()}
        plain = rates[WAYS[0]]
        same = [
            timed[index].tokens == found[WAYS[0]][index].tokens
            for way, timed in found.items()
            for index in chosen
            if way != WAYS[0]
        ]
        cells = [f"{rates[way]:.1f} ({rates[way] / plain:.2f})" for way in WAYS]
        rows.append([kind, *cells, f"{sum(same)} of {len(same)}"])
    return rows


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    for dtype in arguments.dtypes:
        bench = Bench(arguments, dtype)
        found = bench.run(arguments.rounds)
        made = Table(dtype, *(f"{decoder}, {form}" for decoder, form in WAYS), "texts", box=SIMPLE_HEAD, pad_edge=False)
        for row in rows_of(bench, found):
            made.add_row(*row)
        wide_console().print(made)
        warming = ", ".join(f"{' '.join(way)} {sum(each.warming for each in found[way]):.0f}" for way in WAYS)
        print(f"{arguments.model}, {arguments.threads} thread(s), {arguments.rounds} rounds; warming up, s: {warming}")


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--model", default="smollm2", help=f"pico, {', '.join(PACKAGES)}, or a folder")
    made.add_argument("--cache", type=Path, default=Path("build/models"), help="where models are put")
    made.add_argument("--device", default="cpu")
    made.add_argument("--kinds", nargs="+", help=f"kinds of prompts: {', '.join(KINDS)}")
    made.add_argument("--limit", type=int, default=2, help="prompts of a kind")
    made.add_argument("--max-new-tokens", type=int, default=128, help="longest answer; each kind has its own limit too")
    made.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    made.add_argument("--rounds", type=int, default=3, help="rounds that count")
    made.add_argument("--threads", type=int, default=1, help="threads of torch")
    return made.parse_args()


if __name__ == "__main__":
    main()
