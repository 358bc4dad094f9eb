"""The four tasks: an example is a prompt and its one right answer, drawn from a generator and a side of the split."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from ngramspec.pico import edit_prompt, extract_prompt, repeat_prompt, rewrite_prompt

from . import names
from .corpus import functions, paragraphs
from .records import record
from .rename import is_free, renamable, rename


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the one right answer to it."""

    task: str
    prompt: str
    answer: str


def edit(rng: random.Random, *, held_back: bool) -> Example:
    """Rename one name of a function of the standard library."""
    pool = functions(held_back=held_back)
    while not (olds := renamable(source := rng.choice(pool).source)):
        pass
    if not held_back and rng.random() < 0.5:
        source = _disguised(rng, source)
        olds = renamable(source)
    old = rng.choice(olds)
    while not is_free(source, new := names.draw(rng, names.identifier, held_back=held_back)):
        pass
    return Example("edit", edit_prompt(old, new, source), rename(source, old, new))


def extract(rng: random.Random, *, held_back: bool) -> Example:
    """State some fields of a record, described in a text, as JSON."""
    chosen = record(rng, held_back=held_back)
    fields = rng.sample(sorted(chosen.values), rng.randint(2, len(chosen.values)))
    spaced = rng.random() < 0.5
    prompt = extract_prompt(chosen.text, chosen.template(fields), spaced=spaced)
    return Example("extract", prompt, chosen.to_json(fields, spaced=spaced))


def rewrite(rng: random.Random, *, held_back: bool) -> Example:
    """Correct one passage of a record's text or of a docstring; it occurs there exactly once."""
    while True:
        if rng.random() < 0.5:
            chosen = record(rng, held_back=held_back)
            text, old = chosen.text, rng.choice(sorted(chosen.values.values()))
            make = rng.choice([names.person, names.date, names.city, names.company])
            new = names.draw(rng, make, held_back=held_back)
        else:
            text = rng.choice(paragraphs(held_back=held_back))
            words = re.findall(r"\w{4,}", text)
            old = rng.choice(words) if words else ""
            new = names.draw(rng, lambda rng: names.syllables(rng, 1, 3), held_back=held_back)
        if old and text.count(old) == 1 and new not in text:
            return Example("rewrite", rewrite_prompt(old, new, text), text.replace(old, new))


def repeat(rng: random.Random, *, held_back: bool) -> Example:
    """Repeat a function, a paragraph, a record's text, or words without any sense."""
    kind = rng.random()
    if kind < 0.25:
        text = rng.choice(functions(held_back=held_back)).source
    elif kind < 0.5:
        text = rng.choice(paragraphs(held_back=held_back))
    elif kind < 0.6:
        text = record(rng, held_back=held_back).text
    else:
        words = [names.draw(rng, names.identifier, held_back=held_back) for _ in range(rng.randint(2, 12))]
        glue = rng.choice([" ", " ", ", ", "\n", "(", ".", "\n    "])
        text = glue.join(rng.choice(words) for _ in range(rng.randint(4, 40)))
    return Example("repeat", repeat_prompt(text), text)


def _disguised(rng: random.Random, source: str) -> str:
    # Other names than the library's, consistently: what was learned by heart does not help to copy them.
    for old in renamable(source):
        new = names.draw(rng, names.identifier, held_back=False)
        if rng.random() < 0.6 and is_free(source, new):
            source = rename(source, old, new)
    return source


TASKS: dict[str, Callable[..., Example]] = {"edit": edit, "extract": extract, "rewrite": rewrite, "repeat": repeat}
