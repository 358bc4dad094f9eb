"""Which examples are worth a training step: those with most places per character where copying on is not enough.

Read off the failures after the first cycle of training. A wrong extraction is wrong in the first token of a value, and
nearly always in one of two places: a number without a space before it, or a name that opens its sentence. A wrong edit
is wrong directly behind the new name.
"""

from __future__ import annotations

import json
import re

from .rename import count
from .tasks import Example


def hardest(examples: list[Example]) -> Example:
    """The first with the most hard places per character."""
    return max(examples, key=lambda example: hard_places(example) / len(example.prompt + example.answer))


def hard_places(example: Example) -> int:
    """How many tokens of the answer take more than going on with what is being copied."""
    if example.task == "extract":
        return _numbers_without_space(example.answer) + _values_before_their_phrase(example)
    if example.task == "edit":
        new = example.prompt.split("\n", 1)[0].split()[-1]
        return count(example.answer, new)
    return 1


def _numbers_without_space(answer: str) -> int:
    # In `"age":42` one position must both leave the key and find the value; a quote or a space would give it two.
    return len(re.findall(r'":\d', answer))


def _values_before_their_phrase(example: Example) -> int:
    # In `Ada Brisk chairs it.` the value's first token has passed before the text says which field it was.
    text = example.prompt.split("\n", 1)[1]
    starts = (re.escape(str(value)) for value in json.loads(example.answer).values())
    return sum(bool(re.search(rf"(^|\n|\. ){start} [a-z]", text)) for start in starts)
