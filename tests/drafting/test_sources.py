"""A match that is carried along equals the match that a lookup finds."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core.plain.sources import UNKNOWN, Source
from ngramspec.drafting.core.plain.suffix_index import MAX_FOUND, SuffixIndex
from tests.drafting.test_suffix_index import index_of, texts, tokens_of
from tests.oracles import longest_match, longest_match_of


@given(text=texts(), cuts=st.lists(st.integers(0, 300), max_size=20))
@settings(max_examples=150, deadline=None)
def test_in_the_rows_own_text(text: list[int], cuts: list[int]) -> None:
    source = Source(SuffixIndex())
    for start, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
        source.index.extend(tokens_of(text[start:end]))
        source.follow(text[start:end], start)
        if source.length == UNKNOWN:
            source.take(source.index.latest_longest_match(MAX_FOUND))
        # Only among the latest occurrences, and up to a length, is it the latest.
        expected = longest_match(text[:end], 1000, 1000)
        assert source.length == expected.length or source.length >= 4
        assert text[source.start - source.length : source.start] == text[end - source.length : end]
        if expected.length < MAX_FOUND and text[:end].count(text[end - 1]) < MAX_FOUND:
            assert (expected.length, expected.start) == (source.length, source.start)


@given(text=texts(), answer=texts(), cuts=st.lists(st.integers(0, 300), max_size=20))
@settings(max_examples=150, deadline=None)
def test_in_a_history(text: list[int], answer: list[int], cuts: list[int]) -> None:
    source = Source(index_of(text))
    for start, end in pairwise(sorted({0, len(answer), *(min(cut, len(answer)) for cut in cuts)})):
        source.follow(answer[start:end], len(text))
        if source.length == UNKNOWN:
            source.take(source.index.find(answer[:end]))
        expected = longest_match_of(answer[:end], text, 1000, 1000)
        if expected.length < MAX_FOUND and text.count(answer[end - 1]) < MAX_FOUND:
            assert (expected.length, expected.start) == (source.length, source.start)
