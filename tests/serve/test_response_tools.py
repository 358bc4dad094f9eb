"""Tools in `/v1/responses`: calls are items of the output, complete and streamed, and results come back as items."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai
import pytest

from tests.serve.families import HERMES, OPENS
from tests.serve.serving import NAME, Reply, serving
from tests.serve.test_openai_client import with_client
from tests.serve.test_tools import ARGUMENTS, CALL, FIND, TASK
from tests.serve.test_tools import chatted as as_chat

T = TypeVar("T")
TOOLS: Any = [
    {"type": "function", "name": "find", "description": "Finds an order.", "parameters": FIND, "strict": True},
    {"type": "function", "name": "go_on"},
]
THINKS_FIRST = HERMES + "{# </think> #}{{ '<think>\n' }}"
ASKED: Any = {"model": NAME, "input": TASK, "tools": TOOLS, "max_output_tokens": 150, "parallel_tool_calls": False}


def asked(use: Callable[[openai.AsyncOpenAI], Awaitable[T]], template: str = HERMES) -> T:
    return with_client(use, chat_template=template)


def reply(template: str = HERMES, **fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(chat_template=template) as client:
            return await client.ask("/v1/responses", {**ASKED, **fields})

    return asyncio.run(ask())


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "name": "find"}])
def test_a_call_is_an_item_that_fits_its_schema_as_in_chats(choice: Any) -> None:
    response = asked(lambda client: client.responses.create(**ASKED, tool_choice=choice))
    call = response.output[-1]
    assert call.type == "function_call"
    assert ("find", ARGUMENTS, "completed") == (call.name, call.arguments, call.status)
    assert 9 == len(call.call_id)
    assert ("completed", choice) == (response.status, response.to_dict()["tool_choice"])
    text = response.output_text or None
    named = {"type": "function", "function": {"name": "find"}}
    chat = as_chat(tool_choice=choice if isinstance(choice, str) else named, parallel_tool_calls=False)
    assert chat.json["choices"][0]["message"]["content"] == text


def test_an_answer_comes_back_as_it_was_told_and_its_result_as_an_item() -> None:
    async def use(client: openai.AsyncOpenAI) -> tuple[Any, Any]:
        first = await client.responses.create(**ASKED)
        call = first.output[-1]
        assert call.type == "function_call"
        turns: Any = [{"role": "user", "content": TASK}, *first.output]
        turns.append({"type": "function_call_output", "call_id": call.call_id, "output": "### repeat\nIt is here."})
        return first.usage, (await client.responses.create(model=NAME, input=turns, tools=TOOLS)).usage

    first, second = asked(use)
    assert second.input_tokens > first.input_tokens + 40  # the template writes a call's arguments, and its result


def test_calls_of_one_answer_are_one_turn_of_the_prompt() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "find", "arguments": ARGUMENTS}
    result = {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "12"}]}
    turns = [{"role": "user", "content": "Find."}, {"role": "assistant", "content": "So."}, call, call, result]
    counted = "{{ messages | length }}{{ messages[1].tool_calls | length }}{{ messages[2].name }}"
    response = reply(f"{{{{ bos_token }}}}{counted}", input=turns, tools=[], max_output_tokens=1)
    assert 200 == response.status
    whole = reply("{{ bos_token }}32find", input="Any.", tools=[], max_output_tokens=1)
    assert whole.json["usage"]["input_tokens"] == response.json["usage"]["input_tokens"]


@pytest.mark.parametrize("template", [HERMES, THINKS_FIRST])
def test_the_events_of_calls_are_those_of_openai(template: str) -> None:
    reasons = template == THINKS_FIRST
    task = f"### repeat\n<think>\nhm\n</think>\nI look.\n{CALL}" if reasons else TASK

    async def use(client: openai.AsyncOpenAI) -> list[Any]:
        return [event async for event in await client.responses.create(**{**ASKED, "input": task}, stream=True)]

    events = asked(use, template)
    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
    text = ["output_text.delta", "output_text.done"]
    begun = ["created", "in_progress", "output_item.added", "content_part.added"]
    reasoned = ["reasoning_text.delta", "reasoning_text.done", "content_part.done", "output_item.done"]
    ended = [] if reasons else ["content_part.done", "output_item.done"]
    calls = ["function_call_arguments.delta", "function_call_arguments.done"]
    assert [*begun, *(reasoned if reasons else []), *text, *ended, *calls, "completed"] == kinds
    assert list(range(len(events))) == [event.sequence_number for event in events]
    final = events[-1].response
    added = [event.item.type for event in events if event.type == "response.output_item.added"]
    assert [item.type for item in final.output] == added
    assert final.output == [event.item for event in events if event.type == "response.output_item.done"]
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    assert ARGUMENTS == "".join(event.delta for event in deltas) == final.output[-1].arguments
    assert {(final.output[-1].id, len(final.output) - 1)} == {(each.item_id, each.output_index) for each in deltas}


def test_a_call_that_is_cut_off_is_incomplete() -> None:
    response = reply(max_output_tokens=50).json
    assert ("incomplete", "incomplete") == (response["status"], response["output"][-1]["status"])
    assert ARGUMENTS.startswith(response["output"][-1]["arguments"])
    assert response["output"][0]["status"] == "completed"


def test_an_answer_that_calls_nothing_has_the_form_that_is_asked_for() -> None:
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    form = {"format": {"type": "json_schema", "name": "order", "schema": {**schema, "additionalProperties": False}}}
    response = reply(input='### repeat\n{"order": "B/2"}', text=form).json
    assert {"order": "B/2"} == json.loads(response["output"][0]["content"][0]["text"])


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "should be 'function'"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function", "Unrecognized"),
        ({"tools": [], "tool_choice": "required"}, None, "tool_choice is among tools"),
        ({"tool_choice": {"type": "function", "name": "no"}}, None, "must name one of"),
        ({"tools": [{**TOOLS[0], "parameters": {"propertes": {}}}]}, "tools[0].parameters", "propertes"),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "[1]"}]},
            "input[0]",
            "must be a JSON object",
        ),
        ({"input": [{"type": "function_call_output", "output": "a"}]}, "input[0].call_id", "required"),
        ({"input": [{"type": "item_reference", "id": "a"}]}, "input[0]", "message, reasoning, function_call"),
        ({"input": [3]}, "input[0]", "should be an object"),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}] * 129},
            None,
            "at most 128 calls",
        ),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort", "must be one that the model's chat template knows"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary", "Unrecognized"),
        ({"reasoning_effort": "low"}, None, "write reasoning: {effort}"),
        ({"thinking_token_budget": 3}, "thinking_token_budget", "chat template knows reasoning"),
    ],
)
def test_what_cannot_be_called_is_refused(fields: Any, param: str | None, message: str) -> None:
    response = reply(**fields)
    assert (400, param) == (response.status, response.error["param"]), response.error
    assert message in response.error["message"]


def test_reasoning_has_its_budget_in_responses_too() -> None:
    thought = "I see, and " * 20
    task = f"### repeat\n<think>\n{thought}\n</think>\nSo."
    usage = reply(OPENS, input=task, tools=[], thinking_token_budget=7).json["usage"]
    assert 7 < usage["output_tokens_details"]["reasoning_tokens"] < 20
