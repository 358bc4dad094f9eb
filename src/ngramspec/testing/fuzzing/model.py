"""A tiny model for fuzzing: it mostly writes its script, and every logit depends exactly on the whole text.

Its one attention layer sums whole numbers, one per token and position that a query sees, and the sum selects a row of
noise. Sums of whole numbers are not rounded, so texts are equal or something is wrong; and any wrong token, position,
slot or mask before a position changes everything after it.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, PreTrainedModel

from ngramspec.guards import Vocabulary
from ngramspec.hf.seam import CACHE, CausalLMOutputWithPast, GenerationMixin

ROOM = 1024
"""Positions of one row."""

NUM_LINES = 61
PRIME = 1_000_003
TOLD, ENDING, CLOSING = 12.0, 6.0, 3.0
"""Added to the noise, of standard deviation 1: to the scripted token; to tokens that end or close something, growing
with every `PATIENCE` tokens after the script."""
PATIENCE = 8
CLOSERS = frozenset(b"\"'}])>")


class ScriptedModel(PreTrainedModel, GenerationMixin):
    """Writes a script for each row, with lapses. After the script, or once a lapse led elsewhere, it tends to end.

    Position ids identify a row's script: script i owns those from `i * ROOM` on, because every decoding loop carries
    position ids along with a row.
    """

    config_class = LlamaConfig
    _supports_sdpa = True

    def __init__(
        self, vocabulary: Vocabulary, eos_tokens: Sequence[int], *, seed: int = 0, lapses: float = 0.0
    ) -> None:
        """seed: of the noise. lapses: share of tokens that deviate from the script, 0 <= lapses <= 1."""
        size = len(vocabulary)
        super().__init__(_config(size))
        generator = torch.Generator().manual_seed(seed)
        self.embedding = torch.nn.Embedding(size, 1, dtype=torch.float64)
        self.noise: Tensor
        self.register_buffer("noise", torch.randn((NUM_LINES, size), generator=generator, dtype=torch.float64))
        self.wish = TOLD * (torch.rand(NUM_LINES, generator=generator) >= lapses).double()
        self.closing = torch.zeros(size, dtype=torch.float64)
        closers = [t for t, text in enumerate(vocabulary.tokens) if text and CLOSERS.issuperset(text)]
        self.closing[closers] = CLOSING
        self.closing[list(eos_tokens)] = ENDING
        self.scripts = torch.full((1, ROOM), -1)
        self.lengths = torch.zeros(1, dtype=torch.long)
        self.train(False)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        """A table whose size is the number of tokens; its content is not used."""
        return self.embedding

    def read_scripts(self, prompts: Sequence[Sequence[int]], scripts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Store scripts for rows with these prompts; returns the inputs of `generate()`, left-padded `int64[B, P]`."""
        width = max(map(len, prompts))
        ids, mask = torch.zeros((2, len(prompts), width), dtype=torch.long)
        positions = torch.arange(len(prompts))[:, None].repeat(1, width) * ROOM
        self.scripts = torch.full((len(prompts), ROOM), -1)
        self.lengths = torch.tensor([len(p) + len(s) for p, s in zip(prompts, scripts, strict=True)])
        for row, (prompt, script) in enumerate(zip(prompts, scripts, strict=True)):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
            positions[row, width - len(prompt) :] += torch.arange(len(prompt))
            self.scripts[row, len(prompt) - 1 : len(prompt) - 1 + len(script)] = torch.tensor(script, dtype=torch.long)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: Any = None,
        past_key_values: Any = None,
        token_type_ids: Tensor | None = None,
        logits_to_keep: int = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits `float64[B, n, V]`. token_type_ids: ignored; a call that has them is decoded aligned.

        cache, past_key_values: the same; transformers uses the first name since 5.24, the second before.
        """
        held = cache if cache is not None else past_key_values
        start = held.get_seq_length()
        numbers = ((input_ids * 7919 + position_ids % ROOM * 104_729 + 1) % PRIME).double()[:, None, :, None]
        _, seen = held.update(numbers, numbers, 0)
        mask = _mask(attention_mask, start, input_ids.shape[1], seen.shape[2])
        sums = (mask.double() @ seen)[:, 0, -logits_to_keep:, 0].long()
        lines = sums % NUM_LINES
        rows, positions = position_ids[:, -logits_to_keep:] // ROOM, position_ids[:, -logits_to_keep:] % ROOM
        logits = self.noise[lines]
        told = self.scripts[rows, positions, None]
        logits.scatter_add_(-1, told.clamp(min=0), (self.wish[lines][..., None] * (told >= 0)))
        overrun = (positions + 1 - self.lengths[rows]).clamp(min=0)
        logits += self.closing * (overrun > 0)[..., None] * (1 + overrun / PATIENCE)[..., None]
        return CausalLMOutputWithPast(logits=logits, **{CACHE: held})


@functools.cache
def _config(size: int) -> LlamaConfig:
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=1,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=1 << 20,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        dtype="float64",
    )
    config._attn_implementation = "sdpa"
    return config


def _mask(given: Tensor | None, start: int, width: int, extent: int) -> Tensor:
    """Which slots each query sees, boolean `[B or 1, 1, Q, T]`; given: the mask of `generate()` or of a Speculator."""
    if given is not None and given.dim() == 4:
        return given
    causal = torch.arange(extent) <= (start + torch.arange(width))[:, None]
    return causal[None, None] if given is None else causal & given.bool()[:, None, None, :extent]
