"""The inputs of `ngramspec demo`: one per job, none of them in the training data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoInput:
    """A job for pico and its right answer.

    name: ``edit``, ``extract`` or ``rewrite``.
    origin: where the text comes from.
    expected: the whole right answer.
    looked_at: candidates that were tried, in order, until pico's plain answer was right: this one and those before it.
    """

    name: str
    origin: str
    prompt: str
    expected: str
    looked_at: int = 1


def demo_inputs() -> tuple[DemoInput, ...]:
    """Of each kind the first candidate that pico's plain decoding answers right (``training/demo.py``)."""
    # The function is shipped as text: read from the running Python, it would differ from version to version.
    text = Path(__file__).with_name("demo_inputs.json").read_text("utf-8")
    return tuple(DemoInput(**fields) for fields in json.loads(text))
