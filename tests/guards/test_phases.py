"""Free text and guarded text: where one ends and the other begins, even within tokens."""

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.guards.source import Backend
from tests.guards.test_ends import mask
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, EOS, ids, words

backends = pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])


@backends
def test_after_a_marker_the_text_is_guarded_and_cannot_end_before_it(backend: Backend) -> None:
    guard = Guard.regex("ab", BYTES, backend=backend).after("</think>")
    matcher = guard.matcher()
    assert set(range(256)) == mask(matcher)
    matcher.advance(b"hm <</think")
    assert EOS not in mask(matcher)
    matcher.advance(b">")
    assert {ord("a")} == mask(matcher)
    matcher.advance(b"ab")
    assert {EOS} == mask(matcher)
    assert guard.accepts("x</think>ab")
    assert not any(guard.accepts(text) for text in ("ab", "</think>", "</think>a", "</think></think>ab"))


@backends
def test_with_an_opening_the_answer_decides_whether_free_text_comes_first(backend: Backend) -> None:
    guard = Guard.regex("<a>|b", BYTES, backend=backend).after("</t>", opening="<t>")
    assert [True, True, True, False, False, False] == [
        guard.accepts(text) for text in ("<a>", "b", "<t>any</t>b", "<t>any", "any</t>b", "<t>any</t>")
    ]
    matcher = guard.matcher()
    assert {ord("<"), ord("b")} == mask(matcher)
    matcher.advance(b"<")
    assert {ord("a"), ord("t")} == mask(matcher)
    matcher.advance(b"t>")
    assert set(range(256)) == mask(matcher)


def test_an_opening_comes_before_a_guarded_text_that_begins_as_it_does() -> None:
    guard = Guard.regex("<t>.*", BYTES).after("</t>", opening="<t>")
    assert [False, False, True] == [guard.accepts(text) for text in ("<t>b", "<t></t>", "<t></t><t>b")]


def test_an_opening_may_be_a_special_token_by_name() -> None:
    vocabulary = words(special=("<think>", "</think>", "<th"))
    (opening, closing, head) = ids(vocabulary, "<think>", "</think>", "<th")
    matcher = Guard.regex("ab", vocabulary).after("</think>", opening="<think>").matcher()
    assert {opening, head, ord("<"), ord("a")} == mask(matcher)
    matcher.advance([head, *b"ink>x", closing])
    assert {ord("a")} == mask(matcher)


@pytest.mark.parametrize("most", [0, 2])
def test_a_budget_begins_with_the_answer_and_forces_the_marker_only_after_an_opening(most: int) -> None:
    guard = Guard.regex("ab", BYTES).after("</t>", opening="<t>", max_tokens=most)
    matcher = guard.matcher()
    assert {ord("<"), ord("a")} == mask(matcher)
    matcher.advance(b"<t>")
    assert {ord("<")} == mask(matcher)
    matcher.advance(b"</t>ab")
    assert {EOS} == mask(matcher)
    fresh = guard.matcher()
    fresh.advance(b"ab")
    assert {EOS} == mask(fresh)


def test_forced_text_is_known_where_only_the_opening_can_come() -> None:
    with Guard.regex("ab", BYTES).after("</t>", opening="<t>").matcher().lookahead() as lookahead:
        assert b"" == lookahead.forced()
        assert lookahead.push(ord("<"))
        assert b"t>" == lookahead.forced()
        lookahead.pop()
        assert lookahead.push(ord("a"))
        assert b"b" == lookahead.forced()


@backends
def test_the_marker_may_lie_inside_a_draft_and_inside_a_token(backend: Backend) -> None:
    vocabulary = words("k>a", "k>b", "k>ab", "thin")
    (right, wrong, whole, thin) = ids(vocabulary, "k>a", "k>b", "k>ab", "thin")
    matcher = Guard.regex("ab", vocabulary, backend=backend).after("<think>").matcher()
    begin = [ord("x"), ord("<"), thin]
    assert 5 == rows(matcher, [*begin, right, ord("b")])[0]
    assert 4 == rows(matcher, [*begin, whole, ord("b")])[0]
    assert 3 == rows(matcher, [*begin, wrong])[0]
    matcher.advance(begin)
    assert {right, whole} == mask(matcher) & {right, wrong, whole}


