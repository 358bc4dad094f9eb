"""The initial weights of survival, learnt from recorded traffic.

There is one number per feature of a match (`core/plain/features.py`), and no text. `training/survival.py` makes them.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

FILE = "prior.json"


@cache
def learnt_weights() -> tuple[float | None, ...]:
    """The weights, in the order of `core/plain/features.py`; None for a feature that no recording had."""
    text = (files("ngramspec.drafting") / FILE).read_text(encoding="utf-8")
    return tuple(None if weight is None else weight / 100 for weight in json.loads(text))


def written(weights: Sequence[float | None]) -> str:
    """The content of the file: weights in hundredths, twenty per line."""
    numbers = ["null" if weight is None else str(round(weight * 100)) for weight in weights]
    lines = [", ".join(numbers[start : start + 20]) for start in range(0, len(numbers), 20)]
    return "[\n" + ",\n".join(lines) + "\n]\n"
