"""Chunks that say which tokens were drafted, and where they stand elsewhere."""

import asyncio
from typing import Any

import pytest

from ngramspec import Speculator
from ngramspec.pico import edit_prompt, extract_prompt
from ngramspec.serve.asking.origins import Origins
from tests.serve.serving import serving

EDIT = edit_prompt("value", "column", "def double(value):\n    # doubles value\n    return value + value")
EXTRACT = extract_prompt("Deliver to Turin. The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})


@pytest.mark.parametrize("fields", [{}, {"structured_outputs": {"json": {"type": "object"}}}, {"speculate": False}])
@pytest.mark.parametrize("prompt", [EDIT, EXTRACT])
def test_the_tokens_of_all_passes_are_the_answer_and_the_drafted_ones_are_counted(prompt: str, fields: Any) -> None:
    spec = Speculator()

    async def ask() -> list[Any]:
        async with serving(spec=spec) as client:
            options = {"include_drafts": True, "include_usage": True}
            told = await client.complete(prompt, max_tokens=80, stream=True, stream_options=options, **fields)
            return told.events

    events = asyncio.run(ask())
    passes = [each for event in events for each in event.get("passes", [])]
    tokens = [token for each in passes for token in each["tokens"]]
    text = "".join(choice["text"] for event in events for choice in event["choices"])
    assert text == "".join(token["text"] for token in tokens)
    assert events[-1]["usage"]["completion_tokens"] == len(tokens)
    assert spec.stats.total.num_accepted_tokens == sum(token["origin"] is not None for token in tokens)
    assert spec.stats.total.target_passes == len(passes)
    assert all(each["tokens"][-1]["origin"] is None for each in passes if each["tokens"][-1]["text"])
    assert (fields == {"speculate": False}) == (spec.stats.total.num_accepted_tokens == 0)


def test_a_drafted_token_is_of_the_text_with_the_longest_common_context() -> None:
    origins = Origins([1, 2, 3, 4, 9], [7, 9, 2, 3, 5], has_form=False)
    assert ["prediction", "prediction", None] == origins.read([2, 3, 4], 2)
    assert ["prompt", "prediction", "prediction", "answer"] == origins.read([9, 2, 3, 4], 4)


@pytest.mark.parametrize(("has_form", "expected"), [(True, "form or history"), (False, "history")])
def test_a_drafted_token_that_stands_nowhere_is_of_the_form_or_an_earlier_answer(has_form: bool, expected: str) -> None:
    assert [expected, None] == Origins([1, 2], None, has_form=has_form).read([8, 9], 1)
