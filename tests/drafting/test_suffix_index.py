"""The suffix index against two loops, on texts made to repeat; its work is counted, not timed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.drafting import Match, TokenArray
from ngramspec.drafting.core.plain import SuffixIndex, suffix_index
from ngramspec.drafting.core.plain.suffix_index import BULK, MAX_COMPARED, MAX_FOUND, MAX_MATCH
from tests.oracles import longest_match, longest_match_of

HIGHEST = 2**31 - 1


def tokens_of(text: list[int]) -> TokenArray:
    return np.array(text, np.int32)


def index_of(text: list[int]) -> SuffixIndex:
    index = SuffixIndex()
    index.extend(tokens_of(text))
    return index


@st.composite
def texts(draw: st.DrawFn) -> list[int]:
    """Texts over tiny alphabets, or pieces that come again and again."""
    alphabet = draw(st.sampled_from([[0], [0, 1], [0, 1, 2], [7, HIGHEST - 1, HIGHEST]]))
    if draw(st.booleans()):
        return draw(st.lists(st.sampled_from(alphabet), max_size=250))
    pieces = draw(st.lists(st.lists(st.sampled_from(alphabet), max_size=60), min_size=1, max_size=3))
    return [token for piece in draw(st.lists(st.sampled_from(pieces), max_size=8)) for token in piece]


@given(text=texts(), cuts=st.lists(st.integers(0, 300), max_size=6), bulk=st.sampled_from([8, BULK]))
@settings(max_examples=300, deadline=None)
def test_any_text_cut_anyhow_gives_the_oracles_answer(text: list[int], cuts: list[int], bulk: int) -> None:
    index = SuffixIndex()
    bounds = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, end in pairwise(bounds):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(suffix_index, "BULK", bulk)
            index.extend(tokens_of(text[start:end]))
        expected = longest_match(text[:end], MAX_MATCH, MAX_COMPARED)
        assert expected == index.latest_longest_match()
    assert text == index.text.tolist()
    assert len(text) == len(index)


def index_of_pieces(text: list[int], cuts: list[int], bulk: int) -> SuffixIndex:
    """Taken in piece by piece; between them lookups, which the index may remember, are made or not."""
    index = SuffixIndex()
    for start, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(suffix_index, "BULK", bulk)
            index.extend(tokens_of(text[start:end]))
        if end % 2:
            index.latest_longest_match()
    return index


@given(
    text=texts(), end=texts(), own=st.integers(0, 250), cuts=st.lists(st.integers(0, 300), max_size=6),
    bulk=st.sampled_from([8, BULK]),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_end_of_another_text_is_found_as_the_oracle_finds_it(
    text: list[int], end: list[int], own: int, cuts: list[int], bulk: int
) -> None:
    tail = text[own:][:40] + end[:5]
    expected = longest_match_of(tail, text, MAX_FOUND, MAX_FOUND)
    assert expected == index_of_pieces(text, cuts, bulk).find(tail)


@given(text=texts(), max_match=st.integers(5, 12), max_compared=st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_where_the_bounds_bind_the_answer_is_still_the_oracles(
    text: list[int], max_match: int, max_compared: int
) -> None:
    expected = longest_match(text, max_match, max_compared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suffix_index, "MAX_MATCH", max_match)
        patch.setattr(suffix_index, "MAX_COMPARED", max_compared)
        assert expected == index_of(text).latest_longest_match()


@given(seed=st.integers(0, 2**32 - 1), alphabet=st.integers(1, 6), size=st.integers(BULK, 3000))
@settings(max_examples=50, deadline=None)
def test_a_text_in_bulk_answers_like_the_same_text_token_by_token(seed: int, alphabet: int, size: int) -> None:
    text = np.random.default_rng(seed).integers(0, alphabet, size, np.int32)
    bulk, single = index_of(text[:-20].tolist()), SuffixIndex()
    for token in text[:-20]:
        single.extend(tokens_of([token]))
    for token in text[-20:]:
        assert single.latest_longest_match() == bulk.latest_longest_match()
        single.extend(tokens_of([token]))
        bulk.extend(tokens_of([token]))
    assert single.latest_longest_match() == bulk.latest_longest_match()


def recurring(num_occurrences: int) -> list[int]:
    """A long match, `num_occurrences` of its last four tokens back; those since then share only these four.

    The tokens 0 0 0 0 after a 9 are the long match; after other tokens they are not.
    """
    text = [9, 0, 0, 0, 0, 1]
    for number in range(num_occurrences - 1):
        text += [10 + number, 0, 0, 0, 0, 2]
    return [*text, 9, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("num_occurrences", "expected"),
    [
        (MAX_COMPARED, Match(5, 5)),
        (MAX_COMPARED + 1, Match(4, 6 * MAX_COMPARED + 5)),
    ],
)
def test_it_is_exact_up_to_the_bound_on_comparisons_and_takes_the_latest_beyond(
    num_occurrences: int, expected: Match
) -> None:
    assert expected == index_of(recurring(num_occurrences)).latest_longest_match()


def test_agreement_counts_up_to_the_bound_and_then_the_latest_wins() -> None:
    run = list(range(10, 10 + MAX_MATCH))
    longer_but_earlier = [1, *run, 2, *run, 3, 1, *run]
    assert Match(MAX_MATCH, 2 + 2 * MAX_MATCH) == index_of(longer_but_earlier).latest_longest_match()


class CountingText:
    """A text that counts how often it is read."""

    def __init__(self, text: TokenArray) -> None:
        self.num_reads = 0
        self._text = text.tolist()

    def __getitem__(self, position: int) -> int:
        self.num_reads += 1
        token: int = self._text[position]
        return token


def num_reads_of_a_lookup(index: SuffixIndex) -> int:
    counting = CountingText(index.text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_text_view", counting)
        index.latest_longest_match()
    return counting.num_reads


MOST_READS = 4 + MAX_COMPARED * (2 + 2 * MAX_MATCH)


@given(text=texts())
@settings(max_examples=200, deadline=None)
def test_a_lookup_never_reads_more_than_its_bound(text: list[int]) -> None:
    assert num_reads_of_a_lookup(index_of(text)) <= MOST_READS


@pytest.mark.parametrize(
    ("pattern", "times"),
    [
        pytest.param([0], 4000, id="one token"),
        pytest.param([0, 1], 2000, id="two tokens in turn"),
        pytest.param([0] * 500 + [1], 8, id="runs with breaks"),
        pytest.param([0] * 500 + [1] + [0] * 499 + [2], 4, id="runs of unequal length"),
        pytest.param([1, 2, 3, 0, 0, 0, 0], 600, id="many occurrences of the same four"),
    ],
)
@pytest.mark.parametrize("ending", [[], [0, 0, 0, 0], [0] * 100, [3, 0, 0, 0, 0]])
def test_no_text_makes_a_lookup_slower_as_it_grows(pattern: list[int], times: int, ending: list[int]) -> None:
    expected = num_reads_of_a_lookup(index_of(pattern * times + ending))
    assert expected == num_reads_of_a_lookup(index_of(pattern * times * 20 + ending))


@example(text=[0] * BULK, bad=-1)
@example(text=[], bad=-100)
@given(text=texts(), bad=st.integers(-(2**31), -1))
def test_a_negative_id_is_refused_and_changes_nothing(text: list[int], bad: int) -> None:
    index = index_of(text)
    expected = index.latest_longest_match()
    for tokens in ([bad], [*text, bad], [0] * BULK + [bad]):
        with pytest.raises(ValueError, match=f"token ids must be >= 0, got {bad}"):
            index.extend(tokens_of(tokens))
    assert text == index.text.tolist()
    assert expected == index.latest_longest_match()
