"""The service with a model that has running states: rows with their own states join and leave."""

import asyncio
from functools import cache
from typing import Any

import numpy as np
import torch
import transformers

from ngramspec.replay import Trace
from ngramspec.testing.replay_model import replay_class
from tests.hf.hybrids import with_blocks
from tests.serve.serving import pico, serving

pytestmark = with_blocks

PROMPT = "Repeat: the quick brown fox jumps over the lazy dog. The quick brown fox jumps."
TEXT = " the quick brown fox jumps over the lazy cat. The quick brown dog jumps over the lazy fox. The quick brown cat."


@cache
def hybrid() -> tuple[Any, Any]:
    """Linear attention beside attention, which writes `TEXT` after `PROMPT`; and pico's tokenizer."""
    tokenizer = pico()[1]
    prompt, text = (np.array(tokenizer(each).input_ids, np.int32) for each in (PROMPT, TEXT))
    config = transformers.Qwen3_5TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        max_position_embeddings=prompt.size + text.size + 8,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return replay_class(transformers.Qwen3_5ForCausalLM)(config, [Trace(prompt, text)]), tokenizer


def test_answers_of_a_model_with_running_states_are_those_of_generate_alone() -> None:
    """Of unequal length, so that they end while others decode; those that come later are read beside them."""
    model, tokenizer = hybrid()
    lengths = [4, 40, 9, 25, 17, 33]
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    expected = []
    for length in lengths:
        made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=length)
        expected.append(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))

    async def ask_all() -> tuple[list[str], Any]:
        async with serving(hybrid, max_rows=3) as client:
            reply = await asyncio.gather(*(client.complete(PROMPT, max_tokens=length) for length in lengths))
            assert client.service.engine.engine is not None
            return [each.json["choices"][0]["text"] for each in reply], client.service.engine.engine.spec.stats.total

    texts, total = asyncio.run(ask_all())
    assert expected == texts
    assert TEXT.startswith(texts[1])
    assert 0 < total.num_accepted_tokens < total.num_draft_tokens
