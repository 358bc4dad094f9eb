"""End of sequence: only if the grammar accepts, always if nothing else may come, and nothing after it."""

from typing import Any

import numpy as np
import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Matcher, Vocabulary
from ngramspec.guards.source import Backend
from tests.guards.test_machine import rows
from tests.guards.vocabularies import BYTES, EOS, ids, words

A, B, C = b"abc"
backends = pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])


def mask(matcher: Matcher) -> set[int]:
    return rows(matcher, [])[1][0]


@backends
def test_the_end_is_allowed_exactly_where_the_grammar_accepts(backend: Backend) -> None:
    matcher = Guard.regex("ab?c?", BYTES, backend=backend).matcher()
    assert {A} == mask(matcher)
    matcher.advance([A])
    assert {B, C, EOS} == mask(matcher)
    matcher.advance([C])
    assert {EOS} == mask(matcher)


@backends
def test_nothing_is_allowed_after_an_end(backend: Backend) -> None:
    matcher = Guard.regex("a*", BYTES, backend=backend).matcher()
    assert (2, [{A, EOS}, {A, EOS}, set(), set()]) == rows(matcher, [A, EOS, A])
    matcher.advance([A, EOS])
    assert matcher.ended
    assert matcher.accepting()
    assert (0, [set(), set()]) == rows(matcher, [EOS])
    with matcher.lookahead() as lookahead:
        assert not lookahead.push(EOS)
        assert not lookahead.push(A)
        assert not lookahead.allowed(EOS)
        assert b"" == lookahead.forced()
    with pytest.raises(GuardError, match="at position 2 is not allowed after the end") as caught:
        matcher.advance([A])
    assert ([A, EOS], "a") == (caught.value.tokens, caught.value.text)
    assert matcher.ended


@backends
def test_an_end_in_the_middle_of_a_draft_is_taken_back(backend: Backend) -> None:
    matcher = Guard.regex("a*", BYTES, backend=backend).matcher()
    with matcher.lookahead() as lookahead:
        assert lookahead.push(A)
        assert lookahead.push(EOS)
        assert not lookahead.push(A)
    assert not matcher.ended
    with pytest.raises(GuardError, match="at position 2 is not allowed after the end"):
        matcher.advance([A, EOS, A])
    assert not matcher.ended
    matcher.advance([A, A, EOS])


@backends
def test_several_ends_are_allowed_together_and_any_of_them_ends(backend: Backend) -> None:
    vocabulary = words(ends=("</s>", "<|eot|>"))
    guard = Guard.regex("a", vocabulary, backend=backend)
    ends = set(ids(vocabulary, "</s>", "<|eot|>"))
    for end in ends:
        matcher = guard.matcher()
        matcher.advance([A])
        assert ends == mask(matcher)
        matcher.advance([end])
        assert matcher.ended


@backends
def test_the_ends_of_the_call_count_and_not_the_tokenizers(backend: Backend) -> None:
    vocabulary = words("x", ends=("</s>",))
    (other,) = ids(vocabulary, "x")
    (own,) = ids(vocabulary, "</s>")
    matcher = Guard.regex("ax?", vocabulary, backend=backend).matcher([other])
    matcher.advance([A])
    assert {ord("x"), other} == mask(matcher)
    with matcher.lookahead() as lookahead:
        assert not lookahead.push(own)
    matcher.advance([other])
    assert matcher.ended


@backends
def test_without_an_end_the_mask_of_a_whole_text_is_empty(backend: Backend) -> None:
    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)])
    matcher = Guard.regex("ab", vocabulary, backend=backend).matcher()
    matcher.advance([A, B])
    assert matcher.accepting()
    assert set() == mask(matcher)


@backends
def test_an_end_that_is_no_token_of_the_vocabulary_ends_all_the_same(backend: Backend) -> None:
    """A model's own id, in the padding of its logits: no mask can show it, and `masked` never allows it."""
    matcher = Guard.regex("a", BYTES, backend=backend).matcher([300])
    matcher.advance([A])
    assert set() == mask(matcher)
    matcher.advance([300])
    assert matcher.ended


@backends
def test_special_tokens_are_never_text(backend: Backend) -> None:
    vocabulary = words(special=("ab", "<pad>"))
    (special, pad) = ids(vocabulary, "ab", "<pad>")
    matcher = Guard.regex("(ab|<pad>)*", vocabulary, backend=backend).matcher()
    assert special not in mask(matcher)
    assert pad not in mask(matcher)
    with matcher.lookahead() as lookahead:
        assert not lookahead.push(special)
        assert not lookahead.push(pad)
    assert Guard.regex("(ab|<pad>)*", vocabulary, backend=backend).accepts("ab<pad>")


@backends
def test_a_token_that_crosses_the_end_of_the_grammar_is_not_allowed(backend: Backend) -> None:
    vocabulary = words("ab", "abc", "bc")
    (ab, abc, bc) = ids(vocabulary, "ab", "abc", "bc")
    matcher = Guard.regex("ab", vocabulary, backend=backend).matcher()
    assert ab in mask(matcher)
    assert abc not in mask(matcher)
    matcher.advance([A])
    assert {B} == mask(matcher)
    assert (0, [{B}, set()]) == rows(matcher, [bc])


@backends
@pytest.mark.parametrize("token", [-1, 257, 287, 288, 10_000])
def test_ids_out_of_range_are_refused(backend: Backend, token: int) -> None:
    matcher = Guard.regex("(.|\n)*", BYTES, backend=backend).matcher()
    assert (0, [mask(matcher), set()]) == rows(matcher, [token])
    with matcher.lookahead() as lookahead:
        assert not lookahead.push(token)
        assert not lookahead.allowed(token)
    with pytest.raises(GuardError, match=f"token {token} \\(not in the vocabulary\\) at position 0 is not allowed"):
        matcher.advance([token])


@backends
def test_no_bit_is_set_beyond_the_vocabulary(backend: Backend) -> None:
    """xgrammar's own masks leave them set where most tokens are allowed."""
    vocabulary = Vocabulary([b"a", b"b"])
    assert {0, 1} == mask(Guard.regex("(a|b)*", vocabulary, backend=backend).matcher())


def test_bitmasks_of_another_shape_or_type_are_refused() -> None:
    matcher = Guard.regex("a", BYTES).matcher()
    wrong: Any
    for wrong in (np.zeros((1, 9), np.int32), np.zeros((2, 8), np.int32), np.zeros((2, 9), np.int64)):
        with pytest.raises(ValueError, match=r"out must be int32\[2, >= 9\] for a draft of 1 tokens"):
            matcher.fill([A], wrong)


def test_a_draft_of_numpy_and_a_draft_of_a_list_are_the_same() -> None:
    matcher = Guard.regex("a*", BYTES).matcher()
    out = np.zeros((3, 9), np.int32)
    assert 2 == matcher.fill(np.array([A, A], np.int32), out)
    matcher.advance(np.array([A, EOS], np.int32))
    assert matcher.ended
