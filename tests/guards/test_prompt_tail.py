# ruff: noqa: RUF001 (special tokens have bars of their own)
"""A marker that the prompt opens or closes at its end counts for the answer; other markers in it do not."""

import re
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ngramspec import load_pico
from ngramspec.errors import GuardError, GuardWarning
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.source import Backend
from tests.guards.test_ends import mask
from tests.guards.test_failures import few_items
from tests.guards.vocabularies import BYTES, EOS, ids, words

NAMES = (
    "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<pad>",
    "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>",
    "<|start|>", "<|end|>", "<|channel|>", "<|message|>", "[gMASK]", "<|user|>", "<|assistant|>",
)  # fmt: skip
CHAT = words("think", "\n\n", ">\n\n", '{"', special=NAMES)
"""Tokens of chat templates, by their names; text is cut into bytes."""

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
ANSWER = Guard.json_schema(SCHEMA, CHAT, whitespace="compact")
CALL = ANSWER.between("<tool_call>\n", "\n</tool_call>")
FINAL = ANSWER.after("<|channel|>final<|message|>")

EARLIER = (
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\nOh.\n</think>\n\n"
    '<tool_call>\n{"a":1}\n</tool_call><|im_end|>\n<|im_start|>user\n<think>x</think> {"a":1}, as in '
)
QWEN = f"{EARLIER}<tool_call>\n{{<|im_end|>\n<|im_start|>assistant\n"
DEEPSEEK = "<｜User｜>hi<｜Assistant｜></think>Hello!<｜end▁of▁sentence｜><｜User｜>a number<｜Assistant｜>"
GPT_OSS = (
    "<|start|>user<|message|>hi<|end|><|start|>assistant<|channel|>final<|message|>Hello<|end|>"
    "<|start|>user<|message|>a number<|end|><|start|>assistant"
)


def encoded(text: str, vocabulary: Vocabulary = CHAT) -> list[int]:
    """`text` with special tokens by name, and else byte by byte."""
    names = [vocabulary.tokens[token].decode() for token in sorted(vocabulary.special)]
    parts = re.split(f"({'|'.join(map(re.escape, names))})", text)
    return [token for part in parts for token in (ids(vocabulary, part) if part in names else part.encode())]


def follows(guard: Guard, prompt: str) -> str:
    """What an answer to `prompt` begins with: "guarded" or "free" text, or it "decides"."""
    allowed = mask(guard.matcher(prompt=encoded(prompt)))
    if ord("~") in allowed:
        return "free"
    return "decides" if set(ids(CHAT, "<think>")) & allowed else "guarded"


@pytest.mark.parametrize(
    ("expected", "guard", "prompt"),
    [
        ("free", ANSWER.after("</think>"), QWEN),
        ("free", ANSWER.after("</think>"), f"{QWEN}<think>\n"),
        ("guarded", ANSWER.after("</think>"), f"{QWEN}<think>\n\n</think>\n\n"),
        ("guarded", ANSWER.after("</think>\n\n"), f"{QWEN}<think>\n\n</think>\n\n"),
        ("guarded", ANSWER.after("</think>"), f'{QWEN}<think>\nSo.\n</think>\n\n{{"a'),
        ("decides", ANSWER.after("</think>", opening="<think>"), QWEN),
        ("free", ANSWER.after("</think>", opening="<think>"), f"{QWEN}<think>\n"),
        ("guarded", ANSWER.after("</think>", opening="<think>"), f"{QWEN}<think>\n\n</think>\n\n"),
        ("guarded", ANSWER.after("</think>", opening="<think>"), f'{QWEN}<think>\nSo.\n</think>\n\n{{"a'),
        ("decides", ANSWER.after("</think>", opening="<think>"), "<|user|>\nWhat is </think>, or <think>hm?"),
        ("free", CALL, QWEN),
        ("guarded", CALL, f"{QWEN}<tool_call>\n"),
        ("guarded", CALL, f'{QWEN}<tool_call>\n{{"a":'),
        ("guarded", ANSWER.between("<tool_call>", "</tool_call>"), f"{QWEN}<tool_call>\n"),
        ("free", CALL, f'{QWEN}<tool_call>\n{{"a":1}}\n</tool_call>\n'),
        ("guarded", CALL, f'{QWEN}<tool_call>\n{{"a":1}}\n</tool_call>\n<tool_call>\n'),
        ("free", ANSWER.after("</think>"), DEEPSEEK),
        ("free", ANSWER.after("</think>"), f"{DEEPSEEK}<think>\n"),
        ("guarded", ANSWER.after("</think>"), f"{DEEPSEEK}</think>"),
        ("free", FINAL, GPT_OSS),
        ("free", FINAL, f"{GPT_OSS}<|channel|>analysis<|message|>"),
        ("guarded", FINAL, f"{GPT_OSS}<|channel|>final<|message|>"),
        ("guarded", ANSWER.after("</think>"), "[gMASK]<|user|>\na number<|assistant|>\n<think></think>\n"),
    ],
)  # fmt: skip
def test_a_marker_counts_where_the_answer_goes_on_from_it(expected: str, guard: Guard, prompt: str) -> None:
    assert expected == follows(guard, prompt)


