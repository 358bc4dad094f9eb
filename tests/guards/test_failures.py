"""Fail closed: a backend that cannot go on ends in a GuardError, and no unmasked token is emitted.

The failures are real: llguidance reaches limits that are set low.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from llguidance import LLMatcher, LLParserLimits

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.guards.backends import llguidance
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.phases import Phased
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, EOS

A, B, C = b"abc"
AMBIGUOUS = 'start: item*\nitem: "a" | "a" item | item item | "(" start ")"\n'
"""Takes more items of the parser with each letter."""
FORGETFUL = "(a|b)*a(a|b){12}"
"""Takes new states of the lexer with each new letter."""


def limited(grammar: str, **limits: Any) -> llguidance.Compiled:
    compiled = llguidance.Compiled(grammar, BYTES)
    made = partial(LLMatcher, llguidance.tokenizer_of(BYTES), grammar, log_level=0, limits=LLParserLimits(**limits))
    compiled._make, compiled._first = made, made()
    return compiled


def few_items() -> llguidance.Compiled:
    return limited(LLMatcher.grammar_from_lark(AMBIGUOUS), max_items_in_row=20)


def test_advance_raises_with_the_text_so_far_and_the_state_unchanged() -> None:
    matcher = few_items().matcher([EOS])
    matcher.advance([A, A])
    with pytest.raises(GuardError, match="must say what is allowed next, got Parser Error: Current row has") as caught:
        matcher.advance([A] * 10)
    assert ([A, A], "aa") == (caught.value.tokens, caught.value.text)
    assert "\n" not in str(caught.value)
    assert matcher.accepting()
    fresh = few_items().matcher([EOS])
    fresh.advance([A, A])
    assert rows(fresh, [A]) == rows(matcher, [A])
    matcher.advance([A, EOS])
    assert matcher.ended


def test_fill_raises_where_the_first_mask_fails() -> None:
    matcher = limited(LLMatcher.grammar_from_lark(AMBIGUOUS), step_max_items=20).matcher([EOS])
    matcher.advance([A])
    out = np.full((1, 9), 5, np.int32)
    with pytest.raises(GuardError, match="Too many items") as caught:
        matcher.fill([], out)
    assert "a" == caught.value.text
    assert not out.any()
    assert matcher.accepting()


def test_fill_ends_the_head_where_a_later_mask_fails_and_the_state_is_as_before() -> None:
    matcher = few_items().matcher([EOS])
    draft = [A] * 8
    num_legal, masks = rows(matcher, draft)
    assert 0 < num_legal < len(draft)
    assert all(masks[: num_legal + 1])
    assert not any(masks[num_legal + 1 :])
    assert (num_legal, masks) == rows(matcher, draft)
    assert rows(few_items().matcher([EOS]), []) == rows(matcher, [])


def test_a_lookahead_continues_after_a_failure() -> None:
    matcher = few_items().matcher([EOS])
    with matcher.lookahead() as lookahead:
        assert all(lookahead.push(A) for _ in range(8))
        assert (False, b"") == (lookahead.allowed(A), lookahead.forced())  # nor can it take so many
        lookahead.pop(6)
        assert lookahead.allowed(A)
        pushed = [lookahead.push(A) and lookahead.allowed(EOS) for _ in range(8)]
        assert [True, False] == sorted(set(pushed), reverse=True)
        assert sorted(pushed, reverse=True) == pushed
    assert rows(few_items().matcher([EOS]), []) == rows(matcher, [])


def test_a_lookahead_whose_mask_fails_allows_nothing_and_goes_on() -> None:
    matcher = limited(LLMatcher.grammar_from_lark(AMBIGUOUS), step_max_items=20).matcher([EOS])
    with matcher.lookahead() as lookahead:
        assert lookahead.push(A)
        assert not lookahead.allowed(A)
        assert lookahead.push(A)
    matcher.advance([A, A, EOS])


def test_a_matcher_whose_automaton_another_one_has_filled_goes_on_with_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = limited(LLMatcher.grammar_from_regex(FORGETFUL), step_lexer_fuel=200)
    matcher, greedy = compiled.matcher([EOS]), compiled.matcher([EOS])
    matcher.advance([A, B, B])

    def write() -> None:
        for token in [A, A, B, B, B] * 20:
            rows(greedy, [])
            greedy.advance([token])

    with pytest.raises(GuardError, match=r"lexer error|refused, which had been allowed"):
        write()
    num_rebuilt = 0

    def counted(self: Matcher, pushed: list[int]) -> None:
        nonlocal num_rebuilt
        num_rebuilt += 1
        rebuild(self, pushed)

    rebuild = Matcher._rebuild
    monkeypatch.setattr(Matcher, "_rebuild", counted)
    for _ in range(5):
        assert (0, [{A, B}]) == rows(matcher, [])
        matcher.advance([B])
    assert 1 == num_rebuilt


def test_a_matcher_that_cannot_be_brought_back_raises_from_then_on() -> None:
    compiled = limited(LLMatcher.grammar_from_regex(FORGETFUL), step_lexer_fuel=200)
    matcher = compiled.matcher([EOS])
    full = compiled._first
    compiled._make = lambda: full  # what llguidance does where no automaton of its limits can read the text
    tokens = [A, B] * 20

    def write() -> None:
        for token in tokens:
            rows(matcher, [])
            matcher.advance([token])

    with pytest.raises(GuardError, match=r"lexer error|refused, which had been allowed") as caught:
        write()
    told = caught.value.tokens
    assert tokens[: len(told)] == told
    for ask in (matcher.accepting, lambda: rows(matcher, []), lambda: matcher.advance([A])):
        with pytest.raises(GuardError) as again:
            ask()
        assert told == again.value.tokens


def test_a_guard_in_phases_fails_like_its_inner_one() -> None:
    matcher = Phased(few_items(), "<", None).matcher([EOS])
    matcher.advance(b"free <aa")
    with pytest.raises(GuardError) as caught:
        matcher.advance([A] * 10)
    assert "free <aa" == caught.value.text
    matcher.advance([A, EOS])
    assert "free <aaa" == matcher._text()


def test_an_interrupt_leaves_the_state_as_it_was() -> None:
    matcher = Guard.regex("a*b", BYTES).matcher()
    matcher.advance([A])

    def push_and_interrupt() -> None:
        with matcher.lookahead() as lookahead:
            assert lookahead.push(B)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push_and_interrupt()
    assert not matcher.accepting()
    assert {A, B} == rows(matcher, [])[1][0]


def test_a_grammar_that_counts_tokens_is_taken_back_by_reading_it_anew() -> None:
    guard = Guard.grammar('start: t "b"\nt[max_tokens=3]: /a+/\n', BYTES)
    matcher = guard.matcher()
    for _ in range(2):
        assert (3, [{A}, {A, B}, {A, B}, {B}, set()]) == rows(matcher, [A, A, A, A])
    matcher.advance([A, A])
    assert [{A, B}, {B}] == rows(matcher, [A])[1]
    with pytest.raises(GuardError, match="is not allowed"):
        matcher.advance([A, A])
    matcher.advance([A, B, EOS])
