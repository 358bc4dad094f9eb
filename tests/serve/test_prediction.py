"""Predicted outputs: drafted from, never trusted, and counted."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.serve.asking.prediction import num_common
from tests.serve.serving import Told, generated, pico, serving, text_of

PROMPT = "Once upon a time, there was no task at all"


def slowly_common(some: list[int], others: list[int]) -> int:
    """The longest common subsequence, by the book."""
    row = [0] * (len(others) + 1)
    for token in some:
        before, row = row, [0]
        for index, other in enumerate(others):
            row.append(before[index] + 1 if token == other else max(row[-1], before[index + 1]))
    return row[-1]


@given(st.lists(st.integers(0, 3), max_size=80), st.lists(st.integers(0, 3), max_size=80))
def test_what_a_prediction_and_an_answer_have_in_common_is_their_longest_common_subsequence(
    prediction: list[int], answer: list[int]
) -> None:
    assert slowly_common(prediction, answer) == num_common(prediction, answer)


def completed(prediction: Any, **fields: Any) -> Told:
    async def ask() -> Told:
        async with serving() as client:
            asked = {} if prediction is None else {"prediction": {"type": "content", "content": prediction}}
            return await client.complete(PROMPT, max_tokens=60, ignore_eos=True, **asked, **fields)

    return asyncio.run(ask())


@pytest.mark.parametrize("is_right", [True, False])
def test_a_prediction_saves_passes_and_changes_no_text(is_right: bool) -> None:
    tokens = generated(PROMPT, max_new_tokens=60, eos_token_id=None)
    text = text_of(tokens)
    alone = completed(None).json
    predicted = completed(text if is_right else "nothing of this ever comes, 12345").json
    assert text == predicted["choices"][0]["text"] == alone["choices"][0]["text"]
    steps = [body["metrics"]["speculative_decoding"]["num_accepted_draft_tokens"] for body in (alone, predicted)]
    assert is_right == (steps[0] < steps[1])
    ids = pico()[1](text if is_right else "nothing of this ever comes, 12345", add_special_tokens=False).input_ids
    details = predicted["usage"]["completion_tokens_details"]
    assert slowly_common(ids, tokens) == details["accepted_prediction_tokens"]
    assert len(ids) == details["accepted_prediction_tokens"] + details["rejected_prediction_tokens"]
    assert "completion_tokens_details" not in alone["usage"]


def test_a_prediction_may_come_in_parts_and_is_counted_for_each_answer() -> None:
    parts = [{"type": "text", "text": "there was"}, {"type": "text", "text": "a task"}]
    one, two = (completed(given).json["usage"] for given in ("there was\na task", parts))
    assert one == two
    thrice = completed(parts, n=3).json["usage"]["completion_tokens_details"]
    assert {name: 3 * count for name, count in one["completion_tokens_details"].items()} == thrice
