"""OpenAI's own client can request everything, and parses the answers into its own types."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai
import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel

from ngramspec.pico import extract_prompt, repeat_prompt
from ngramspec.serve.text.holes import FAMILIES
from tests.serve.families import HERMES, OPENS
from tests.serve.serving import NAME, generated, serving, text_of
from tests.serve.test_holes import pico_with
from tests.serve.test_identity import DRAWN, GUARDED, OTHERS, Asked

T = TypeVar("T")
TASK = "### repeat\nOne line for the client,\nand one more."
PROMPT = repeat_prompt("One line for the client,\nand one more.")
EXPECTED = text_of(generated(PROMPT, max_new_tokens=200))
MESSAGES: Any = [{"role": "user", "content": TASK}]


class Order(BaseModel, extra="forbid"):
    order: str
    quantity: int


EXTRACT: Any = [
    {
        "role": "user",
        "content": extract_prompt(
            "The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0}
        ).removesuffix("\n### answer\n"),
    }
]


def with_client(use: Callable[[openai.AsyncOpenAI], Awaitable[T]], key: str = "none", **settings: Any) -> T:
    async def ask() -> T:
        async with (
            serving(**settings) as client,
            AsyncClient(transport=ASGITransport(app=client.app)) as http,
            openai.AsyncOpenAI(api_key=key, base_url="http://server/v1", http_client=http, max_retries=0) as own,
        ):
            return await use(own)

    return asyncio.run(ask())


def test_a_chat() -> None:
    answer = with_client(lambda client: client.chat.completions.create(model=NAME, messages=MESSAGES))
    assert (EXPECTED, "stop") == (answer.choices[0].message.content, answer.choices[0].finish_reason)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_streamed_chat_with_log_probabilities_and_counts() -> None:
    async def use(client: openai.AsyncOpenAI) -> list[Any]:
        stream = await client.chat.completions.create(
            model=NAME,
            messages=MESSAGES,
            stream=True,
            logprobs=True,
            top_logprobs=2,
            stream_options={"include_usage": True},
        )
        return [chunk async for chunk in stream]

    *chunks, last = with_client(use)
    assert EXPECTED == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    tokens = [each for chunk in chunks if chunk.choices[0].logprobs for each in chunk.choices[0].logprobs.content]
    assert last.usage.completion_tokens == len(tokens)
    assert all(2 == len(each.top_logprobs) for each in tokens)


def test_a_completion() -> None:
    answer = with_client(lambda client: client.completions.create(model=NAME, prompt=PROMPT, max_tokens=200, n=2))
    assert [EXPECTED] * 2 == [choice.text for choice in answer.choices]


def by_name(client: openai.AsyncOpenAI, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as arguments of the client; those that it does not know go into `extra_body`."""
    known = inspect.signature(client.completions.create).parameters.keys() & fields.keys()
    return {name: fields[name] for name in known} | {
        "extra_body": {name: value for name, value in fields.items() if name not in known}
    }


EACH_FIELD = [*DRAWN, *GUARDED, *OTHERS]


def test_every_field_of_a_completion_whole_and_streamed() -> None:
    async def ask(client: openai.AsyncOpenAI, each: Asked, *, stream: bool) -> list[str]:
        found = [""] * each.fields.get("n", 1)
        reply: Any = await client.completions.create(
            model=NAME, prompt=each.prompt, stream=stream, **by_name(client, each.fields)
        )
        for answer in [chunk async for chunk in reply] if stream else [reply]:
            for choice in answer.choices:
                found[choice.index] += choice.text
        return found

    async def ask_all(client: openai.AsyncOpenAI) -> list[list[str]]:
        asked = [ask(client, each, stream=stream) for stream in (False, True) for each in EACH_FIELD]
        return list(await asyncio.gather(*asked))

    expected = [[each.expected(index) for index in range(each.fields.get("n", 1))] for each in EACH_FIELD]
    assert expected + expected == with_client(ask_all)


def test_a_hole_that_is_filled() -> None:
    marks = FAMILIES["Qwen-Coder, CodeGemma"]

    async def use(client: openai.AsyncOpenAI) -> list[str]:
        asked: Any = {"model": NAME, "prompt": "return a", "suffix": " + b", "max_tokens": 20}
        whole = (await client.completions.create(**asked)).choices[0].text
        stream = await client.completions.create(**asked, stream=True)
        return [whole, "".join([chunk.choices[0].text async for chunk in stream])]

    whole, streamed = with_client(use, load=lambda: pico_with(marks))
    assert whole == streamed != ""


def test_choices_penalties_logprobs_and_reasoning_effort_of_a_chat() -> None:
    asked: Any = {
        "n": 2,
        "temperature": 2,
        "seed": 5,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "logit_bias": {"300": -100},
        "logprobs": True,
        "top_logprobs": 3,
        "max_completion_tokens": 30,
        "stop": ["\n\n"],
        "reasoning_effort": "none",
        "user": "ada",
        "store": False,
    }
    answer, again = (
        with_client(lambda client: client.chat.completions.create(model=NAME, messages=MESSAGES, **asked))
        for _ in range(2)
    )
    assert answer.choices == again.choices
    one, other = (choice.message.content for choice in answer.choices)
    assert one != other
    assert all(len(choice.logprobs.content) <= 30 for choice in answer.choices if choice.logprobs)


