"""Positions that are spelled alike, against a search byte by byte; drafts from them, by example."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup
from ngramspec.drafting.core.plain import SuffixIndex, spelling
from ngramspec.drafting.core.plain.features import NOT_SPELLED
from ngramspec.drafting.core.plain.spelling import LEAST_BYTES, MAX_BYTES, MAX_SPELLED, SpelledIndex
from tests.drafting.test_suffix_index import index_of, tokens_of
from tests.oracles import spelled_match

VOCABULARY = [b"a", b"b", b" a", b'"a', b"ab", b"", b"abab"]


@given(
    text=st.lists(st.integers(0, len(VOCABULARY)), max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_any_text_asked_for_anywhere_gives_the_oracles_answer(text: list[int], cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spelling, "MAX_SPELLED", len(text))
        index = SuffixIndex()
        spelled = SpelledIndex(index, VOCABULARY)
        for start, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
            index.extend(tokens_of(text[start:end]))
            pieces = [VOCABULARY[token] if token < len(VOCABULARY) else b"" for token in text[:end]]
            assert spelled_match(pieces, LEAST_BYTES, MAX_BYTES) == spelled.find()


def test_of_many_occurrences_only_the_latest_are_compared() -> None:
    vocabulary = [b"xyz", b"-"]
    for many, expected in ((MAX_SPELLED - 1, (4, 2)), (MAX_SPELLED, (3, MAX_SPELLED + 2))):
        text = [1, 0, *[0] * many, 1, 0]
        assert expected == tuple(SpelledIndex(index_of(text), vocabulary).find())


def test_text_in_other_tokens_is_drafted_from_a_common_token_boundary() -> None:
    blank_foobar, quote, foobar, baz, end = range(5)
    vocabulary = [b" foobar", b'"', b"foobar", b" baz", b"."]
    for known, expected in ((vocabulary, [baz, end]), (None, [])):
        session = AdaptiveLookup(vocabulary=known).open()
        session.extend(tokens_of([end, blank_foobar, baz, end]))
        session.extend(tokens_of([quote, foobar]))
        assert expected == session.propose(2).tokens.tolist()


def test_references_are_searched_by_their_bytes_too() -> None:
    session = AdaptiveLookup(vocabulary=[b" foobar", b"foobar", b"baz"]).open(references=[tokens_of([0, 2])])
    session.extend(tokens_of([]))
    session.extend(tokens_of([1]))
    assert [2] == session.propose(1).tokens.tolist()


def test_that_nothing_is_spelled_alike_never_speaks_for_or_against_a_token() -> None:
    drafter = AdaptiveLookup()
    before = drafter.survival.weights
    session = drafter.open()
    session.extend(tokens_of([1, 2, 3, 4] * 4))
    for token in (1, 2, 9, 3, 4):
        session.propose(4)
        session.extend(tokens_of([token]))
    after = drafter.survival.weights
    assert before != after
    assert 0.0 == before[NOT_SPELLED] == after[NOT_SPELLED]


@pytest.mark.parametrize("vocabulary", [["a", "b"], [b"a", None], 7])
def test_what_is_no_sequence_of_bytes_is_refused(vocabulary: Any) -> None:
    with pytest.raises(TypeError, match=r"vocabulary must be the bytes of each token, got .*: give `Vocabulary\.of"):
        AdaptiveLookup(vocabulary=vocabulary)