def test_reasoning_before_calls_is_told_at_both_levels() -> None:
    guard = CALL.after("</think>")
    for prompt, allowed in (
        (QWEN, "free"),
        (f"{QWEN}<think>\n\n</think>\n\n", "free"),
        (f"{QWEN}<think>\n\n</think>\n\n<tool_call>\n", "guarded"),
    ):
        assert allowed == follows(guard, prompt)
    assert [False, True, False] == [
        CHAT.eos_tokens[0] in mask(guard.matcher(prompt=encoded(prompt)))
        for prompt in (QWEN, f"{QWEN}<think>\n\n</think>\n\n", f"{QWEN}<think>\n\n</think>\n\n<tool_call>\n")
    ]


@pytest.mark.parametrize("padding", ["<pad>", "</s>"])
def test_padding_at_either_end_of_a_prompt_is_ignored(padding: str) -> None:
    pad = ids(CHAT, padding)[0]
    padded = Vocabulary(CHAT.tokens, special=CHAT.special, eos_tokens=CHAT.eos_tokens, padding=[pad])
    guard = Guard.regex("[0-9]+", padded).after("</think>")
    prompt = encoded("hi<think>\n\n</think>\n\n")
    for row in ([pad] * 3 + prompt, prompt + [pad] * 3):
        assert set(b"0123456789") == mask(guard.matcher(prompt=row))
    assert len(mask(guard.matcher(prompt=encoded("<think>\n") + [pad] * 3))) > 10


def test_the_beginning_of_a_guarded_text_in_the_prompt_is_part_of_it() -> None:
    matcher = ANSWER.after("</think>").matcher(prompt=encoded('</think>\n\n{"a":1'))
    assert b'{"a":1' == matcher.begun
    assert not matcher.accepting()
    matcher.advance(b"2}")
    assert matcher.accepting()


def test_the_end_of_a_text_that_the_prompt_began_is_allowed_where_it_is_whole() -> None:
    matcher = Guard.regex("ab", BYTES).after(":").matcher(prompt=list(b"x: ab"))
    assert {EOS} == mask(matcher)


def test_the_last_start_in_the_prompt_counts() -> None:
    guard = Guard.regex("[0-9]+", BYTES).between("<", ">")
    assert set(b"0123456789>") == mask(guard.matcher(prompt=list(b"a<1>b<2>c<3")))


def test_a_prompt_that_goes_on_otherwise_after_its_marker_is_warned_of() -> None:
    with pytest.warns(
        GuardWarning, match=r"has after '</think>' must be blank, or begin a guarded text.* got 'Here: '"
    ):
        matcher = ANSWER.after("</think>").matcher(prompt=encoded(f"{QWEN}</think>Here: "))
    assert CHAT.eos_tokens[0] not in mask(matcher)


