"""The suffix index is held against two loops, on texts made to repeat."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import SuffixIndex, TokenArray
from ngramspec.drafting.suffix_index import MAX_CANDIDATES, MAX_MATCH
from tests.oracles import longest_match

HIGHEST = 2**31 - 1


def tokens_of(text: list[int]) -> TokenArray:
    return np.array(text, np.int32)


def index_of(text: list[int]) -> SuffixIndex:
    index = SuffixIndex()
    index.extend(tokens_of(text))
    return index


@st.composite
def texts(draw: st.DrawFn) -> list[int]:
    """Texts over tiny alphabets, or pieces of a text repeated with a token changed here and there."""
    alphabet = draw(st.sampled_from([[0], [0, 1], [0, 1, 2], [7, HIGHEST - 1, HIGHEST]]))
    piece = st.lists(st.sampled_from(alphabet), max_size=60)
    if draw(st.booleans()):
        return draw(st.lists(st.sampled_from(alphabet), max_size=250))
    pieces = draw(st.lists(piece, min_size=1, max_size=3))
    return [token for chosen in draw(st.lists(st.sampled_from(pieces), max_size=8)) for token in chosen]


@given(text=texts(), cuts=st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=400, deadline=None)
def test_the_answer_is_the_oracles_for_any_text_and_any_cuts(text: list[int], cuts: list[int]) -> None:
    index = SuffixIndex()
    bounds = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, end in pairwise(bounds):
        index.extend(tokens_of(text[start:end]))
        expected = longest_match(text[:end], MAX_MATCH, MAX_CANDIDATES)
        assert expected == index.latest_longest_match()
    assert text == index.text.tolist()
