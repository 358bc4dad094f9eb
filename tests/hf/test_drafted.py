"""With default settings, the most common kinds of models are drafted for, whatever release is installed."""

from typing import Any

import pytest
import torch

import ngramspec
from ngramspec import Speculator
from ngramspec.pico import repeat_prompt
from tests.hf.models import padded_prompts, tiny
from tests.hf.seq2seq import sources, tiny_seq2seq

LIMITS: dict[str, Any] = {"max_new_tokens": 48, "eos_token_id": None, "pad_token_id": 0}


def drafted(model: Any, inputs: dict[str, Any], **more: Any) -> int:
    """Draft tokens checked in three calls that say the same: what the first ones said is known to the last."""
    spec = Speculator()
    plain = model.generate(**inputs, **more)
    for _ in range(3):
        assert torch.equal(plain, model.generate(**inputs, **more, custom_generate=spec, segment="same"))
    return spec.stats.total.num_accepted_tokens


def test_pico_is_drafted_for() -> None:
    model, tokenizer = ngramspec.load_pico()
    prompt = repeat_prompt("Order K/5517 came in. The item is a green lamp. Ordered by Hanna Voss. Ship it to Bremen.")
    assert 0 < drafted(model, dict(tokenizer(prompt, return_tensors="pt")), max_new_tokens=48)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "mixtral"])
def test_decoders_are_drafted_for(family: str, batch: int) -> None:
    assert 0 < drafted(tiny(family), padded_prompts(batch), **LIMITS)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_encoder_decoder_models_are_drafted_for(family: str) -> None:
    assert 0 < drafted(tiny_seq2seq(family), sources(1), **LIMITS)
