"""A pointer gives its offer and its state; a joined pointer gives those of both."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core import SEPARATOR
from ngramspec.drafting.core.plain.key import LONGEST, SHIFTS
from ngramspec.drafting.core.plain.pointers import Pointer
from ngramspec.drafting.core.plain.suffix_index import BULK
from tests.drafting.test_suffix_index import index_of, index_of_pieces, texts
from tests.oracles import agreement

TEXT = [1, 2, 3, 4, 1, 2, 3, 5] * 3


def pointer_at(start: int, number: int, length: int, misses: int = 0) -> Pointer:
    pointer = Pointer(index_of(TEXT), number)
    pointer.put(start, length, misses)
    return pointer


@given(
    start=st.integers(1, len(TEXT) - 1),
    lengths=st.tuples(st.integers(1, 40), st.integers(0, 40)),
    misses=st.integers(0, 9),
)
def test_a_match_speaks_for_the_copy_that_joined_it_as_long_as_there_is_text(
    start: int, lengths: tuple[int, int], misses: int
) -> None:
    apart = [pointer_at(start, 0, lengths[0]), pointer_at(start, 2, lengths[1], misses)]
    joined = pointer_at(start, 0, lengths[0])
    joined.join(pointer_at(start, 2, lengths[1], misses))
    for token in TEXT[start:]:
        assert 0b101 == joined.offering
        states = [pointer.offer([]) for pointer in apart]
        assert states[0] | states[1] == joined.offer([])
        assert [token] * 3 == [pointer.token for pointer in (joined, *apart)]
        for pointer in (joined, *apart):
            pointer.advance()
    joined.offer([7])  # after the text the match alone goes on, with what was drafted
    assert (7, 1) == (joined.token, joined.offering)


@pytest.mark.parametrize(("length", "longest"), [(1, 3), (10, 12), (LONGEST - 1, LONGEST), (LONGEST + 9, LONGEST)])
def test_a_draft_makes_a_match_longer_by_two_tokens_at_most(length: int, longest: int) -> None:
    pointer = pointer_at(1, 0, length)
    for _ in range(9):
        pointer.advance()
    assert longest == pointer.length


@given(text=texts().filter(lambda text: len(text) > 1), cuts=st.lists(st.integers(0, 300), max_size=6), data=st.data())
@settings(max_examples=300, deadline=None)
def test_the_kind_of_a_match_is_the_oracles(text: list[int], cuts: list[int], data: st.DataObject) -> None:
    index = index_of_pieces(text, cuts, data.draw(st.sampled_from([8, BULK])))
    start = data.draw(st.integers(1, len(text) - 1))
    length = data.draw(st.integers(1, min(start, 6)))
    assume(text[start] != SEPARATOR)  # there no match goes on
    pointer = Pointer(index, 0)
    pointer.put(start, length)
    assert agreement(text, start, length) == pointer.offer([]) >> SHIFTS[0] & 3
