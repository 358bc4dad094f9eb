"""Answers as sent: complete and in chunks, their counts, their log probabilities, and why they ended."""

import asyncio
import math
from typing import Any

import pytest
import torch

from ngramspec import FixedBudget, Speculator
from ngramspec.pico import repeat_prompt
from tests.serve.serving import NAME, Reply, generated, pico, serving, text_of

TEXT = "A cafe and a bar: one of them is open, and the other is closed."
TASK = f"### repeat\n{TEXT}"
PROMPT = repeat_prompt(TEXT)


def completed(prompt: Any = PROMPT, **fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving(spec=Speculator(budget=FixedBudget(10))) as client:
            return await client.complete(prompt, **fields)

    return asyncio.run(ask())


def chatted(**fields: Any) -> Reply:
    async def ask() -> Reply:
        async with serving() as client:
            return await client.chat(TASK, **fields)

    return asyncio.run(ask())


def test_a_chat_is_answered_as_openai_does() -> None:
    body = chatted().json
    tokens = generated(PROMPT, max_new_tokens=200)
    assert body["id"].startswith("chatcmpl-")
    assert ("chat.completion", NAME) == (body["object"], body["model"])
    message = {"role": "assistant", "content": text_of(tokens), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
    assert [choice] == body["choices"]
    num_prompt = len(pico()[1](PROMPT).input_ids)
    assert {
        "prompt_tokens": num_prompt,
        "completion_tokens": len(tokens),
        "total_tokens": num_prompt + len(tokens),
        "prompt_tokens_details": {"cached_tokens": 0},
    } == body["usage"]


def test_a_streamed_chat_comes_in_openais_chunks() -> None:
    reply = chatted(stream=True, stream_options={"include_usage": True})
    first, *middle, last, counts = reply.events
    assert "text/event-stream; charset=utf-8" == reply.headers["content-type"]
    assert {first["id"]} == {event["id"] for event in reply.events}
    assert {"role": "assistant", "content": ""} == first["choices"][0]["delta"]
    assert all(event["usage"] is None for event in (first, *middle, last))
    assert text_of(generated(PROMPT, max_new_tokens=200)) == "".join(
        event["choices"][0]["delta"]["content"] for event in middle
    )
    assert ({}, "stop") == (last["choices"][0]["delta"], last["choices"][0]["finish_reason"])
    assert all(event["choices"][0]["finish_reason"] is None for event in (first, *middle))
    assert ([], chatted().json["usage"]) == (counts["choices"], counts["usage"])


def test_without_being_asked_for_a_stream_has_no_counts() -> None:
    assert not any("usage" in event for event in chatted(stream=True).events)


@pytest.mark.parametrize(
    ("fields", "finish", "stop"),
    [
        ({"max_tokens": 200}, "stop", None),
        ({"max_tokens": 5}, "length", None),
        ({"max_tokens": 200, "stop": "and"}, "stop", "and"),
        ({"max_tokens": 60, "ignore_eos": True}, "length", None),
        ({"max_tokens": 5, "stop": "and"}, "length", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_says_why_it_ended(fields: dict[str, Any], finish: str, stop: str | None, stream: bool) -> None:
    reply = completed(stream=stream, **fields)
    choice = (reply.events[-1] if stream else reply.json)["choices"][0]
    assert (finish, stop) == (choice["finish_reason"], choice["stop_reason"])


def test_an_answer_ends_at_the_token_that_completes_a_stop_string() -> None:
    tokens = generated(PROMPT, max_new_tokens=100)
    needed = next(count for count in range(len(tokens)) if "and" in text_of(tokens[:count]))
    assert needed < len(tokens) - 2
    assert needed == completed(max_tokens=100, stop="and").json["usage"]["completion_tokens"]


def test_a_list_of_prompts_has_answers_in_its_order() -> None:
    prompts = [repeat_prompt(text) for text in ("One.", "Two.", "Three.")]
    body = completed(prompts, n=2, max_tokens=20).json
    expected = [text_of(generated(prompt, max_new_tokens=20)) for prompt in prompts for _ in range(2)]
    assert expected == [choice["text"] for choice in body["choices"]]
    assert list(range(6)) == [choice["index"] for choice in body["choices"]]


def test_prompts_may_be_token_ids() -> None:
    ids = pico()[1](PROMPT).input_ids
    expected = completed().json["choices"]
    assert expected == completed(ids).json["choices"]
    assert expected == completed([ids]).json["choices"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_echo_comes_before_the_answer(stream: bool) -> None:
    reply = completed(echo=True, stream=stream)
    bodies = reply.events if stream else [reply.json]
    text = "".join(choice["text"] for body in bodies for choice in body["choices"])
    assert PROMPT + text_of(generated(PROMPT, max_new_tokens=16)) == text


def raw_logprobs(prompt: str, num_tokens: int, **arguments: Any) -> tuple[list[int], Any]:
    """Tokens of generate(), and the log probabilities `[n, V]` of the model before anything changes them."""
    model, tokenizer = pico()
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.random.fork_rng():
        torch.manual_seed(2)
        out = model.generate(
            ids, max_new_tokens=num_tokens, return_dict_in_generate=True, output_logits=True, **arguments
        )
    return out.sequences[0, ids.shape[1] :].tolist(), torch.log_softmax(torch.cat(out.logits), dim=-1)


SAMPLED = {"temperature": 0.8, "seed": 2, "repetition_penalty": 1.2}
DRAWN = {"do_sample": True, "temperature": 0.8, "top_k": 0, "repetition_penalty": 1.2}


@pytest.mark.parametrize(("fields", "arguments"), [({}, {}), (SAMPLED, DRAWN)])
def test_log_probabilities_are_the_models_own(fields: dict[str, Any], arguments: dict[str, Any]) -> None:
    tokens, logprobs = raw_logprobs(PROMPT, 12, **arguments)
    content = chatted(logprobs=True, top_logprobs=3, max_tokens=12, **fields).json["choices"][0]["logprobs"]["content"]
    names = pico()[1].convert_ids_to_tokens(tokens)
    assert len(names) == len(content)
    for position, (token, reply) in enumerate(zip(tokens, content, strict=True)):
        assert math.isclose(float(logprobs[position, token]), reply["logprob"], abs_tol=1e-5)
        best = torch.topk(logprobs[position], 3).values.tolist()
        assert [True] * 3 == [
            math.isclose(one, other["logprob"], abs_tol=1e-5)
            for one, other in zip(best, reply["top_logprobs"], strict=True)
        ]
    assert text_of(tokens) == b"".join(bytes(reply["bytes"]) for reply in content).decode(errors="replace")


def test_log_probabilities_of_a_stream_are_those_of_the_whole_answer() -> None:
    whole = chatted(logprobs=True, top_logprobs=1, max_tokens=12).json["choices"][0]["logprobs"]["content"]
    events = chatted(logprobs=True, top_logprobs=1, max_tokens=12, stream=True).events
    streamed = [
        each
        for event in events
        if event["choices"][0]["logprobs"] is not None
        for each in event["choices"][0]["logprobs"]["content"]
    ]
    assert [(each["token"], each["bytes"]) for each in whole] == [(each["token"], each["bytes"]) for each in streamed]


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_has_its_log_probabilities_by_column(stream: bool) -> None:
    reply = completed("### repeat\nOne two.\n### answer\n", logprobs=2, max_tokens=6, stream=stream)
    columns = [
        choice["logprobs"]
        for body in (reply.events if stream else [reply.json])
        for choice in body["choices"]
        if choice["logprobs"] is not None
    ]
    tokens = [token for each in columns for token in each["tokens"]]
    offsets = [offset for each in columns for offset in each["text_offset"]]
    assert [len("".join(tokens[:count])) for count in range(len(tokens))] == offsets
    for each in columns:
        for token, logprob, top in zip(each["tokens"], each["token_logprobs"], each["top_logprobs"], strict=True):
            assert top[token] == logprob
            assert len(top) <= 3


def test_a_masked_token_has_the_log_probability_that_the_model_gave_it() -> None:
    _, logprobs = raw_logprobs(PROMPT, 1)
    reply = completed(logprobs=0, max_tokens=1, structured_outputs={"choice": ["zebra"]}).json["choices"][0]
    (token,) = pico()[1](reply["text"], add_special_tokens=False).input_ids[:1]
    assert math.isclose(float(logprobs[0, token]), reply["logprobs"]["token_logprobs"][0], abs_tol=1e-5)


def test_the_acceptance_of_an_answer_comes_with_it() -> None:
    body = completed(max_tokens=60).json
    spec = body["metrics"]["speculative_decoding"]
    assert 0 < spec["num_accepted_draft_tokens"] <= spec["num_draft_tokens"]
    histogram = spec["acceptance_histogram"]
    assert spec["num_spec_steps"] == sum(histogram)
    assert spec["num_accepted_draft_tokens"] == sum(count * steps for count, steps in enumerate(histogram))
    assert math.isclose(1 + spec["num_accepted_draft_tokens"] / sum(histogram), spec["mean_acceptance_length"])
    assert math.isclose(spec["num_accepted_draft_tokens"] / spec["num_draft_tokens"], spec["draft_acceptance_rate"])
    streamed = completed(max_tokens=60, stream=True, stream_options={"include_usage": True}).events[-1]
    assert spec == streamed["metrics"]["speculative_decoding"]


def test_speculation_can_be_switched_off_for_a_request() -> None:
    spec = completed(max_tokens=60, speculate=False).json["metrics"]["speculative_decoding"]
    assert (0, [0], 1.0) == (spec["num_draft_tokens"], spec["acceptance_histogram"], spec["mean_acceptance_length"])


def test_models_are_listed_once_theirs_is_loaded() -> None:
    async def ask() -> list[Reply]:
        async with serving() as client:
            return [await client.ask(path) for path in ("/v1/models", f"/v1/models/{NAME}", "/v1/models/b", "/health")]

    listed, one, other, health = asyncio.run(ask())
    (card,) = listed.json["data"]
    assert (NAME, 1024, "model") == (card["id"], card["max_model_len"], card["object"])
    assert card == one.json
    assert (404, "model_not_found") == (other.status, other.error["code"])
    assert (200, {"status": "ok"}) == (health.status, health.json)


def test_counts_so_far_come_with_each_chunk_where_they_are_asked_for() -> None:
    async def ask() -> list[Any]:
        async with serving() as client:
            options = {"include_usage": True, "continuous_usage_stats": True}
            reply = await client.complete("### repeat\nOne line.\n### answer\n", stream=True, stream_options=options)
            return reply.events

    *chunks, last = [event["usage"] for event in asyncio.run(ask())]
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} == chunks[0].keys()
    written = [each["completion_tokens"] for each in chunks]
    assert sorted(written) == written
    assert [last["completion_tokens"], last["prompt_tokens"]] == [written[-1], chunks[0]["prompt_tokens"]]
