"""Refused requests: every error has OpenAI's shape, and names the field."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from ngramspec.serve.wire.chat_requests import ChatRequest
from ngramspec.serve.wire.requests import CompletionRequest
from ngramspec.serve.wire.response_requests import ResponseRequest
from tests.serve.serving import NAME, Reply, pico, serving


def asked(path: str, body: Any, **settings: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(**settings) as client:
            return await client.ask(path, body)

    return asyncio.run(ask())


def completion(**fields: Any) -> dict[str, Any]:
    return {"model": NAME, "prompt": "a", **fields}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": "a"}], **fields}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (completion(nonsense=1), "nonsense", "Unrecognized request argument supplied: nonsense"),
    (
        completion(stream_options={"nonsense": 1}, stream=True),
        "stream_options.nonsense",
        "Unrecognized request argument",
    ),
    (completion(temperature=3), "temperature", "less than or equal to 2; got 3"),
    (completion(temperature="hot"), "temperature", "should be a valid number; got 'hot'"),
    (completion(temperature=1e-9), "temperature", "temperature must be 0, or from 1e-06 on, got 1e-09"),
    (completion(temperature=True), "temperature", "should be a valid number; got True"),
    (completion(top_p=0), "top_p", "greater than 0; got 0"),
    (completion(repetition_penalty=1e-30), "repetition_penalty", "greater than or equal to 0.01; got 1e-30"),
    (completion(n=0), "n", "greater than or equal to 1; got 0"),
    (completion(n=17), "n", "at most 16 answers, got 17"),
    (completion(stop=["a", ""]), "stop[1]", "at least 1 character"),
    (completion(stop=["a"] * 17), "stop", "at most 16 items"),
    (completion(logprobs=21), "logprobs", "less than or equal to 20; got 21"),
    (completion(logit_bias={"a": 1}), "logit_bias", "token ids from 0 to 1023 as its names, got 'a'"),
    (completion(logit_bias={"1024": 1}), "logit_bias", "token ids from 0 to 1023 as its names, got '1024'"),
    (completion(logit_bias={"5": 101}), "logit_bias.5", "less than or equal to 100; got 101"),
    (completion(max_tokens=0), "max_tokens", "greater than or equal to 1"),
    (completion(max_tokens=4097), "max_tokens", "max_tokens must be at most 4096, got 4097"),
    (completion(max_tokens=1024), "max_tokens", "must fit the model's 1024 tokens, got 2 in the prompt and 1024"),
    (completion(prompt=[]), "", "at least one token, got none"),
    (completion(prompt=[[]]), "prompt", "at least one token, got none"),
    (completion(prompt=[3, 1024]), "prompt", "token ids must be from 0 to 1023, got 1024"),
    (completion(prompt=[3, -1]), "prompt", "token ids must be from 0 to 1023, got -1"),
    (completion(prompt=7), "prompt", "should be a valid string; or Input should be a valid array; got 7"),
    (completion(prompt=[5] * 1025), "prompt", "must fit the model's 1024 tokens, got 1025 in the prompt"),
    (completion(suffix="b"), "suffix", "needs a model with tokens that mark a hole"),
    (completion(suffix="b", prompt=["a", "b"]), "", "suffix goes with one prompt as text"),
    (completion(echo=True, logprobs=1), "", "echo repeats the prompt as text"),
    (completion(stream_options={"include_usage": True}), "", "stream_options are for stream=true"),
    (completion(metadata={"segment": "s" * 513}), "metadata.segment", "at most 512 characters"),
    (completion(cache_salt=""), "cache_salt", "at least 1 character"),
    (completion(prediction={"type": "content", "content": "a" * 50_000}), "prediction", "at most 16384 tokens, got"),
    (
        completion(guided_json={"type": "object"}),
        "",
        "guided_json constrains nothing: write structured_outputs: {json}",
    ),
    (completion(guided_regex="a"), "", "guided_regex constrains nothing: write structured_outputs: {regex}"),
    (completion(guided_choice=["a"]), "", "guided_choice constrains nothing: write structured_outputs: {choice}"),
    (completion(guided_grammar="a"), "", "guided_grammar constrains nothing: write structured_outputs: {grammar}"),
    (chat(messages=[]), "messages", "at least 1 item"),
    (chat(messages=[{"role": "user"}]), "messages[0]", "a message needs content, got none"),
    (chat(messages=[{"role": "nobody", "content": "a"}]), "messages[0].role", "got 'nobody'"),
    (chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "messages[0].content[0].type", "got"),
    (chat(top_logprobs=2), "", "top_logprobs are for logprobs=true"),
    (chat(max_tokens=1, max_completion_tokens=1), "", "max_completion_tokens replaces max_tokens"),
    (chat(max_completion_tokens=2000), "max_completion_tokens", "must fit the model's 1024 tokens"),
    (chat(messages=[{"role": "user", "content": "a" * 3000}]), "messages", "must fit the model's 1024 tokens, got"),
    (chat(functions=[]), "functions", "Unrecognized request argument supplied: functions"),
    (chat(model=3), "model", "should be a valid string; got 3"),
    ({"prompt": "a"}, "model", "Field required; got nothing"),
]


def test_a_wrong_field_is_a_400_that_names_it() -> None:
    async def ask_all() -> list[Reply]:
        async with serving() as client:
            return [
                await client.ask("/v1/chat/completions" if "messages" in body else "/v1/completions", body)
                for body, _, _ in WRONG
            ]

    for (body, param, message), reply in zip(WRONG, asyncio.run(ask_all()), strict=True):
        assert 400 == reply.status, body
        assert {"message", "type", "param", "code"} == set(reply.error)
        assert "invalid_request_error" == reply.error["type"]
        assert message in reply.error["message"], body
        assert (param or None) == reply.error["param"], reply.error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body must be a JSON object of this request's fields"),
        (b"{", "the body must be a JSON object of this request's fields"),
        (b"[]", "the body must be a JSON object of this request's fields"),
        (b'{"model": "\xff"}', "the body must be a JSON object of this request's fields"),
        (b'{"model": "pico", "prompt": "\\ud800"}', "the body must be a JSON object of this request's fields"),
        (b"[" * 100_000, "the body must be a JSON object of this request's fields"),
    ],
)
def test_a_body_that_is_no_json_object_is_a_400(body: bytes, message: str) -> None:
    reply = asked("/v1/completions", body)
    assert 400 == reply.status
    assert message in reply.error["message"]


MANY = 20_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": ["a", 1] * MANY},
        {"prompt": [[1], "a", [None]] * MANY},
        {"prompt": [[1, "a"] * MANY]},
        {"prompt": "a", "stop": [1] * MANY},
        {"prompt": "a", "metadata": dict.fromkeys(map(str, range(MANY)), 1)},
        {"prompt": "a", "logit_bias": dict.fromkeys(map(str, range(MANY)), "a")},
        {"prompt": "a", **dict.fromkeys(map(str, range(MANY)), 1)},
        {"prompt": "a", "structured_outputs": dict.fromkeys(map(str, range(MANY)), 1)},
        {"messages": [{"role": "user", "content": 1}] * MANY},
        {"messages": [{"role": "user"}] * 4000},
        {"messages": [{"role": "user", "content": [{"type": "a"}] * 4000}]},
        {"messages": [dict.fromkeys(map(str, range(MANY)), 1)]},
        {"input": [{"role": "user", "content": 1}] * 4000},
    ],
)
def test_of_very_many_mistakes_only_the_first_ones_are_looked_at(wrong: dict[str, Any]) -> None:
    """pydantic collects them all, and takes a minute for those of 4 MB."""
    model: type[BaseModel] = CompletionRequest
    if "prompt" not in wrong:
        model = ChatRequest if "messages" in wrong else ResponseRequest
    with pytest.raises(ValidationError) as found:
        model.model_validate_json(json.dumps({"model": NAME, **wrong}))
    assert found.value.error_count() <= 5


def test_a_body_above_the_limit_is_a_413_and_is_not_read_on() -> None:
    reply = asked("/v1/completions", completion(prompt="a" * 1000), max_body_bytes=1000)
    assert (413, "a body must have at most max_body_bytes=1000, got more: send less") == (
        reply.status,
        reply.error["message"],
    )


def test_another_model_is_a_404() -> None:
    reply = asked("/v1/completions", completion(model="gpt-9"))
    assert (404, "model_not_found", "model must be 'pico', got 'gpt-9'") == (
        reply.status,
        reply.error["code"],
        reply.error["message"],
    )


@pytest.mark.parametrize(("path", "body", "status"), [("/v1/nothing", None, 404), ("/v1/completions", None, 405)])
def test_a_route_or_method_that_there_is_not_has_the_shape_of_an_error_too(path: str, body: Any, status: int) -> None:
    reply = asked(path, body)
    assert (status, "not_found") == (reply.status, reply.error["code"])


def test_a_request_that_does_not_fit_the_cache_is_a_400() -> None:
    reply = asked("/v1/completions", completion(max_tokens=900), max_cache_bytes=8 << 20)
    assert 400 == reply.status
    assert "must fit into max_cache_bytes=8388608" in reply.error["message"]


def test_a_chat_without_a_template_is_a_400() -> None:
    reply = asked("/v1/chat/completions", chat(), chat_template=None)
    assert pico()[1].chat_template is None
    assert 400 == reply.status
    assert "needs a model with a chat template" in reply.error["message"]


def test_what_a_template_refuses_is_a_400() -> None:
    template = "{{ raise_exception('roles must alternate') }}"
    reply = asked("/v1/chat/completions", chat(), chat_template=template)
    assert (400, "messages") == (reply.status, reply.error["param"])
    assert "roles must alternate" in reply.error["message"]


LEAST: Any = {
    "temperature": 1e-6,
    "top_p": 1e-300,
    "min_p": 1,
    "top_k": 1,
    "repetition_penalty": 0.01,
    "presence_penalty": 2,
    "frequency_penalty": -2,
    "logit_bias": {"5": 100, "6": -100},
}
MOST: Any = {"temperature": 2, "top_p": 1, "min_p": 0, "top_k": 1 << 70, "repetition_penalty": 100}


@pytest.mark.parametrize("values", [LEAST, MOST])
def test_the_extreme_values_of_all_fields_leave_something_to_draw(values: Any) -> None:
    """Each alone, and all together."""
    drawn: Any = {"temperature": 1, "seed": 1, "ignore_eos": True, "max_tokens": 30}

    async def ask() -> list[Reply]:
        async with serving() as client:
            each = [client.complete("a", **drawn | {name: value}) for name, value in values.items()]
            return list(await asyncio.gather(*each, client.complete("a", **drawn | values)))

    assert [30] * (len(values) + 1) == [reply.json["usage"]["completion_tokens"] for reply in asyncio.run(ask())]