def test_a_matcher_that_starts_anew_starts_from_its_prompt() -> None:
    for prompt, rest in ((b"x:a", b"b"), (b"x", b":ab"), (b"x;", b";ab")):
        marker = ";;" if b";" in prompt else ":"
        matcher = Guard.regex("ab", BYTES).after(marker).matcher(prompt=list(prompt))
        matcher.advance(rest[:-1])
        matcher._rebuild([])
        assert {rest[-1]} == mask(matcher)


PIECES = words(
    "</", "k>", "k>a", "k>ab", "thin", "<t", "<t>", "t>a", "b</", "b</t>", "</t>x", "x<", "ab", special=("<t>",)
)
KINDS = {
    "after": (Guard.regex("(ab){1,3}", PIECES).after("</think>"), ("</think>",)),
    "between": (Guard.regex("(ab){1,3}", PIECES).between("<t>", "</t>"), ("<t>", "</t>")),
    "nested": (Guard.regex("(ab){1,3}", PIECES).between("<t>", "</t>").after("</think>"), ("</think>", "<t>", "</t>")),
}


def cut(text: bytes, chance: Random) -> list[int]:
    """`text` in tokens, drawn from all that fit."""
    found: list[int] = []
    while text:
        fitting = [token for token, piece in enumerate(PIECES.tokens) if piece and text.startswith(piece)]
        found.append(chance.choice(sorted(fitting, key=lambda token: len(PIECES.tokens[token]))[-3:]))
        text = text[len(PIECES.tokens[found[-1]]) :]
    return found


@given(
    kind=st.sampled_from(sorted(KINDS)),
    free=st.lists(st.sampled_from(["x", "</", "<", "</thin", "t>", " "]), max_size=4).map("".join),
    num_pairs=st.integers(1, 3),
    again=st.booleans(),
    chance=st.randoms(use_true_random=False),
)
def test_wherever_a_text_is_cut_into_prompt_and_answer_the_same_may_follow(
    kind: str, free: str, num_pairs: int, again: bool, chance: Random
) -> None:
    guard, markers = KINDS[kind]
    head = f"{free}{''.join(markers[:-1]) if len(markers) > 1 else markers[0]}"
    text = head + "ab" * num_pairs
    if len(markers) > 1:
        text += markers[-1] + "x"
        text += f"{markers[-2]}ab" if again else ""
    tokens = cut(text.encode(), chance)
    emitted = guard.matcher()
    try:
        emitted.advance(tokens)
    except GuardError:  # a token that crosses into the name of a special one is no text
        return
    for position in range(len(tokens) + 1):
        matcher = guard.matcher(prompt=tokens[:position])
        matcher.advance(tokens[position:])
        assert (mask(emitted), emitted.accepting()) == (mask(matcher), matcher.accepting())


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
def test_after_its_budget_reasoning_ends_with_the_marker_token_by_token(backend: Backend) -> None:
    guard = Guard.regex("[0-9]", BYTES, backend=backend).after("</t>", max_tokens=3)
    matcher = guard.matcher()
    matcher.advance(b"ab")
    assert set(range(256)) == mask(matcher)
    matcher.advance(b"<")
    for expected in b"/t>":
        assert {expected} == mask(matcher)
        matcher.advance([expected])
    assert set(b"0123456789") == mask(matcher)


def test_a_marker_that_is_a_special_token_is_forced_as_one() -> None:
    (think,) = ids(CHAT, "</think>")
    for marker, expected in (
        ("</think>", [think]),
        ("\n</think>\n\n", [ord("\n"), think, ids(CHAT, "\n\n")[0]]),
    ):
        matcher = ANSWER.after(marker, max_tokens=1).matcher()
        matcher.advance(b"x")
        found: list[int] = []
        while len(allowed := mask(matcher)) == 1 and len(found) < 5 and allowed != {ord("{")}:
            found += allowed
            matcher.advance(sorted(allowed))
        assert expected == found


def test_a_budget_of_nothing_forces_the_marker_at_once() -> None:
    assert set(b"<") == mask(Guard.regex("a", BYTES).after("<", max_tokens=0).matcher())


