"""Functions that a model may call: in each family's form, with valid arguments, complete and streamed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ngramspec import Guard
from ngramspec.serve.structure.calls import call_guard
from ngramspec.serve.text.call_forms import call_form
from ngramspec.serve.wire.chat_requests import ChatRequest
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.turns import Calls
from tests.serve.families import HERMES, LLAMA, MISTRAL, MISTRAL_IDS, MISTRAL_NAMED, with_markers
from tests.serve.serving import NAME, Reply, generated, pico, serving, text_of

FIND = {
    "type": "object",
    "properties": {"order": {"$ref": "#/$defs/order"}, "quantity": {"type": "integer"}},
    "required": ["order", "quantity"],
    "additionalProperties": False,
    "$defs": {"order": {"type": "string", "maxLength": 12}},
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "find", "description": "Finds an order.", "parameters": FIND}},
    {"type": "function", "function": {"name": "go_on"}},
]
CALL = '<tool_call>\n{"name": "find", "arguments": {"order": "B/2", "quantity": 12}}\n</tool_call>'
TASK = f"### repeat\nI look.\n{CALL}"
ARGUMENTS = '{"order": "B/2", "quantity": 12}'
NAMED = {"type": "function", "function": {"name": "find"}}
ONE: Any = {"parallel_tool_calls": False}


def chatted(task: str = TASK, *, load: Callable[[], Any] = pico, template: str = HERMES, **fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(load, chat_template=template) as client:
            return await client.chat(task, **{"tools": TOOLS, "max_tokens": 150, **fields})

    return asyncio.run(ask())


def calls_in(message: Any) -> list[tuple[str, str]]:
    return [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])]


def test_text_comes_first_and_the_call_after_its_marker_fits_the_schema() -> None:
    choice = chatted(**ONE).json["choices"][0]
    assert ("I look.", [("find", ARGUMENTS)]) == (choice["message"]["content"], calls_in(choice["message"]))
    assert ("tool_calls", None) == (choice["finish_reason"], choice["stop_reason"])


@pytest.mark.parametrize(("fields", "finish"), [({"stop": "B/"}, "stop"), ({"max_tokens": 50}, "length")])
def test_a_call_that_is_cut_off_is_told_with_what_there_is_of_it(fields: Any, finish: str) -> None:
    choice = chatted(**fields).json["choices"][0]
    [(name, arguments)] = calls_in(choice["message"])
    assert ("find", finish) == (name, choice["finish_reason"])
    assert ARGUMENTS.startswith(arguments)
    assert ARGUMENTS != arguments


def test_an_answer_that_calls_nothing_is_text() -> None:
    choice = chatted("### repeat\nNothing to do, and\nno <tool> to call.").json["choices"][0]
    assert "Nothing to do, and\nno <tool> to call." == choice["message"]["content"]
    assert ("stop", False) == (choice["finish_reason"], "tool_calls" in choice["message"])


def test_without_a_choice_of_tools_the_answer_is_text_as_it_comes() -> None:
    choice = chatted(tool_choice="none").json["choices"][0]
    assert choice["message"]["content"].startswith('I look.\n<tool_call>\n{"name": "find", "arguments": ')
    assert ("stop", False) == (choice["finish_reason"], "tool_calls" in choice["message"])


@pytest.mark.parametrize("choice", ["required", NAMED])
@pytest.mark.parametrize("markers", [(), ("<tool_call>", "</tool_call>")])
def test_a_call_that_must_come_comes(choice: Any, markers: tuple[str, ...]) -> None:
    reply = chatted(load=lambda: with_markers(*markers), tool_choice=choice, **ONE).json["choices"][0]
    assert (None, "tool_calls") == (reply["message"]["content"], reply["finish_reason"])
    [(name, arguments)] = calls_in(reply["message"])
    assert "find" == name
    assert Draft202012Validator(FIND).is_valid(json.loads(arguments))


@pytest.mark.parametrize(
    ("template", "markers", "fields"),
    [
        (MISTRAL, ("[TOOL_CALLS]",), {"tool_choice": "required"}),
        (MISTRAL, ("[TOOL_CALLS]",), {"tool_choice": NAMED}),
        (MISTRAL, ("[TOOL_CALLS]",), {"logit_bias": {"1023": 100}}),
        (LLAMA, (), {"tool_choice": "required"}),
        (LLAMA, (), {"tool_choice": NAMED}),
        (LLAMA, (), {}),
    ],
)
def test_calls_in_the_forms_of_other_families(template: str, markers: tuple[str, ...], fields: Any) -> None:
    key = "parameters" if template == LLAMA else "arguments"
    task = f'### repeat\n{{"name": "find", "{key}": {ARGUMENTS}}}'
    reply = chatted(task, load=lambda: with_markers(*markers), template=template, **ONE, **fields).json["choices"][0]
    assert (None, "tool_calls") == (reply["message"]["content"], reply["finish_reason"])
    [(name, arguments)] = calls_in(reply["message"])
    assert "find" == name
    assert Draft202012Validator(FIND).is_valid(json.loads(arguments))


NEWER = ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")


@pytest.mark.parametrize("template", [MISTRAL_NAMED, MISTRAL_IDS])
@pytest.mark.parametrize("fields", [{"tool_choice": "required"}, {"logit_bias": {"1023": 50}}])
@pytest.mark.parametrize("stream", [False, True])
def test_calls_after_markers_and_names(template: str, fields: Any, stream: bool) -> None:
    """The model knows nothing of the markers, so the bias writes the first one where nothing demands it."""
    task = f'### repeat\n"name": "find", "arguments": {ARGUMENTS}'
    reply = chatted(task, load=lambda: with_markers(*NEWER), template=template, stream=stream, **ONE, **fields)
    if stream:
        deltas = [event["choices"][0]["delta"].get("tool_calls", []) for event in reply.events]
        pieces = [call["function"] for delta in deltas for call in delta]
        name, arguments = pieces[0]["name"], "".join(piece["arguments"] for piece in pieces)
    else:
        [(name, arguments)] = calls_in(reply.json["choices"][0]["message"])
    assert Draft202012Validator(FIND if name == "find" else {"maxProperties": 0}).is_valid(json.loads(arguments))


FORM: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "order",
        "schema": {
            "type": "object",
            "properties": {"order": {"type": "string"}},
            "required": ["order"],
            "additionalProperties": False,
        },
    },
}
MARKED = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]")


@pytest.mark.parametrize(("template", "markers"), [(HERMES, ()), (HERMES, MARKED), (MISTRAL, MARKED)])
def test_an_answer_that_calls_nothing_has_the_form_that_is_asked_for(template: str, markers: tuple[str, ...]) -> None:
    reply = chatted(
        '### repeat\n{"order": "B/2"}', load=lambda: with_markers(*markers), template=template, response_format=FORM
    ).json["choices"][0]
    assert ('{"order": "B/2"}', "stop") == (reply["message"]["content"], reply["finish_reason"])


@pytest.mark.parametrize(
    ("template", "task", "fields"),
    [
        (HERMES, CALL, {}),
        (LLAMA, f'{{"name": "find", "parameters": {ARGUMENTS}}}', {"tool_choice": "required"}),
    ],
)
def test_an_answer_that_calls_has_no_other_form(template: str, task: str, fields: Any) -> None:
    reply = chatted(f"### repeat\n{task}", template=template, response_format=FORM, **ONE, **fields).json["choices"][0]
    assert (None, [("find", ARGUMENTS)], "tool_calls") == (
        reply["message"]["content"],
        calls_in(reply["message"]),
        reply["finish_reason"],
    )


@pytest.mark.parametrize("template", [LLAMA, MISTRAL])
def test_a_form_beside_calls_that_begin_as_it_may_is_refused(template: str) -> None:
    reply = chatted(template=template, response_format=FORM)
    assert (400, "tools") == (reply.status, reply.error["param"])


def test_a_form_beside_tools_that_cannot_be_enforced_is_refused_by_its_own_name() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array", "uniqueItems": True}}}
    reply = chatted(response_format=form)
    assert (400, "response_format.json_schema.schema") == (reply.status, reply.error["param"])


@pytest.mark.parametrize("template", [LLAMA, MISTRAL])
def test_in_the_forms_of_other_families_an_answer_may_be_text(template: str) -> None:
    reply = chatted("### repeat\nNo call, but text.", load=lambda: with_markers("[TOOL_CALLS]"), template=template)
    assert ("No call, but text.", "stop") == (
        reply.json["choices"][0]["message"]["content"],
        reply.json["choices"][0]["finish_reason"],
    )


@pytest.mark.parametrize("fields", [ONE, {}, {"tool_choice": "required"}, {"temperature": 1, "seed": 4}])
def test_a_streamed_answer_is_the_whole_one_in_pieces(fields: Any) -> None:
    whole = chatted(**fields).json["choices"][0]
    content, finish = "", None
    calls: list[tuple[str, str]] = []
    for event in chatted(**fields, stream=True).events:
        choice = event["choices"][0]
        content, finish = content + (choice["delta"].get("content") or ""), choice["finish_reason"]
        for call in choice["delta"].get("tool_calls", []):
            if "id" in call:
                assert (len(calls), "function") == (call["index"], call["type"])
                calls.append((call["function"]["name"], ""))
            name, before = calls[call["index"]]
            calls[call["index"]] = name, before + call["function"]["arguments"]
    assert (whole["message"]["content"] or "", whole["finish_reason"]) == (content, finish)
    assert calls_in(whole["message"]) == calls
    assert calls


def calls_of(choice: Any) -> Calls:
    body = {"model": NAME, "messages": [{"role": "user", "content": TASK}], "tools": TOOLS, "tool_choice": choice}
    calls = ChatRequest.model_validate(body).calls
    assert calls is not None
    return calls


def guard_of(template: str, choice: Any = "auto") -> Guard:
    """The guard of TOOLS, made without a service."""
    tokenizer = pico()[1]

    def make(_: str, maker: Callable[..., Guard], source: Any) -> Guard:
        return maker(source, tokenizer)

    vocabulary = Guard.regex("", tokenizer).vocabulary
    return call_guard(calls_of(choice), call_form(template), vocabulary, make)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ('It is {"name": "find"}', True),
        (f'{{"name": "find", "parameters": {ARGUMENTS}}}', True),
        ('{"name": "find", "parameters": {}}', False),
        (' {"name": "find", "parameters": {}}', False),
        ('\x1c{"name": "find", "parameters": {}}', False),
        ('\u3000{"name": "find", "parameters": {}}', False),
    ],
)
def test_nothing_that_is_read_as_a_call_is_allowed_as_text(text: str, expected: bool) -> None:
    assert expected == guard_of(LLAMA).accepts(text)


def test_calls_in_a_list_need_a_marker_that_text_cannot_have() -> None:
    reply = chatted(template=MISTRAL)
    assert (400, "tools") == (reply.status, reply.error["param"])
    assert "[TOOL_CALLS]" in reply.error["message"]


@pytest.mark.parametrize("choice", ["auto", "required", NAMED])
def test_an_answer_with_calls_is_that_of_generate_under_the_same_guard(choice: Any) -> None:
    prompt = f"<s>{TASK}</s>\n### answer\n"
    expected = text_of(generated(prompt, guard_of(HERMES, choice), max_new_tokens=120))
    reply = chatted(tool_choice=choice, max_tokens=120, logprobs=True).json["choices"][0]
    assert expected == "".join(token["token"] for token in reply["logprobs"]["content"]).removesuffix("</s>")
    assert calls_in(reply["message"])


NAMES = '{{ bos_token }}{# <tool_call>{"name" #}{{ messages[-1].name }}{{ messages[-1].tool_call_id }}'


@pytest.mark.parametrize(("template", "prompt"), [(HERMES, None), (NAMES, "<s>findabc")])
def test_results_of_calls_are_messages_that_know_their_function(template: str, prompt: str | None) -> None:
    async def ask() -> Reply:
        async with serving(chat_template=template) as client:
            call = {"id": "abc", "type": "function", "function": {"name": "find", "arguments": ARGUMENTS}}
            messages = [
                {"role": "user", "content": "Find B/2."},
                {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None},
                {"role": "tool", "tool_call_id": "abc", "content": "### repeat\nIt is here."},
            ]
            return await client.ask("/v1/chat/completions", {"model": NAME, "messages": messages, "tools": TOOLS})

    reply = asyncio.run(ask())
    assert 200 == reply.status
    if prompt is not None:
        assert len(pico()[1](prompt, add_special_tokens=False).input_ids) == reply.json["usage"]["prompt_tokens"]


def test_a_form_is_told_apart_where_a_template_writes_it_in_pieces() -> None:
    """As Hermes 2 Pro's does."""
    assert call_form(HERMES) == call_form("""{{- "<tool_call>\n" }}\n{{- '{"name": <function-name>}' }}""")


