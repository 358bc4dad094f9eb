"""The model: a plain Llama, deep for its width, because an edit takes many steps of matching and little knowledge."""

from __future__ import annotations

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from . import attention
from .circuit import wire


def new_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """1.7 million parameters, from torch's global generator."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=320,
        num_hidden_layers=6,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.04,
        # So high that 11 of the 16 pairs hardly turn within 1 k positions: with the usual 10 000 only 5 do, and a head
        # compares content in 10 dimensions.
        rope_parameters={"rope_type": "default", "rope_theta": 1e10},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    wire(model)
    model.set_attn_implementation(attention.NAME)
    return model
