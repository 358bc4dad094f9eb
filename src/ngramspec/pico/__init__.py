"""pico: the embedded default model, a small Llama that has learned to copy.

It knows four short tasks, each with one prompt format. The functions below are the only definition of those formats:
training, evaluation and the demo all go through them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["PICO_PATH", "edit_prompt", "extract_prompt", "load_pico", "repeat_prompt", "rewrite_prompt"]

PICO_PATH = Path(__file__).parent
"""Folder with config, weights and tokenizer, as ``from_pretrained`` expects it."""


def edit_prompt(old: str, new: str, source: str) -> str:
    """Ask for ``source``, a Python function, with the name ``old`` changed to ``new`` everywhere."""
    return f"### rename {old} to {new}\n{source}\n### answer\n"


def extract_prompt(text: str, template: Mapping[str, str | int], *, spaced: bool = False) -> str:
    """Ask for ``template`` as one JSON object, with its empty values filled in from ``text``.

    Empty is ``""`` for a text and ``0`` for a number. The template is in the prompt, so that keys and punctuation of
    the answer can be drafted from it. ``spaced`` writes ``{"a": 1, "b": 2}``, the default is ``{"a":1,"b":2}``; the
    answer has the same spacing. Raises ValueError for an empty template.
    """
    if not template:
        raise ValueError("template must name at least one field to extract, got none")
    shape = json.dumps(template, separators=(", ", ": ") if spaced else (",", ":"), ensure_ascii=False)
    return f"### extract {shape}\n{text}\n### answer\n"


def rewrite_prompt(old: str, new: str, text: str) -> str:
    """Ask for ``text`` with the one passage ``old`` corrected to ``new``, and nothing else changed."""
    return f"### correct {old} to {new}\n{text}\n### answer\n"


def repeat_prompt(text: str) -> str:
    """Ask for ``text`` again, unchanged."""
    return f"### repeat\n{text}\n### answer\n"


def load_pico() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model (float32, evaluation mode, CPU) and its tokenizer, read from the package without any network."""
    # Imported here, so that the prompt formats and `import ngramspec` need neither torch nor transformers.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(PICO_PATH, local_files_only=True)
    # from_pretrained leaves the model in evaluation mode.
    model = AutoModelForCausalLM.from_pretrained(PICO_PATH, dtype=torch.float32, local_files_only=True)
    return model, tokenizer