def test_tools_that_take_too_long_to_compile_are_refused() -> None:
    vocabulary = Guard.regex("", pico()[1]).vocabulary
    with pytest.raises(ApiError, match="within 0 seconds, got 1 of 2 done"):
        call_guard(
            calls_of("auto"), call_form(HERMES), vocabulary, lambda *_: Guard.regex("", vocabulary), max_seconds=0
        )


WRONG = [
    ({"tools": []}, "tools", "at least 1 item"),
    ({"tools": None, "tool_choice": "required"}, None, "tool_choice is among tools"),
    ({"tools": [*TOOLS, TOOLS[1]]}, None, "names of their own"),
    ({"tool_choice": {"type": "function", "function": {"name": "no"}}}, None, "must name one of"),
    ({"structured_outputs": {"json_object": True}}, None, "got them with tools"),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
        "tools[0].function.parameters",
        "must be an object",
    ),
    (
        {"tools": [TOOLS[1], {"type": "function", "function": {"name": "f", "parameters": {"propertes": {}}}}]},
        "tools[1].function.parameters",
        "propertes",
    ),
    (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"properties": {"a": {"type": "array", "uniqueItems": True}}},
                    },
                }
            ]
        },
        "tools[0].function.parameters",
        "uniqueItems",
    ),
    ({"functions": []}, "functions", "Unrecognized"),
]