def test_an_answer_that_is_parsed_into_a_class() -> None:
    answer = with_client(
        lambda client: client.chat.completions.parse(model=NAME, messages=EXTRACT, response_format=Order)
    )
    assert Order(order="B/20934", quantity=12) == answer.choices[0].message.parsed


def test_a_streamed_answer_that_is_parsed_into_a_class() -> None:
    async def use(client: openai.AsyncOpenAI) -> Any:
        async with client.chat.completions.stream(model=NAME, messages=EXTRACT, response_format=Order) as stream:
            return (await stream.get_final_completion()).choices[0].message.parsed

    assert Order(order="B/20934", quantity=12) == with_client(use)


def test_a_predicted_output_a_segment_and_vllms_fields() -> None:
    answer = with_client(
        lambda client: client.chat.completions.create(
            model=NAME,
            messages=MESSAGES,
            prediction={"type": "content", "content": EXPECTED},
            metadata={"segment": "repeats"},
            extra_body={"structured_outputs": {"regex": "One.*\n.*"}, "cache_salt": "a", "speculate": True},
        )
    )
    assert EXPECTED == answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert 0 == answer.usage.completion_tokens_details.rejected_prediction_tokens
    assert 0 < answer.model_extra["metrics"]["speculative_decoding"]["num_accepted_draft_tokens"]  # type: ignore[index]


def test_models() -> None:
    async def use(client: openai.AsyncOpenAI) -> list[str]:
        listed = await client.models.list()
        return [listed.data[0].id, (await client.models.retrieve(NAME)).id]

    assert [NAME, NAME] == with_client(use)


def test_errors_are_the_clients_own() -> None:
    async def wrong(client: openai.AsyncOpenAI) -> None:
        await client.chat.completions.create(model=NAME, messages=MESSAGES, temperature=7)

    with pytest.raises(openai.BadRequestError) as refused:
        with_client(wrong)
    assert ("temperature", "invalid_request_error") == (refused.value.param, refused.value.type)
    with pytest.raises(openai.AuthenticationError):
        with_client(wrong, api_keys={"ada": "a key"})
    with pytest.raises(openai.NotFoundError):
        with_client(lambda client: client.models.retrieve("gpt-9"))
    with pytest.raises(openai.RateLimitError):
        with_client(twice, max_rows=1, max_waiting=0)


async def twice(client: openai.AsyncOpenAI) -> None:
    await asyncio.gather(*(client.chat.completions.create(model=NAME, messages=MESSAGES) for _ in range(2)))


def test_the_key_of_a_tenant_is_the_clients() -> None:
    answer = with_client(
        lambda client: client.chat.completions.create(model=NAME, messages=MESSAGES),
        key="key of ada",
        api_keys={"ada": "key of ada"},
    )
    assert EXPECTED == answer.choices[0].message.content
    assert json.loads(answer.model_dump_json())["object"] == "chat.completion"


CALL_TASK: Any = [
    {
        "role": "user",
        "content": '### repeat\nI look.\n<tool_call>\n{"name": "Order", "arguments": {"order": "B/2", "quantity": 12}}'
        "\n</tool_call>",
    }
]
ORDER_TOOL = openai.pydantic_function_tool(Order)


def test_calls_of_functions_are_parsed_into_their_class() -> None:
    answer = with_client(
        lambda client: client.chat.completions.parse(
            model=NAME, messages=CALL_TASK, tools=[ORDER_TOOL], parallel_tool_calls=False
        ),
        chat_template=HERMES,
    )
    choice = answer.choices[0]
    assert ("tool_calls", "I look.") == (choice.finish_reason, choice.message.content)
    assert choice.message.tool_calls is not None
    assert Order(order="B/2", quantity=12) == choice.message.tool_calls[0].function.parsed_arguments


def test_streamed_calls_are_told_apart_and_go_back_with_their_results() -> None:
    async def use(client: openai.AsyncOpenAI) -> Any:
        arguments: Any = {"model": NAME, "tools": [ORDER_TOOL], "parallel_tool_calls": False}
        async with client.chat.completions.stream(messages=CALL_TASK, **arguments) as stream:
            kinds = {event.type async for event in stream}
            message = (await stream.get_final_completion()).choices[0].message
        assert message.tool_calls
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "### repeat\nIt is here."}
        messages: Any = [*CALL_TASK, message, result]
        after = await client.chat.completions.create(messages=messages, **arguments)
        return kinds, message, after

    kinds, message, after = with_client(use, chat_template=HERMES)
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
    assert Order(order="B/2", quantity=12) == message.tool_calls[0].function.parsed_arguments
    assert after.choices[0].message.role == "assistant"


def test_reasoning_is_read_beside_the_text() -> None:
    task: Any = [{"role": "user", "content": "### repeat\n<think>\nhm, I see\n</think>\nI look.\nDone."}]

    async def use(client: openai.AsyncOpenAI) -> Any:
        chat = await client.chat.completions.create(model=NAME, messages=task)
        async with client.responses.stream(model=NAME, input=task) as stream:
            kinds = [event.type async for event in stream]
            return chat.choices[0].message, kinds, await stream.get_final_response()

    message, kinds, response = with_client(use, chat_template=OPENS)
    assert ("hm, I see", "I look.\nDone.") == (message.model_extra["reasoning_content"], message.content)
    assert ("reasoning", "I look.\nDone.") == (response.output[0].type, response.output_text)
    assert kinds.index("response.reasoning_text.done") < kinds.index("response.output_text.delta")
