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
    expected: the whole answer; pico may get it wrong, and the demo should say so.
    """

    name: str
    origin: str
    prompt: str
    expected: str


def demo_inputs() -> tuple[DemoInput, ...]:
    """The three inputs, chosen by rule (``training/demo.py``), not by pico's results on them."""
    # The function is shipped as text: read from the running Python, it would differ from version to version.
    text = Path(__file__).with_name("demo_inputs.json").read_text("utf-8")
    return tuple(DemoInput(**fields) for fields in json.loads(text))
