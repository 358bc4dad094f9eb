"""The model: a plain Llama, deep for its width, because an edit takes many steps of matching and little knowledge."""

from __future__ import annotations

from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from . import attention
from .circuit import wire


def new_model(tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """2.0 million parameters, from torch's global generator."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=256,
        num_hidden_layers=6,
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=64,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.04,
        # So high that 25 of the 32 rotary pairs hardly turn within some hundred positions, where content can then be
        # compared: with the usual 10 000 it would be 11.
        rope_parameters={"rope_type": "default", "rope_theta": 1e12},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    wire(model)
    model.set_attn_implementation(attention.NAME)
    return model


def saved_model(folder: Path) -> LlamaForCausalLM:
    """A saved model in float32, ready to be trained on."""
    return LlamaForCausalLM.from_pretrained(
        folder, dtype="float32", attn_implementation=attention.NAME, local_files_only=True
    )
