"""Reasoning comes first, as a part of its own; guarded text begins right after it, wherever the marker falls."""

import asyncio
from typing import Any

import pytest

from ngramspec import Guard, Speculator
from ngramspec.serve.text.chats import PICO_TEMPLATE
from tests.serve.families import BREAKS, HERMES, OPENS, THINKS, TURNS, with_markers
from tests.serve.serving import NAME, Reply, generated, pico, serving, text_of

THOUGHT = "hm, I see"
TASK = f'### repeat\n<think>\n{THOUGHT}\n</think>\n{{"order": "B/2"}}'
FREE = f"### repeat\n<think>\n{THOUGHT}\n</think>\n\nSo it is said."
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string", "maxLength": 8}},
    "required": ["order"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": SCHEMA}}]
STRICT = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}


def chatted(task: str, template: str = OPENS, *markers: str, spec: Speculator | None = None, **fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(lambda: with_markers(*markers), spec=spec, chat_template=template) as client:
            return await client.chat(task, **{"max_tokens": 80, **fields})

    return asyncio.run(ask())


def parts(reply: Reply) -> tuple[str | None, str]:
    """Reasoning and text of a whole answer."""
    message = reply.json["choices"][0]["message"]
    return message.get("reasoning_content"), message["content"]


def streamed(reply: Reply) -> tuple[str | None, str]:
    """The same, put together from chunks."""
    deltas = [event["choices"][0]["delta"] for event in reply.events]
    reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    return reasoning or None, "".join(delta.get("content") or "" for delta in deltas)


def plain(task: str, opened: str = "<think>\n", guard: Guard | None = None) -> tuple[str | None, str]:
    """Reasoning and text of generate()."""
    text = text_of(generated(f"<s>{task}</s>\n### answer\n{opened}", guard, max_new_tokens=80))
    reasoning, marker, rest = text.partition("</think>")
    assert marker
    return reasoning.removeprefix("<think>").strip(), rest.strip()


@pytest.mark.parametrize(("template", "opened"), [(OPENS, "<think>\n"), (THINKS, "")])
def test_reasoning_is_apart_whoever_opens_it(template: str, opened: str) -> None:
    expected = plain(FREE, opened)
    assert THOUGHT == expected[0]
    assert expected == parts(chatted(FREE, template))
    assert expected == streamed(chatted(FREE, template, stream=True))


def test_the_text_of_a_model_that_does_not_reason_is_as_it_comes() -> None:
    assert (None, "<think>\nNo.\n</think> So.") == parts(chatted("### repeat\n<think>\nNo.\n</think> So.", TURNS))


def test_tokens_of_reasoning_are_counted_with_their_marker() -> None:
    tokens = generated(f"<s>{FREE}</s>\n### answer\n<think>\n", max_new_tokens=80)
    ends = next(length for length in range(80) if "</think>" in text_of(tokens[:length]))
    usage = chatted(FREE).json["usage"]
    assert {"reasoning_tokens": ends} == usage["completion_tokens_details"]
    assert len(tokens) == usage["completion_tokens"]


@pytest.mark.parametrize(("template", "opened"), [(OPENS, "<think>\n"), (THINKS, "")])
@pytest.mark.parametrize("stream", [False, True])
def test_the_guard_begins_at_the_marker_also_within_a_draft(template: str, opened: str, stream: bool) -> None:
    """The prompt has the text that follows, so drafts run over the marker; THINKS leaves it open whether to think."""
    guard = Guard.json_schema(SCHEMA, pico()[1])
    spec = Speculator()
    reply = chatted(TASK, template, spec=spec, response_format=STRICT, stream=stream)
    reasoning, text = streamed(reply) if stream else parts(reply)
    assert plain(TASK, opened, guard.after("</think>", opening="<think>")) == (reasoning, text)
    assert (THOUGHT, True) == (reasoning, guard.accepts(text))
    assert spec.stats.total.num_accepted_tokens > 10


@pytest.mark.parametrize("fields", [{}, {"response_format": STRICT}, {"thinking_token_budget": 5}])
@pytest.mark.parametrize("template", [OPENS, THINKS, HERMES])
def test_the_prompt_is_that_of_the_template_whatever_is_asked_of_the_answer(template: str, fields: Any) -> None:
    if template == HERMES:
        template, fields = HERMES + "{# </think> #}", fields | {"tools": TOOLS, "tool_choice": "required"}
    ids = pico()[1].apply_chat_template(
        [{"role": "user", "content": TASK}], chat_template=template, add_generation_prompt=True, return_dict=False
    )
    assert len(ids) == chatted(TASK, template, **fields).json["usage"]["prompt_tokens"]


@pytest.mark.parametrize("fields", [{}, {"temperature": 1, "seed": 3}, {"thinking_token_budget": 3}])
def test_a_model_that_does_not_think_fits_the_form_at_once(fields: Any) -> None:
    reply = chatted('### extract {"order": ""}\nThe order is B/20934.', THINKS, response_format=STRICT, **fields)
    reasoning, text = parts(reply)
    assert (None, True) == (reasoning, Guard.json_schema(SCHEMA, pico()[1]).accepts(text))


def test_a_model_that_breaks_the_line_before_it_thinks_decides_too() -> None:
    reasoning, text = parts(chatted(TASK, BREAKS, response_format=STRICT))
    assert (THOUGHT, True) == (reasoning, Guard.json_schema(SCHEMA, pico()[1]).accepts(text))


def test_a_call_may_come_at_once_from_a_model_that_may_think() -> None:
    call = '<tool_call>\n{"name": "find", "arguments": {"order": "B/2"}}\n</tool_call>'
    reply = chatted(f"### repeat\n{call}", f"{HERMES}{{# </think> #}}", tools=TOOLS, tool_choice="required")
    message = reply.json["choices"][0]["message"]
    assert '{"order": "B/2"}' == message["tool_calls"][0]["function"]["arguments"]
    assert "reasoning_content" not in message


def test_reasoning_that_the_template_has_closed_is_followed_by_the_form_at_once() -> None:
    reply = chatted(TASK, THINKS, response_format=STRICT, chat_template_kwargs={"enable_thinking": False})
    reasoning, text = parts(reply)
    assert (None, True) == (reasoning, Guard.json_schema(SCHEMA, pico()[1]).accepts(text))
    assert parts(reply) == parts(chatted(TASK, THINKS, response_format=STRICT, reasoning_effort="none"))


def test_markers_that_are_special_tokens_part_the_answer_too() -> None:
    reply = chatted(TASK, OPENS, "</think>", "<think>", response_format=STRICT, thinking_token_budget=5)
    reasoning, text = parts(reply)
    assert reasoning is not None
    assert Guard.json_schema(SCHEMA, pico()[1]).accepts(text)


@pytest.mark.parametrize("fields", [{}, {"response_format": STRICT}])
def test_a_budget_ends_reasoning(fields: Any) -> None:
    reply = chatted(TASK.replace("I see", "I see, and " * 20), thinking_token_budget=7, **fields)
    details = reply.json["usage"]["completion_tokens_details"]
    marker = len(pico()[1]("</think>", add_special_tokens=False).input_ids)
    assert 7 < details["reasoning_tokens"] <= 7 + marker
    reasoning, text = parts(reply)
    assert reasoning is not None
    assert reasoning.startswith("hm, ")
    assert text


def test_calls_follow_reasoning() -> None:
    call = '<tool_call>\n{"name": "find", "arguments": {"order": "B/2"}}\n</tool_call>'
    template = HERMES + "{# </think> #}{{ '<think>\n' }}"
    for choice in ("auto", "required"):
        reply = chatted(
            f"### repeat\n<think>\n{THOUGHT}\n</think>\n{call}", template, tools=TOOLS, tool_choice=choice,
            parallel_tool_calls=False,
        ).json["choices"][0]  # fmt: skip
        assert THOUGHT == reply["message"]["reasoning_content"]
        assert '{"order": "B/2"}' == reply["message"]["tool_calls"][0]["function"]["arguments"]
        assert "tool_calls" == reply["finish_reason"]


def test_a_response_has_its_reasoning_as_an_item() -> None:
    async def ask(stream: bool) -> Reply:
        async with serving(chat_template=OPENS) as client:
            body = {"model": NAME, "input": FREE, "max_output_tokens": 80, "stream": stream}
            return await client.ask("/v1/responses", body)

    first, second = asyncio.run(ask(stream=False)).json["output"]
    assert plain(FREE) == (first["content"][0]["text"], second["content"][0]["text"])
    assert ("reasoning", "message") == (first["type"], second["type"])
    lines = b"".join(asyncio.run(ask(stream=True)).pieces).decode()
    assert lines.index("response.reasoning_text.delta") < lines.index("response.output_text.delta")


@pytest.mark.parametrize("template", [OPENS, THINKS])
def test_the_form_of_a_response_begins_after_its_reasoning(template: str) -> None:
    async def ask() -> Reply:
        async with serving(chat_template=template) as client:
            form = {"format": {"type": "json_schema", "name": "order", "schema": SCHEMA}}
            body = {"model": NAME, "input": TASK, "max_output_tokens": 80, "text": form}
            return await client.ask("/v1/responses", body)

    first, second = asyncio.run(ask()).json["output"]
    guard = Guard.json_schema(SCHEMA, pico()[1]).after("</think>")
    assert plain(TASK, guard=guard) == (first["content"][0]["text"], second["content"][0]["text"])


@pytest.mark.parametrize(
    ("template", "fields", "param"),
    [
        (TURNS, {"thinking_token_budget": 5}, "thinking_token_budget"),
        (TURNS, {"reasoning_effort": "high"}, "reasoning_effort"),
        (THINKS, {"reasoning_effort": "low"}, "reasoning_effort"),
        (OPENS, {"reasoning_effort": "none"}, "reasoning_effort"),
        (OPENS, {"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs.enable_thinking"),
        (OPENS, {"chat_template_kwargs": {"documents": []}}, "chat_template_kwargs.documents"),
    ],
)
def test_what_a_template_does_not_know_is_refused(template: str, fields: Any, param: str) -> None:
    reply = chatted(TASK, template, **fields)
    assert (400, param) == (reply.status, reply.error["param"])


def test_a_marker_in_a_turn_that_ends_without_a_special_token_does_not_mislead() -> None:
    template = PICO_TEMPLATE + "{# </think> #}{{ '<think>\\n' }}"
    reply = chatted(f"What is </think> for?\n{TASK}", template, response_format=STRICT)
    text = parts(reply)[1]
    assert len(text) == Guard.json_schema(SCHEMA, pico()[1]).legal_head(text) > 0


def test_no_reasoning_is_what_a_model_that_does_not_reason_does() -> None:
    assert parts(chatted("### repeat\nOne.", TURNS)) == parts(
        chatted("### repeat\nOne.", TURNS, reasoning_effort="none")
    )