@pytest.mark.parametrize(("fields", "param", "message"), WRONG)
def test_tools_that_cannot_be_enforced_are_refused(fields: Any, param: str | None, message: str) -> None:
    reply = chatted(**fields)
    assert (400, param) == (reply.status, reply.error["param"])
    assert message in reply.error["message"]


OTHERS = [
    "{{ messages[0].content }}",
    r"{{ '<tool_call>\n{\"name\": …}' }}{# <function=example> #}",
    "{{ '<tool_call>' + tool.name }}{# <arg_key> #}",
    "{{ 'within <tool_call></tool_call> tags' }}",
]


@pytest.mark.parametrize("template", OTHERS)
def test_a_model_whose_form_of_calls_is_not_known_gets_no_tools(template: str) -> None:
    reply = chatted(template=template)
    assert (400, "tools") == (reply.status, reply.error["param"])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "tool", "content": "12"}, "tool_call_id"),
        ({"role": "user", "content": "a", "tool_call_id": "b"}, "tool_call_id"),
        ({"role": "user"}, "needs content"),
        ({"role": "user", "content": "a", "reasoning_content": "b"}, "reasoning_content"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}]},
            "must be a JSON object",
        ),
    ],
)
def test_messages_without_what_their_role_has_are_refused(message: Any, reason: str) -> None:
    async def ask() -> Reply:
        async with serving(chat_template=HERMES) as client:
            return await client.ask("/v1/chat/completions", {"model": NAME, "messages": [message]})

    reply = asyncio.run(ask())
    assert 400 == reply.status
    assert reason in reply.error["message"]
