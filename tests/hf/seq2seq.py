"""Tiny random encoder-decoder models in float64, and sources for them."""

import functools
from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartForConditionalGeneration,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.hf.models import EOS, PAD, VOCABULARY, settled

SEQ2SEQ = ("t5", "bart", "pegasus", "mbart", "marian")
MAX_POSITIONS = 160

_SHARED: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "pad_token_id": PAD,
    "eos_token_id": EOS,
    "bos_token_id": None,
    "decoder_start_token_id": PAD,
    "d_model": 32,
}
_BART_LIKE: dict[str, Any] = {
    **_SHARED,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": MAX_POSITIONS,
    "dropout": 0.0,
    "forced_eos_token_id": None,
    "tie_word_embeddings": False,
}


@functools.cache
def tiny_seq2seq(family: str, attention: str = "sdpa") -> Any:
    """A model of `family`, built once per session; it decodes greedily, and ends a row with EOS."""
    model = settled(_new(family, {"attn_implementation": attention}), seed=SEQ2SEQ.index(family), logit_gain=2.0)
    model.generation_config.num_beams = 1
    return model


def sources(batch: int, length: int = 14, *, seed: int = 0) -> dict[str, Any]:
    """`input_ids` and `attention_mask` `int64[batch, length]` for the encoder, padded on the right."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, VOCABULARY, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(batch):
        padding = (3 * row) % (length - 2)
        ids[row, length - 1 - padding] = EOS
        ids[row, length - padding :], mask[row, length - padding :] = PAD, 0
    return {"input_ids": ids, "attention_mask": mask}


def _new(family: str, settings: dict[str, Any]) -> PreTrainedModel:
    if family == "t5":
        # Other numbers of layers on either side, for a cache must have the decoder's.
        sizes = {"d_kv": 8, "d_ff": 48, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4}
        others: dict[str, Any] = {**sizes, "dropout_rate": 0.0, "tie_word_embeddings": False}
        return T5ForConditionalGeneration(T5Config(**_SHARED, **others, **settings))
    if family == "bart":
        return BartForConditionalGeneration(BartConfig(**_BART_LIKE, **settings))
    if family == "pegasus":
        return PegasusForConditionalGeneration(PegasusConfig(**_BART_LIKE, **settings))
    if family == "mbart":
        return MBartForConditionalGeneration(MBartConfig(**_BART_LIKE, **settings))
    if family == "marian":
        return MarianMTModel(MarianConfig(**_BART_LIKE, **settings))
    raise ValueError(f"family must be one of {SEQ2SEQ}, got {family!r}")
