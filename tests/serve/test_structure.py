"""Forms of a text: a form that cannot be enforced is refused by name, before anything is decoded."""

import asyncio
import json
from typing import Any

import pytest

from ngramspec import Vocabulary
from ngramspec.guards import Limits
from ngramspec.pico import extract_prompt
from ngramspec.serve.structure.guards import guard_of
from ngramspec.serve.wire.errors import ApiError
from ngramspec.serve.wire.requests import CompletionRequest
from tests.serve.serving import Reply, serving

PROMPT = extract_prompt("Deliver to Turin. The order number is B/20934. Quantity: 12.", {"order": "", "quantity": 0})


def completed(**fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving() as client:
            return await client.complete(PROMPT, max_tokens=60, **fields)

    return asyncio.run(ask())


def schema_format(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


@pytest.mark.parametrize(
    ("fields", "param", "messages"),
    [
        (
            {"response_format": schema_format({"properties": {"a": {"type": "array", "uniqueItems": True}}})},
            "response_format.json_schema.schema",
            ["uniqueItems", "/properties/a"],
        ),
        (
            {"structured_outputs": {"json": {"$ref": "https://example.org/schema"}}},
            "structured_outputs.json",
            ["$ref", "https://example.org/schema"],
        ),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json", ["JSON"]),
        (
            {"structured_outputs": {"grammar": "start: start"}},
            "structured_outputs.grammar",
            ["must say what is allowed"],
        ),
        ({"structured_outputs": {"grammar": 'start: "a" & "b"'}}, "structured_outputs.grammar", []),
        ({"structured_outputs": {"json": False}}, "structured_outputs.json", []),
        ({"structured_outputs": {"json": {"type": "nothing"}}}, "structured_outputs.json", ["type", "nothing"]),
        (
            {"structured_outputs": {"json": {"type": "object", "propertes": {"a": {}}}}},
            "structured_outputs.json",
            ["propertes", "properties"],
        ),
        ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex", ["regex"]),
        ({"structured_outputs": {"grammar": "start: nothing"}}, "structured_outputs.grammar", ["grammar"]),
        ({"structured_outputs": {"choice": [""] * 0}}, "structured_outputs.choice", ["at least 1 item"]),
        (
            {"structured_outputs": {"json": {}, "whitespace_pattern": " ?"}},
            "structured_outputs.whitespace_pattern",
            ["got one that would not be enforced: ' ?'"],
        ),
        (
            {"structured_outputs": {"json": {}, "whitespace_pattern": " *", "disable_any_whitespace": True}},
            "structured_outputs.whitespace_pattern",
            ["leave one out"],
        ),
        ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs.structural_tag", ["Unrecognized"]),
        ({"structured_outputs": {}}, "structured_outputs", ["must have one of json, regex", "got none"]),
        (
            {"structured_outputs": {"regex": "a", "choice": ["a"]}},
            "structured_outputs",
            ["must have one of json, regex", "got regex and choice"],
        ),
        (
            {"structured_outputs": {"regex": "a", "disable_any_whitespace": True}},
            "structured_outputs",
            ["are about JSON", "structured_outputs.regex"],
        ),
        ({"response_format": {"type": "json_schema"}}, "response_format", ["needs json_schema"]),
        ({"structured_outputs": {"regex": "a"}, "ignore_eos": True}, None, ["ends with it, got ignore_eos=true"]),
        (
            {"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}},
            None,
            ["one form of the text at a time"],
        ),
    ],
)
def test_a_form_that_would_not_be_enforced_is_a_400(
    fields: dict[str, Any], param: str | None, messages: list[str]
) -> None:
    reply = completed(**fields)
    assert (400, param) == (reply.status, reply.error["param"])
    for message in messages:
        assert message in reply.error["message"]


def test_a_schema_above_the_limit_is_a_400_that_names_it() -> None:
    async def ask() -> Reply:
        async with serving(max_schema_bytes=100) as client:
            return await client.complete(PROMPT, structured_outputs={"json": {"enum": ["a" * 200]}})

    reply = asyncio.run(ask())
    assert 400 == reply.status
    assert "max_source_bytes=100" in reply.error["message"]


@pytest.mark.parametrize("pattern", [r"[ \n\r\t]*", "[\t\r \n]*", r"[ \t\n\r]*"])
def test_a_pattern_of_any_blanks_is_what_is_enforced_anyway(pattern: str) -> None:
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    expected = completed(structured_outputs={"json": schema}).json["choices"]
    assert expected == completed(structured_outputs={"json": schema, "whitespace_pattern": pattern}).json["choices"]
    assert json.loads(expected[0]["text"])


@pytest.mark.parametrize("option", [{"whitespace_pattern": ""}, {"disable_any_whitespace": True}])
def test_without_blanks_there_are_none(option: dict[str, Any]) -> None:
    members = {"a": {"const": 1}, "b": {"const": 2}}
    schema = {"type": "object", "properties": members, "required": ["a", "b"], "additionalProperties": False}
    reply = completed(structured_outputs={"json": schema, **option})
    assert '{"a":1,"b":2}' == reply.json["choices"][0]["text"]


def test_a_schema_may_come_as_a_text() -> None:
    reply = completed(structured_outputs={"json": '{"const": "yes"}'})
    assert ('"yes"', "stop") == (reply.json["choices"][0]["text"], reply.json["choices"][0]["finish_reason"])


def test_a_text_without_a_form_is_free() -> None:
    free = completed().json["choices"]
    assert free == completed(response_format={"type": "text"}).json["choices"]


def test_a_form_that_no_token_can_begin_is_refused() -> None:
    vocabulary = Vocabulary([b"a", b"b", b"</s>"], eos_tokens=[2])
    request = CompletionRequest.model_validate({"model": "m", "prompt": "a", "structured_outputs": {"regex": "c+"}})
    with pytest.raises(ApiError, match=r"structured_outputs\.regex: some text must be allowed, got a form that allows"):
        guard_of(request, vocabulary, Limits(), "")
