"""Curricula and their batches: from random tokens, where only copying helps, to functions, sorted by length."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from .drills import hardest
from .tasks import TASKS, Example

IGNORED = -100
POOL = 24  # batches made and sorted together
MAX_ROWS = 64


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training with its own mixture."""

    until: int
    """Step at which the stage ends."""
    max_length: int
    """Tokens of prompt and answer."""
    weights: dict[str, float]
    """Share of each task; ``noise`` are random tokens."""
    choices: int = 1
    """Of so many examples drawn, the hardest is taken (``drills.py``)."""


FIRST = (
    Stage(300, 256, {"noise": 0.06, "repeat": 0.12, "edit": 0.37, "extract": 0.30, "rewrite": 0.15}),
    Stage(900, 448, {"noise": 0.04, "repeat": 0.08, "edit": 0.40, "extract": 0.33, "rewrite": 0.15}),
    Stage(sys.maxsize, 768, {"noise": 0.03, "repeat": 0.07, "edit": 0.45, "extract": 0.30, "rewrite": 0.15}),
)
SECOND_MIXTURE = {"noise": 0.02, "repeat": 0.06, "edit": 0.40, "extract": 0.36, "rewrite": 0.16}
SECOND = (
    Stage(600, 512, SECOND_MIXTURE, choices=3),
    Stage(sys.maxsize, 768, SECOND_MIXTURE),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step reads, and what it should answer."""

    ids: Tensor
    """int64[B, T], padded on the right."""
    labels: Tensor
    """int64[B, T], the token to predict at each position; ``IGNORED`` outside of answers."""


def encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> tuple[list[int], int]:
    """Tokens of prompt, answer and end of sequence, and how many belong to the prompt."""
    prompt = tokenizer(example.prompt).input_ids
    answer = tokenizer(example.answer, add_special_tokens=False).input_ids
    return [*prompt, *answer, tokenizer.eos_token_id], len(prompt)


def collate(sequences: list[tuple[list[int], int]], pad: int) -> Batch:
    """Pad on the right; the loss sees the answers only."""
    length = max(len(tokens) for tokens, _ in sequences) - 1
    ids = torch.full((len(sequences), length), pad)
    labels = torch.full((len(sequences), length), IGNORED)
    for row, (tokens, prompt) in enumerate(sequences):
        ids[row, : len(tokens) - 1] = torch.tensor(tokens[:-1])
        labels[row, prompt - 1 : len(tokens) - 1] = torch.tensor(tokens[prompt:])
    return Batch(ids, labels)


def batches(
    tokenizer: PreTrainedTokenizerBase,
    rng: random.Random,
    curriculum: tuple[Stage, ...],
    *,
    num_steps: int,
    num_tokens: int,
) -> Iterator[Batch]:
    """``num_steps`` batches of about ``num_tokens`` tokens each, padding included, along ``curriculum``."""
    step = 0
    while step < num_steps:
        stage = next(stage for stage in curriculum if step < stage.until)
        pool = _pool(tokenizer, rng, stage, num_tokens)
        rng.shuffle(pool)
        for sequences in pool[: num_steps - step]:
            yield collate(sequences, tokenizer.pad_token_id)
            step += 1


def _pool(
    tokenizer: PreTrainedTokenizerBase, rng: random.Random, stage: Stage, num_tokens: int
) -> list[list[tuple[list[int], int]]]:
    sequences = []
    total = 0
    while total < POOL * num_tokens:
        task = rng.choices(list(stage.weights), list(stage.weights.values()))[0]
        if task == "noise":
            made = _noise(tokenizer, rng)
        else:
            drawn = [TASKS[task](rng, held_back=False) for _ in range(stage.choices)]
            made = encode(tokenizer, hardest(drawn))
        if len(made[0]) <= stage.max_length:
            sequences.append(made)
            total += len(made[0])
    sequences.sort(key=lambda sequence: len(sequence[0]))
    pool: list[list[tuple[list[int], int]]] = [[]]
    for sequence in sequences:
        if (len(pool[-1]) + 1) * len(sequence[0]) > num_tokens or len(pool[-1]) == MAX_ROWS:
            pool.append([])
        pool[-1].append(sequence)
    return pool


def _noise(tokenizer: PreTrainedTokenizerBase, rng: random.Random) -> tuple[list[int], int]:
    # Few distinct tokens repeat often, so that one token of context does not tell what follows.
    ordinary = range(len(tokenizer.all_special_ids), len(tokenizer))
    alphabet = rng.sample(ordinary, rng.choice([4, 8, 16, 64, 256]))
    span = rng.choices(alphabet, k=rng.randint(4, 52))
    before, after = (tokenizer(part).input_ids for part in ("### repeat\n", "\n### answer\n"))
    return [*before, *span, *after[1:], *span, tokenizer.eos_token_id], len(before) + len(span) + len(after) - 1
