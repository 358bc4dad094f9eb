"""Tiny random models in float64: a vocabulary so small that drafts are accepted as well as rejected.

Their weights are drawn here, not by transformers: large enough that attention matters and texts vary, and the same in
every version.
"""

import functools
import math
from typing import Any

import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
)

FAMILIES = ("llama", "gpt2", "gemma3", "mixtral")
VOCABULARY = 12
PAD, EOS = 0, 1
MAX_POSITIONS = 640
SLIDING_WINDOW = 8

_SHARED: dict[str, Any] = {
    "max_position_embeddings": MAX_POSITIONS,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
    "tie_word_embeddings": False,
}
_LLAMA_LIKE: dict[str, Any] = {
    **_SHARED,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


@functools.cache
def tiny(family: str, attention: str = "sdpa", vocabulary: int = VOCABULARY) -> Any:
    """A model of `family`, built once per session. It has a pad token and, by itself, no end of sequence.

    A test that patches a method patches the class: older pytests leave what they restore in the instance, and a model
    that holds a bound method of its own is not freed.

    Typed as Any, for mypy takes a PreTrainedModel's methods for tensors.
    """
    settings = {"attn_implementation": attention, "vocab_size": vocabulary}
    return settled(_new(family, settings), seed=FAMILIES.index(family))


def settled(model: Any, seed: int, *, logit_gain: float = 0.5) -> Any:
    """Draw the weights of `model` from `seed`, in float64, and give it a pad token.

    logit_gain: the standard deviation of a logit, roughly: sampled texts vary, and greedy ones have no near-ties.
    """
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:
                continue
            gain = 1.0 if parameter is embeddings else 2.0 / math.sqrt(parameter.shape[-1])
            if parameter is head:
                gain *= logit_gain
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * gain)
    model.generation_config.pad_token_id = PAD
    return model


def padded_prompts(
    batch: int, length: int = 9, *, seed: int = 0, side: str = "left", vocabulary: int = VOCABULARY
) -> dict[str, Any]:
    """`input_ids` and `attention_mask` `int64[batch, length]`: rows of unequal length, the first one unpadded."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, vocabulary, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        padding = 1 + (2 * row - 1) % (length - 1)
        hole = slice(0, padding) if side == "left" else slice(length - padding, length)
        ids[row, hole], mask[row, hole] = PAD, 0
    return {"input_ids": ids, "attention_mask": mask}


def _new(family: str, settings: dict[str, Any]) -> PreTrainedModel:
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**_LLAMA_LIKE, **settings))
    if family == "gpt2":
        dropout: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2LMHeadModel(GPT2Config(**_SHARED, n_embd=32, n_layer=2, n_head=4, **dropout, **settings))
    if family == "gemma3":
        layers = ["sliding_attention", "full_attention", "sliding_attention"]
        mixed: dict[str, Any] = {
            "layer_types": layers,
            "num_hidden_layers": len(layers),
            "sliding_window": SLIDING_WINDOW,
        }
        return Gemma3ForCausalLM(Gemma3TextConfig(**{**_LLAMA_LIKE, **mixed}, query_pre_attn_scalar=8, **settings))
    if family == "mixtral":
        # Batched expert kernels may sum in another order when the block is wider.
        experts: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2, "experts_implementation": "eager"}
        return MixtralForCausalLM(MixtralConfig(**_LLAMA_LIKE, **experts, **settings))
    raise ValueError(f"family must be one of {FAMILIES}, got {family!r}")
