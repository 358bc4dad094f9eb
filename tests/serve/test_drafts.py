"""Chunks that say which tokens were drafted, and from where."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec import Speculator
from ngramspec.pico import edit_prompt, extract_prompt
from ngramspec.serve.endpoints.origins import LONGEST, MOST, Origins, texts_of
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
            reply = await client.complete(prompt, max_tokens=80, stream=True, stream_options=options, **fields)
            return reply.events

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
    prompt = [1, 2, 3, 4, 9]
    origins = Origins(texts_of(prompt, [7, 9, 2, 3, 5]), prompt, has_form=False)
    assert ["prediction", "prediction", None] == origins.read([2, 3, 4], 2)
    assert ["prompt", "prediction", "prediction", "answer"] == origins.read([9, 2, 3, 4], 4)


@pytest.mark.parametrize(("has_form", "expected"), [(True, "form or history"), (False, "history")])
def test_a_drafted_token_that_stands_nowhere_is_of_the_form_or_an_earlier_answer(has_form: bool, expected: str) -> None:
    assert [expected, None] == Origins(texts_of([1, 2], None), [1, 2], has_form=has_form).read([8, 9], 1)


def origin_by_loops(texts: dict[str, list[int]], context: list[int], token: int) -> str:
    """The slow way: each text is read from its beginning, and the first of those with the longest context is taken."""
    best, found = 0, "history"
    for name, text in texts.items():
        ends = [end for end in range(1, len(text)) if text[end - 1 : end + 1] == [context[-1], token]]
        for end in ends[-MOST:]:
            length = 0
            while length < min(len(context), end, LONGEST) and context[-1 - length] == text[end - 1 - length]:
                length += 1
            if length > best:
                best, found = length, name
    return found


TOKENS = st.lists(st.integers(0, 2), max_size=90)


@given(TOKENS.filter(bool), TOKENS, st.lists(TOKENS, max_size=3))
def test_any_drafted_token_is_of_the_text_that_a_slow_search_finds(
    prompt: list[int], prediction: list[int], passes: list[list[int]]
) -> None:
    origins, answer = Origins(texts_of(prompt, prediction), prompt, has_form=False), list(prompt[-1:])
    context, expected, found = list(prompt), [], []
    for tokens in passes:
        found += origins.read(tokens, len(tokens))
        for token in tokens:
            texts = {"prediction": prediction, "prompt": prompt, "answer": answer}
            expected.append(origin_by_loops(texts, context, token))
            answer.append(token)
            context.append(token)
    assert expected == found


def test_answers_to_one_prompt_do_not_see_each_others_tokens() -> None:
    texts = texts_of([1], None)
    one, other = (Origins(texts, [1], has_form=False) for _ in range(2))
    assert [None, None, None] == one.read([5, 6, 5], 0)
    assert ["answer"] == one.read([6], 1)
    assert ["history", "history", "history"] == other.read([5, 6, 5], 3)
