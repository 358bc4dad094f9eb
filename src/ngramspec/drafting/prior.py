"""What is known of matches before the first lesson of one's own: weights learnt from recorded traffic.

They are numbers per kind of match (`core/features.py`), not texts; `training/survival.py` makes them.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

FILE = "prior.json"


@cache
def learnt_weights() -> tuple[float | None, ...]:
    """The weights, in the order of `core/features.py`; None for what never occurred in the recordings."""
    text = (files("ngramspec.drafting") / FILE).read_text(encoding="utf-8")
    return tuple(None if weight is None else weight / 100 for weight in json.loads(text))


def written(weights: Sequence[float | None]) -> str:
    """The content of the file: hundredths, twenty to a line."""
    numbers = ["null" if weight is None else str(round(weight * 100)) for weight in weights]
    lines = [", ".join(numbers[start : start + 20]) for start in range(0, len(numbers), 20)]
    return "[\n" + ",\n".join(lines) + "\n]\n"
