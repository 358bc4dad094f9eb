"""Exact match of greedy decoding, in one pass per batch.

Greedy decoding gives the answer exactly if and only if, with the answer fed in, each position's best token is the next.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .batches import IGNORED, collate, encode
from .tasks import TASKS, Example


@dataclass(frozen=True, slots=True)
class Score:
    """How well one task is answered."""

    exact: float
    """Share of the answers that are right to the last token."""
    token_accuracy: float
    """Share of the answers' tokens that are right behind a right beginning."""


def held_back_examples(
    tokenizer: PreTrainedTokenizerBase, seed: int, num_examples: int, max_length: int = 768
) -> dict[str, list[Example]]:
    """The first ``num_examples`` per task that fit: the same for every model with this tokenizer."""
    examples: dict[str, list[Example]] = {}
    for name, task in TASKS.items():
        rng = random.Random(f"{seed} {name}")
        examples[name] = []
        while len(examples[name]) < num_examples:
            example = task(rng, held_back=True)
            if len(encode(tokenizer, example)[0]) <= max_length:
                examples[name].append(example)
    return examples


@torch.no_grad()
def score(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: list[Example], rows: int = 8) -> Score:
    """Score ``examples``, ``rows`` at a time."""
    sequences = sorted((encode(tokenizer, example) for example in examples), key=lambda pair: len(pair[0]))
    exact = right = total = 0
    for start in range(0, len(sequences), rows):
        batch = collate(sequences[start : start + rows], tokenizer.pad_token_id)
        chosen = model(input_ids=batch.ids, use_cache=False).logits.argmax(-1)
        counted = batch.labels != IGNORED
        agrees = (chosen == batch.labels) | ~counted
        exact += int(agrees.all(-1).sum())
        right += int((agrees & counted).sum())
        total += int(counted.sum())
    return Score(exact / len(sequences), right / total)