def test_the_prompt_counts_for_nothing_in_the_budget() -> None:
    matcher = Guard.regex("a", BYTES).after("</t>", max_tokens=1).matcher(prompt=list(b"long</"))
    assert set(range(256)) == mask(matcher)
    matcher.advance(b"t")
    assert set(b">") == mask(matcher)


@given(
    most=st.integers(0, 6),
    marker=st.sampled_from(["</think>", "<t>", "\n<t>x", "aab", "é"]),
    chance=st.randoms(use_true_random=False),
)
def test_any_walk_under_a_budget_comes_to_the_guard_in_time(most: int, marker: str, chance: Random) -> None:
    guard = Guard.regex("[0-9]{2}", PIECES).after(marker, max_tokens=most)
    matcher, tokens = guard.matcher(), []
    while not matcher.accepting():
        allowed = sorted(mask(matcher) - PIECES.special if len(mask(matcher)) > 1 else mask(matcher))
        draft = [chance.choice(allowed), *(chance.randrange(len(PIECES)) for _ in range(4))]
        with matcher.lookahead() as ahead:
            assert [True] == [ahead.push(token) for token in draft[:1]]
        token = chance.choice(allowed)
        matcher.advance([token])
        tokens.append(token)
        assert len(tokens) <= most + len(marker.encode()) + 2
    fresh = guard.matcher()
    fresh.advance(tokens)
    assert mask(fresh) == mask(matcher)
    assert Guard.regex("[0-9]{2}", PIECES).after(marker).accepts(PIECES.decode(tokens).decode(errors="replace"))


@pytest.mark.parametrize("budget", [-1, 1.5, "3", True])
def test_a_budget_is_a_number_of_tokens(budget: object) -> None:
    with pytest.raises(GuardError, match="max_tokens must be a whole number of tokens from 0 on, got"):
        Guard.regex("a", BYTES).after("x", max_tokens=budget)  # type: ignore[arg-type]


def test_a_marker_that_the_tokens_cannot_write_is_refused_with_a_budget() -> None:
    few = Vocabulary([b"a", b"b", b"<", b"</s>"], eos_tokens=[3])
    with pytest.raises(GuardError, match=r"must be text of this tokenizer, got '<t>'"):
        Guard.regex("a", few).after("<t>", max_tokens=3)


def test_a_budget_within_calls_is_refused() -> None:
    guard = Guard.regex("a", BYTES).after("x", max_tokens=3)
    with pytest.raises(GuardError, match=r"max_tokens must count from the start of an answer"):
        guard.between("<", ">")
    assert "Guard.regex('a').after('x', max_tokens=3)" == repr(guard)


def test_a_prompt_may_be_any_sequence_of_ids() -> None:
    prompt = encoded("</think>")
    every: list[Any] = [np.array(prompt), torch.tensor(prompt), tuple(prompt)]
    for ids_given in every:
        assert set(b"0123456789") == mask(Guard.regex("[0-9]+", CHAT).after("</think>").matcher(prompt=ids_given))


def test_ids_that_are_no_tokens_end_a_turn() -> None:
    guard = Guard.regex("[0-9]+", BYTES).after(":")
    assert set(range(256)) == mask(guard.matcher(prompt=[*b"x:", 300]))
    assert set(b"0123456789") == mask(guard.matcher(prompt=[-1, 300, *b"x:"]))


def test_the_packaged_tokenizer_reads_its_own_prompts() -> None:
    tokenizer = load_pico()[1]
    guard = Guard.regex("[0-9]+", tokenizer).after("</think>")
    for tail, is_guarded in (("", False), ("<think>\n", False), ("</think>\n\n", True), ("</think>\n 12", True)):
        matcher = guard.matcher(prompt=tokenizer(f"a number: {tail}").input_ids)
        assert is_guarded == (matcher.num_guarded is not None)
        assert tail.strip().removeprefix("</think>").strip().encode() == matcher.begun or not is_guarded


def test_a_backend_that_fails_over_the_prompt_is_an_error_of_ours() -> None:
    guard = Guard(few_items(), "ambiguous").after(":")
    with pytest.raises(GuardError, match="must say what is allowed next"):
        guard.matcher(prompt=list(b":" + b"a" * 30))
