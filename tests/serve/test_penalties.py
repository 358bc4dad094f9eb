"""OpenAI's penalties, and log probabilities, as processors of one row."""

import asyncio
from typing import Any

import pytest
from transformers import LogitsProcessor

from ngramspec.pico import repeat_prompt
from tests.serve.serving import generated, serving, text_of

PROMPT = repeat_prompt("la la la la la, and la la again")


class SlowPenalties(LogitsProcessor):
    """OpenAI's formula, token by token."""

    def __init__(self, presence: float, frequency: float) -> None:
        self.presence, self.frequency, self.start = presence, frequency, 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.start = self.start or input_ids.shape[1]
        emitted = input_ids[0, self.start :].tolist()
        scores = scores.clone()
        for token in set(emitted):
            scores[0, token] = scores[0, token] - self.presence - self.frequency * emitted.count(token)
        return scores


@pytest.mark.parametrize(("presence", "frequency"), [(1.5, 0.0), (0.0, 0.7), (-2.0, 1.0), (2.0, 2.0)])
@pytest.mark.parametrize("is_drawn", [False, True])
def test_penalties_are_those_of_the_formula(presence: float, frequency: float, is_drawn: bool) -> None:
    penalties: Any = {"presence_penalty": presence, "frequency_penalty": frequency}
    fields: Any = {"temperature": 0.9, "seed": 5} if is_drawn else {}
    arguments: Any = {"do_sample": True, "temperature": 0.9, "top_k": 0} if is_drawn else {}

    async def ask() -> str:
        async with serving() as client:
            reply = await client.complete(PROMPT, max_tokens=40, **penalties, **fields)
            text: str = reply.json["choices"][0]["text"]
            return text

    expected = generated(
        PROMPT, seed=5, max_new_tokens=40, logits_processor=[SlowPenalties(presence, frequency)], **arguments
    )
    assert text_of(expected) == asyncio.run(ask())
    assert len(expected) > 5
