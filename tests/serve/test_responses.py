"""`/v1/responses`: the default requests of OpenAI's client, with the texts of chats."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai
import pytest
from pydantic import BaseModel

from ngramspec.pico import extract_prompt, repeat_prompt
from tests.serve.serving import NAME, Reply, generated, serving, text_of
from tests.serve.test_openai_client import with_client

T = TypeVar("T")
TASK = "### repeat\nOne line for the client,\nand one more."
EXPECTED = text_of(generated(repeat_prompt("One line for the client,\nand one more."), max_new_tokens=200))


class Order(BaseModel, extra="forbid"):
    order: str
    quantity: int


EXTRACT = extract_prompt("The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})


def asked(use: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    return with_client(use)


def test_a_response_is_the_text_of_a_chat() -> None:
    response = asked(lambda client: client.responses.create(model=NAME, input=TASK, metadata={"segment": "s"}))
    assert (EXPECTED, "completed", {"segment": "s"}) == (response.output_text, response.status, response.metadata)
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.model_extra is not None
    assert response.model_extra["metrics"]["speculative_decoding"]["num_accepted_draft_tokens"] > 0


def test_a_response_that_was_cut_off_is_incomplete() -> None:
    response = asked(lambda client: client.responses.create(model=NAME, input=TASK, max_output_tokens=5))
    assert ("incomplete", 5) == (response.status, response.max_output_tokens)
    assert response.incomplete_details is not None
    assert "max_output_tokens" == response.incomplete_details.reason
    assert EXPECTED.startswith(response.output_text)


def test_an_earlier_answer_may_come_back_as_it_was_told() -> None:
    async def use(client: openai.AsyncOpenAI) -> tuple[int, int]:
        first = await client.responses.create(model=NAME, input=TASK)
        reply = [item.model_dump(exclude_none=True) for item in first.output]
        turns: Any = [
            {"role": "user", "content": TASK},
            *reply,
            {"role": "user", "content": [{"type": "input_text", "text": TASK}]},
        ]
        second = await client.responses.create(model=NAME, input=turns, instructions="Repeat.", max_output_tokens=5)
        assert first.usage is not None
        assert second.usage is not None
        return first.usage.input_tokens, second.usage.input_tokens

    first, second = asked(use)
    assert second > 2 * first


def test_the_events_of_a_stream_are_those_of_openai() -> None:
    async def use(client: openai.AsyncOpenAI) -> list[Any]:
        stream = await client.responses.create(
            model=NAME, input=TASK, stream=True, include=["message.output_text.logprobs"], top_logprobs=1
        )
        return [event async for event in stream]

    events = asked(use)
    kinds = [event.type.removeprefix("response.") for event in events]
    begins = ["created", "in_progress", "output_item.added", "content_part.added"]
    ends = ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert (begins, ends) == (kinds[:4], kinds[-4:])
    assert {"output_text.delta"} == set(kinds[4:-4])
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert EXPECTED == "".join(event.delta for event in events[4:-4]) == events[-1].response.output_text
    logprobs = [each for event in events[4:-4] for each in event.logprobs]
    assert events[-1].response.usage.output_tokens == len(logprobs)
    assert [each.token for each in logprobs] == [
        each.token for each in events[-1].response.output[0].content[0].logprobs
    ]


def test_a_response_is_parsed_into_a_class() -> None:
    task = EXTRACT.removesuffix("\n### answer\n")
    response = asked(lambda client: client.responses.parse(model=NAME, input=task, text_format=Order))
    assert Order(order="B/20934", quantity=12) == response.output_parsed


def test_a_streamed_response_is_parsed_into_a_class() -> None:
    task = EXTRACT.removesuffix("\n### answer\n")

    async def use(client: openai.AsyncOpenAI) -> Any:
        async with client.responses.stream(model=NAME, input=task, text_format=Order) as stream:
            return (await stream.get_final_response()).output_parsed

    assert Order(order="B/20934", quantity=12) == asked(use)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"n": 2}, None, "n is a field of chats, got it in a response: one answer comes to a request"),
        ({"response_format": {"type": "text"}}, None, "response_format is a field of chats"),
        ({"max_tokens": 2}, None, "max_tokens is a field of chats, got it in a response: write max_output_tokens"),
        ({"guided_json": {}}, None, "guided_json constrains nothing"),
        ({"previous_response_id": "a"}, "previous_response_id", "Unrecognized request argument"),
        ({"store": True}, "store", "should be False; got True"),
        ({"input": []}, None, "input must have at least one turn"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].type",
            "got 'input_image'",
        ),
        ({"top_logprobs": 1}, None, "top_logprobs are for include"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format", "needs a name and a schema"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "Unrecognized request argument"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"propertes": {}}}}},
            "text.format.schema",
            "propertes",
        ),
        ({"text": {"format": {"type": "json_object"}}, "structured_outputs": {"regex": "a"}}, None, "text.format and"),
        ({"max_output_tokens": 5000}, "max_output_tokens", "at most 4096"),
    ],
)
def test_what_a_response_cannot_be_is_a_400(fields: dict[str, Any], param: str | None, message: str) -> None:
    async def ask() -> Reply:
        async with serving() as client:
            return await client.ask("/v1/responses", {"model": NAME, "input": TASK, **fields})

    reply = asyncio.run(ask())
    assert (400, param) == (reply.status, reply.error["param"]), reply.error
    assert message in reply.error["message"]


def test_an_error_after_the_first_tokens_is_an_event() -> None:
    now = 0.0

    async def ask() -> list[bytes]:
        async with serving(clock=lambda: now) as client:
            engine = client.service.engine.engine
            assert engine is not None
            step = engine.step

            def slow() -> Any:
                nonlocal now
                ended, now = step(), now + 300
                return ended

            engine.step = slow  # type: ignore[method-assign]
            body = {"model": NAME, "input": TASK, "stream": True, "speculate": False}
            return (await client.ask("/v1/responses", body)).pieces

    last = [piece for piece in asyncio.run(ask()) if piece][-1].decode()
    assert last.startswith("event: error\ndata: ")
    assert '"code":"timeout"' in last
