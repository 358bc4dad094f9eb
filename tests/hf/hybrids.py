"""Tiny models with a running state, in the shapes that are in use."""

import functools
from typing import Any

import pytest
import torch

from ngramspec.hf.seam import reads_blocks_after_states
from tests.families.build import build
from tests.families.catalogue import family
from tests.hf.models import settled

HYBRIDS = (
    "qwen3_next",  # gated delta rule beside attention
    "lfm2",  # short convolutions beside attention
    "granitemoehybrid",
    "nemotron_h",  # layers that hold nothing among them, and time steps that are clamped in blocks
    "zamba2",
    "falcon_h1",  # state space and attention in one layer
    "bamba",
    "lara_mini",  # sliding windows beside states
    "qwen4_exp_text, n-gram embeddings",  # attention that ranks tokens beside states, and earlier tokens as a state
    "kimi_linear",
    "mamba2",  # no attention at all
    "minimax",  # a cache of its own
    "jamba",  # scans that start from an empty state
    "zamba",  # a scan for each head
    "falcon_mamba",
    "xlstm",  # states outside of any cache, and another kernel for each whole chunk of a block
)
"""Families of running states. The first ones have attention layers as well."""

ALONE = {
    "inkling_text": "counts the positions of all rows from one slot",
    "rwkv": "mixes the states of all rows where it reads a single token",
}
"""Families that are drafted for one row at a time, and why. The states of the second are outside of any cache."""

with_blocks = pytest.mark.skipif(
    not reads_blocks_after_states(), reason="this transformers does not carry states through blocks of tokens"
)


@functools.cache
def hybrid(name: str, vocabulary: int = 32) -> Any:
    """A model of the family `name`, built once per session, in float64 and without an end of sequence by itself."""
    chosen = family(name)
    with torch.random.fork_rng():
        torch.manual_seed(4)  # `settled` draws matrices alone
        model = build(chosen.config_class, chosen.model_class, settings={**chosen.settings, "vocab_size": vocabulary})
    return settled(model, seed=4)
