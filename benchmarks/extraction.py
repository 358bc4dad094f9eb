"""Extraction as JSON by the embedded model: ngramspec, alone and in batches, beside onnxruntime-genai.

    python -m benchmarks.extraction [--items 40] [--rounds 3] [--json]

Held-back items of pico's extraction task, each under the schema of its answer. onnxruntime-genai (`pip install
'ngramspec[benchmarks]'`) runs the same weights in float32, exported by its own builder, and drafts with n-grams of
three and at most ten tokens, as ngramspec does for "ten tokens"; else ngramspec drafts what pays. With the schema it
is measured with default settings, and at its best: forced tokens switched on, and a schema that allows only the
answer's own blanks.

Tokens are emitted ones, the end of sequence included. Passes are runs of the model that emit tokens, the one that reads
the prompt included. onnxruntime-genai runs the model once more after most drafts, to roll them back; only
`tokens_per_run` counts those runs. Each way's time is the median over the rounds, in which ways take turns.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ngramspec import FixedBudget, Guard, Speculator, Vocabulary
from ngramspec.decoding import Budget
from ngramspec.pico import PICO_PATH, load_pico
from training.score import held_back_examples
from training.tasks import Example

SEED = 2
NEW_TOKENS = 128
PEER = "onnxruntime-genai"
IN_ASCII = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Za-z]+|[0-9]|\n[ \t]*| +|[^A-Za-z0-9 \n]"
"""How pico's tokenizer splits ASCII text, without Unicode categories, which the other project's regexes lack."""

PEER_OPTIONS = {"ngram_size": 3, "max_draft_tokens": 10}


@dataclass(frozen=True, slots=True)
class Written:
    """The results of all items in one way: the texts, and the numbers of tokens, passes and runs of the model."""

    texts: list[str]
    tokens: int
    passes: int
    runs: int


def schema_of(answer: str) -> dict[str, Any]:
    """The schema of an object with the fields of `answer`, all of them required."""
    fields = json.loads(answer)
    types = {name: {"type": "string" if isinstance(value, str) else "number"} for name, value in fields.items()}
    return {"type": "object", "properties": types, "required": list(fields), "additionalProperties": False}


class Ours:
    """The model in transformers, with and without ngramspec."""

    def __init__(self, items: Sequence[Example]) -> None:
        """items: to be answered, in batches in this order."""
        model: Any
        model, self.tokenizer = load_pico()
        self.tokenizer.padding_side = "left"
        self.model, self.items = model, items
        vocabulary = Vocabulary.of(self.tokenizer)
        self.guards = [Guard.json_schema(schema_of(item.answer), vocabulary) for item in items]

    def write(self, batch: int, *, is_guarded: bool, budget: Budget | None = None) -> Written:
        """With ngramspec; budget: see `Speculator`."""
        spec = Speculator(budget=budget)
        texts: list[str] = []
        for first in range(0, len(self.items), batch):
            guards = [Guard.per_row(self.guards[first : first + batch])] if is_guarded else []
            texts += self._generate(first, batch, logits_processor=guards, custom_generate=spec)
        total = spec.stats.total
        return Written(texts, total.tokens, total.target_passes, total.target_passes)

    def write_plainly(self, *, is_guarded: bool) -> Written:
        """Without ngramspec's drafts, one by one; with a guard, only the guard is ours."""
        texts: list[str] = []
        for index in range(len(self.items)):
            texts += self._generate(index, 1, logits_processor=[self.guards[index].processor()] if is_guarded else [])
        tokens = sum(len(self.tokenizer(text, add_special_tokens=False).input_ids) + 1 for text in texts)
        return Written(texts, tokens, tokens, tokens)

    def _generate(self, first: int, batch: int, **settings: Any) -> list[str]:
        prompts = [item.prompt for item in self.items[first : first + batch]]
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True)
        output = self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, **settings)
        texts: list[str] = self.tokenizer.batch_decode(output[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
        return texts


class Peer:
    """The model in onnxruntime-genai."""

    def __init__(self, items: Sequence[Example], tokenizer: Any, folder: Path) -> None:
        """folder: an empty one, for the exported model."""
        self.items, self.tokenizer = items, tokenizer
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(PICO_PATH)]
        command += ["-o", str(folder), "-p", "fp32", "-e", "cpu", "-c", str(folder / "cache")]
        subprocess.run(command, check=True, capture_output=True)
        saved = json.loads((folder / "tokenizer.json").read_text())
        saved["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = IN_ASCII
        (folder / "tokenizer.json").write_text(json.dumps(saved))
        self._library = import_module("onnxruntime_genai")
        self._model = self._library.Model(str(folder))
        read = self._library.Tokenizer(self._model)
        for item in items:
            cut = tokenizer(item.prompt, add_special_tokens=False).input_ids
            assert cut == read.encode(item.prompt).tolist(), item.prompt

    def write(self, schema_for: Callable[[str], dict[str, Any]] | None, *, forces: bool = False) -> Written:
        """schema_for: makes the schema from an answer; None for no schema. forces: whether to use forced tokens."""
        texts, tokens, passes, runs = [], 0, 0, 0
        for item in self.items:
            prompt = self.tokenizer(item.prompt).input_ids
            params = self._library.GeneratorParams(self._model)
            params.set_search_options(max_length=len(prompt) + NEW_TOKENS, do_sample=False)
            params.set_speculative_options(**PEER_OPTIONS)
            if schema_for is not None:
                params.set_guidance("json_schema", json.dumps(schema_for(item.answer)), enable_ff_tokens=forces)
            generator = self._library.Generator(self._model, params)
            generator.append_tokens(np.array([prompt], np.int32))
            steps = 0
            while not generator.is_done():
                generator.generate_next_token()
                steps += 1
            stats = generator.get_speculative_stats()
            alone = steps - stats["tokens_emitted"]  # steps whose token did not come from a draft
            emitted = generator.get_sequence(0)[len(prompt) :]
            texts.append(self.tokenizer.decode(emitted, skip_special_tokens=True))
            tokens += len(emitted) + 1  # the end of sequence is not in the sequence
            passes += alone + stats["rounds"]
            runs += alone + stats["target_forward_passes"]
        return Written(texts, tokens, passes, runs)


def with_its_blanks(answer: str) -> dict[str, Any]:
    """The schema of `answer`, with only its own blanks, by an extension of llguidance."""
    comma, colon = (", ", ": ") if '": ' in answer else (",", ":")
    spaced = {"whitespace_flexible": False, "item_separator": comma, "key_separator": colon}
    return {**schema_of(answer), "x-guidance": spaced}


def extraction(num_items: int, rounds: int) -> dict[str, Any]:
    """All figures; without those of the other project if it is not installed."""
    torch.set_num_threads(1)
    _, tokenizer = load_pico()
    items = held_back_examples(tokenizer, SEED, num_items)["extract"]
    ours = Ours(items)
    ways: dict[str, Callable[[], Written]] = {
        "plain": lambda: ours.write_plainly(is_guarded=False),
        "plain, schema": lambda: ours.write_plainly(is_guarded=True),
        "ngramspec": lambda: ours.write(1, is_guarded=False),
        "ngramspec, schema": lambda: ours.write(1, is_guarded=True),
        "ngramspec, schema, batch 8": lambda: ours.write(8, is_guarded=True),
        "ngramspec, schema, ten tokens": lambda: ours.write(1, is_guarded=True, budget=FixedBudget(10)),
        "ngramspec, schema, ten tokens, batch 8": lambda: ours.write(8, is_guarded=True, budget=FixedBudget(10)),
    }
    with TemporaryDirectory() as folder:
        if find_spec("onnxruntime_genai") is None:
            print(f"{PEER} is not installed, so it is left out: pip install 'ngramspec[benchmarks]'", file=sys.stderr)
        else:
            peer = Peer(items, tokenizer, Path(folder))
            ways[PEER] = lambda: peer.write(None)
            ways[f"{PEER}, schema"] = lambda: peer.write(schema_of)
            ways[f"{PEER}, schema, at its best"] = lambda: peer.write(with_its_blanks, forces=True)
        made: dict[str, Written] = {}
        seconds: dict[str, list[float]] = {}
        for _ in track(range(rounds), "Extracting", console=Console(stderr=True), transient=True):
            for name, way in ways.items():
                start = perf_counter()
                made[name] = way()
                seconds.setdefault(name, []).append(perf_counter() - start)
    first = made["plain"].texts
    arms = {name: _figures(written, median(seconds[name]), first) for name, written in made.items()}
    return {"items": len(items), "right": _num_equal(first, [item.answer for item in items]), "arms": arms}


def _figures(written: Written, seconds: float, first: Sequence[str]) -> dict[str, Any]:
    return {
        "tokens_per_pass": written.tokens / written.passes,
        "tokens_per_run": written.tokens / written.runs,
        "ms_per_token": 1e3 * seconds / written.tokens,
        "identical": _num_equal(written.texts, first),
    }


def _num_equal(texts: Sequence[str], others: Sequence[str]) -> int:
    return sum(text == other for text, other in zip(texts, others, strict=True))


def table(figures: dict[str, Any]) -> Table:
    """For people."""
    made = Table("extraction, live", "texts as plain", "tokens per pass", "per run", "ms per token", box=SIMPLE_HEAD)
    for name, arm in figures["arms"].items():
        identical = f"{arm['identical']} of {figures['items']}"
        figure = (f"{arm['tokens_per_pass']:.2f}", f"{arm['tokens_per_run']:.2f}", f"{arm['ms_per_token']:.2f}")
        made.add_row(name, identical, *figure)
    return made


def main() -> None:
    """Print the table."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--items", type=int, default=40, help="items to extract")
    made.add_argument("--rounds", type=int, default=3, help="that count")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = made.parse_args()
    figures = extraction(arguments.items, arguments.rounds)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        Console().print(table(figures))


if __name__ == "__main__":
    main()
