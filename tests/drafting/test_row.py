"""A row learns from committed tokens, and tracks its recent success."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting.core.plain import Row, SuffixIndex, Survival
from ngramspec.drafting.core.plain.features import recent_index
from tests.drafting.test_suffix_index import texts, tokens_of


@given(text=texts(), steps=st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 3), max_size=4)), max_size=20))
@settings(max_examples=150, deadline=None)
def test_a_rows_recent_success_is_a_running_mean(text: list[int], steps: list[tuple[int, list[int]]]) -> None:
    row, expected = Row(Survival(), SuffixIndex()), 0.5
    row.begin(tokens_of(text), -1)
    for most, surprise in steps:
        draft = row.propose(most, 0.0).tokens.tolist()
        assert not most or recent_index(expected) == row._recent
        foreseen = [*row._chain.choices]
        assert draft == foreseen[:most]
        committed = [*draft[: len(draft) // 2], *surprise]
        for drafted, token in zip(foreseen, committed, strict=False):
            expected = 0.9 * expected + 0.1 * (drafted == token)
            if drafted != token:
                break
        row.extend(tokens_of(committed))
        assert expected == pytest.approx(row._share_foreseen)


def test_a_row_that_drafts_nothing_learns_nothing() -> None:
    survival = Survival()
    row, before = Row(survival, SuffixIndex()), survival.weights
    row.begin(tokens_of([1, 2, 3] * 5), -1)
    for token in (1, 2, 3):
        row.propose(0, 0.0)
        row.extend(tokens_of([token]))
    assert before == survival.weights
