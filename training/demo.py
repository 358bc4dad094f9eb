"""``python -m training.demo``: the demo's inputs, as JSON, chosen by rule from the held-back side.

Of each kind the first candidate that pico answers right, to the last character, by plain greedy decoding: no draft is
looked at, and no time. ``looked_at`` says how many candidates that took. The candidates, in order:

- edit: the functions, by module and line, of 300 to 500 characters with a renamable name that stands in them at least
  four times; the most frequent such name gets the next held-back identifier of ``Random(0)``.
- extract: the held-back records of ``Random(0)``, all fields in the order of their kind.
- rewrite: the held-back records of ``Random(1)``; the longest value is corrected to the next value of its sort.
"""

from __future__ import annotations

import json
import platform
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from itertools import islice
from typing import Any

from ngramspec.pico import edit_prompt, extract_prompt, load_pico, rewrite_prompt
from ngramspec.pico.demo_inputs import DemoInput

from . import names
from .corpus import functions
from .records import KINDS, record
from .rename import count, renamable, rename

MOST = 50
"""Candidates of a kind that are looked at."""


def edits() -> Iterator[DemoInput]:
    """Renames in functions of the standard library."""
    rng = random.Random(0)
    for function in functions(held_back=True):
        olds = sorted(renamable(function.source), key=lambda name: -count(function.source, name))
        if 300 <= len(function.source) <= 500 and olds and count(function.source, olds[0]) >= 4:
            new = names.draw(rng, names.identifier, held_back=True)
            yield DemoInput(
                "edit",
                f"{function.module}.{function.qualname}, Python {platform.python_version()}, PSF-2.0",
                edit_prompt(olds[0], new, function.source),
                rename(function.source, olds[0], new),
            )


def extracts() -> Iterator[DemoInput]:
    """Records as JSON."""
    rng = random.Random(0)
    while True:
        chosen = record(rng, held_back=True)
        fields = [field.name for field in KINDS[chosen.kind]]
        yield DemoInput(
            "extract",
            "training/records.py",
            extract_prompt(chosen.text, chosen.template(fields)),
            chosen.to_json(fields, spaced=False),
        )


def rewrites() -> Iterator[DemoInput]:
    """Texts with one value corrected."""
    rng = random.Random(1)
    while True:
        chosen = record(rng, held_back=True)
        longest = max(KINDS[chosen.kind], key=lambda field: len(chosen.values[field.name]))
        old, new = chosen.values[longest.name], names.draw(rng, longest.make, held_back=True)
        yield DemoInput(
            "rewrite",
            "training/records.py",
            rewrite_prompt(old, new, chosen.text),
            chosen.text.replace(old, new),
        )


def first_right(candidates: Iterator[DemoInput]) -> DemoInput:
    """The first of `candidates` that pico answers right; LookupError if none of the first `MOST` is."""
    for number, job in enumerate(islice(candidates, MOST), 1):
        if answer(job) == job.expected:
            return replace(job, looked_at=number)
    raise LookupError(f"one of the first {MOST} candidates of a kind must be answered right, found none")


def answer(job: DemoInput) -> str:
    """What pico answers, by plain greedy decoding; longer than the right answer by one token at most."""
    model, tokenizer = _pico()
    prompt = tokenizer(job.prompt, return_tensors="pt")
    room = len(tokenizer(job.expected)["input_ids"]) + 1
    output = model.generate(**prompt, do_sample=False, max_new_tokens=room)[0, prompt["input_ids"].shape[1] :]
    return str(tokenizer.decode(output, skip_special_tokens=True, clean_up_tokenization_spaces=False))


@cache
def _pico() -> tuple[Any, Any]:
    return load_pico()


def demo_inputs() -> list[dict[str, Any]]:
    """The three inputs, in the order of the demo."""
    return [asdict(first_right(candidates)) for candidates in (edits(), extracts(), rewrites())]


if __name__ == "__main__":
    print(json.dumps(demo_inputs(), indent=1, ensure_ascii=False))
