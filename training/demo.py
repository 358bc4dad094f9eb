"""``python -m training.demo``: the demo's inputs, as JSON, chosen by rule from the held-back side.

The rule was fixed before pico had answered any of them.

- edit: the first function, by module and line, of 300 to 500 characters with a renamable name that stands in it at
  least four times; its most frequent such name gets the first held-back identifier of ``Random(0)``.
- extract: the first held-back record of ``Random(0)``, all fields in the order of its kind.
- rewrite: the first held-back record of ``Random(1)``; its longest value is corrected to the next value of its sort.
"""

from __future__ import annotations

import json
import platform
import random

from ngramspec.pico import edit_prompt, extract_prompt, rewrite_prompt

from . import names
from .corpus import functions
from .records import KINDS, record
from .rename import count, renamable, rename


def edit_input() -> dict[str, str]:
    """A rename on a function of the standard library."""
    rng = random.Random(0)
    new = names.draw(rng, names.identifier, held_back=True)
    for function in functions(held_back=True):
        olds = sorted(renamable(function.source), key=lambda name: -count(function.source, name))
        if 300 <= len(function.source) <= 500 and olds and count(function.source, olds[0]) >= 4:
            return {
                "name": "edit",
                "origin": f"{function.module}.{function.qualname}, Python {platform.python_version()}, PSF-2.0",
                "prompt": edit_prompt(olds[0], new, function.source),
                "expected": rename(function.source, olds[0], new),
            }
    raise LookupError("one held-back function must have 300 to 500 characters and a frequent name, found none")


def extract_input() -> dict[str, str]:
    """A record as JSON."""
    chosen = record(random.Random(0), held_back=True)
    fields = [field.name for field in KINDS[chosen.kind]]
    return {
        "name": "extract",
        "origin": "training/records.py",
        "prompt": extract_prompt(chosen.text, chosen.template(fields)),
        "expected": chosen.to_json(fields, spaced=False),
    }


def rewrite_input() -> dict[str, str]:
    """A text with one value corrected."""
    rng = random.Random(1)
    chosen = record(rng, held_back=True)
    longest = max(KINDS[chosen.kind], key=lambda field: len(chosen.values[field.name]))
    old, new = chosen.values[longest.name], names.draw(rng, longest.make, held_back=True)
    return {
        "name": "rewrite",
        "origin": "training/records.py",
        "prompt": rewrite_prompt(old, new, chosen.text),
        "expected": chosen.text.replace(old, new),
    }


def demo_inputs() -> list[dict[str, str]]:
    """The three inputs, in the order of the demo."""
    return [edit_input(), extract_input(), rewrite_input()]


if __name__ == "__main__":
    print(json.dumps(demo_inputs(), indent=1, ensure_ascii=False))