@backends
def test_a_marker_may_be_a_special_token_by_name(backend: Backend) -> None:
    vocabulary = words(special=("<tool_call>", "</tool_call>", "<tool_call>x"))
    (start, end, longer) = ids(vocabulary, "<tool_call>", "</tool_call>", "<tool_call>x")
    matcher = Guard.regex("x+", vocabulary, backend=backend).between("<tool_call>", "</tool_call>").matcher()
    assert start in mask(matcher)
    assert longer not in mask(matcher)
    matcher.advance([start])
    assert {ord("x")} == mask(matcher)
    matcher.advance(b"x")
    assert {ord("x"), ord("<"), end} == mask(matcher)
    matcher.advance([end])
    assert set(vocabulary.eos_tokens) <= mask(matcher)


@backends
def test_between_comes_as_often_as_it_likes_and_ends_in_free_text_only(backend: Backend) -> None:
    guard = Guard.regex("a|b", BYTES, backend=backend).between("<", ">")
    assert all(guard.accepts(text) for text in ("", "free", "<a>", "x<a>y<b>z", "<a><b>", "> >"))
    assert not any(guard.accepts(text) for text in ("<", "<a", "<ab>", "<>", "x<a><c>", "<<a>"))


@backends
def test_an_end_marker_closes_only_where_the_guarded_text_is_whole(backend: Backend) -> None:
    guard = Guard.json_schema({"type": "array", "items": {"type": "string"}}, BYTES, backend=backend).between(
        "[[", "]]"
    )
    assert guard.accepts('[[["a]]b"]]]')
    assert guard.accepts("[[[]]]")
    assert not guard.accepts('[[["a]]')


@backends
def test_forced_text_is_known_across_the_end_marker(backend: Backend) -> None:
    matcher = Guard.regex("ab", BYTES, backend=backend).between("<t>", "</t>").matcher()
    with matcher.lookahead() as lookahead:
        for token in b"<t>":
            assert b"" == lookahead.forced()
            assert lookahead.push(token)
        assert b"ab" == lookahead.forced()
        assert all(lookahead.push(token) for token in b"ab")
        assert b"</t>" == lookahead.forced()
        assert all(lookahead.push(token) for token in b"</")
        assert b"t>" == lookahead.forced()


def test_reasoning_may_come_before_tool_calls() -> None:
    vocabulary = words(special=("</think>", "<tool_call>", "</tool_call>"))
    (thought, start, end) = ids(vocabulary, "</think>", "<tool_call>", "</tool_call>")
    guard = Guard.regex("f[(][)]", vocabulary).between("<tool_call>", "</tool_call>").after("</think>")
    matcher = guard.matcher()
    matcher.advance([*b"call? ", start, *b"anything", thought, *b"So: ", start])
    assert {ord("f")} == mask(matcher)
    matcher.advance([*b"f()", end])
    assert set(vocabulary.eos_tokens) <= mask(matcher)


def test_a_grammar_with_special_tokens_of_its_own_works_between_markers() -> None:
    vocabulary = words(special=("<|sep|>",))
    (separator,) = ids(vocabulary, "<|sep|>")
    matcher = Guard.grammar('start: "a" <|sep|> "b"\n', vocabulary).between("<t>", "</t>").matcher()
    matcher.advance(b"<t>a")
    assert {separator} == mask(matcher)
    matcher.advance([separator, *b"b</t>"])
    assert matcher.accepting()


def test_a_marker_that_is_the_end_of_sequence_is_never_free_text() -> None:
    matcher = Guard.regex("a", BYTES).after("</s>").matcher()
    assert EOS not in mask(matcher)
    matcher.advance(b"</s>a")
    assert {EOS} == mask(matcher)


@pytest.mark.parametrize("marker", ["", None, 3, b"<"])
def test_a_marker_must_be_a_text(marker: object) -> None:
    guard = Guard.regex("a", BYTES)
    with pytest.raises(GuardError, match="marker must be a text of at least one character"):
        guard.after(marker)  # type: ignore[arg-type]
    if marker is not None:
        with pytest.raises(GuardError, match="opening must be a text of at least one character"):
            guard.after("</t>", opening=marker)  # type: ignore[arg-type]
    with pytest.raises(GuardError, match="end must be a text of at least one character"):
        guard.between("<", marker)  # type: ignore[arg-type]


def test_a_token_without_bytes_changes_nothing_where_any_token_may_come() -> None:
    vocabulary = words("")
    (nothing,) = ids(vocabulary, "")
    matcher = Guard.regex("a", vocabulary).between("<", ">").between("[", "]]").matcher()
    matcher.advance([nothing, *b"[free]", nothing])
    assert not matcher.accepting()
    matcher.advance(b"]")
    assert matcher.accepting()
    matcher.advance([*b"[<", *b"a"])
    assert nothing not in mask(matcher)
