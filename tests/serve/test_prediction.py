"""Predicted outputs: drafted from, never trusted, and counted."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec import FixedBudget, Speculator
from ngramspec.pico import edit_prompt
from ngramspec.serve.endpoints.prediction import num_common
from tests.serve.serving import generated, pico, serving, text_of

SOURCE = "def join(value, other):\n    value = value + other\n    return value if value else other + value"
PROMPT = edit_prompt("value", "column", SOURCE)


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


def completed(prediction: Any, **fields: Any) -> tuple[Any, int]:
    """The answer, and the passes that it took."""

    async def ask() -> tuple[Any, int]:
        spec = Speculator(budget=FixedBudget(10))
        async with serving(spec=spec) as client:
            asked: Any = {} if prediction is None else {"prediction": {"type": "content", "content": prediction}}
            reply = await client.complete(PROMPT, max_tokens=80, **asked, **fields)
            return reply.json, spec.stats.total.target_passes

    return asyncio.run(ask())


WRONG = "nothing of this ever comes, 12345"


@pytest.mark.parametrize("is_right", [True, False])
def test_a_prediction_changes_no_text_and_a_right_one_saves_passes(is_right: bool) -> None:
    tokens = generated(PROMPT, max_new_tokens=80)
    text = text_of(tokens)
    given = text if is_right else WRONG
    (alone, num_alone), (predicted, num_predicted) = completed(None), completed(given)
    assert text == predicted["choices"][0]["text"] == alone["choices"][0]["text"]
    assert is_right == (num_predicted < num_alone)
    ids = pico()[1](given, add_special_tokens=False).input_ids
    details = predicted["usage"]["completion_tokens_details"]
    assert slowly_common(ids, tokens) == details["accepted_prediction_tokens"]
    assert len(ids) == details["accepted_prediction_tokens"] + details["rejected_prediction_tokens"]
    assert "completion_tokens_details" not in alone["usage"]


def test_a_prediction_may_come_in_parts_and_is_counted_for_each_answer() -> None:
    parts = [{"type": "text", "text": "column + value"}, {"type": "text", "text": "def"}]
    one, two = (completed(given)[0]["usage"] for given in ("column + value\ndef", parts))
    assert one == two
    thrice = completed(parts, n=3)[0]["usage"]["completion_tokens_details"]
    assert {name: 3 * count for name, count in one["completion_tokens_details"].items()} == thrice
