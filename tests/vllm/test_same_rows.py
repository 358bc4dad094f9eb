"""Rows of a batch are identified by their tokens, however the batch is reordered."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.vllm.same_rows import PATIENCE, SameRows

TEXTS = [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 2, 2, 2, 2, 2, 2, 2], [1, 2, 1, 2, 1, 2, 1, 2, 1, 2], [1] * 10]


def read(rows: SameRows, known: dict[int, list[int]], batch: list[list[int]]) -> list[int]:
    """One pass: each row is found and taken in; returns the keys."""
    rows.begin(len(batch))
    keys = []
    for position, text in enumerate(batch):
        tokens = np.array(text, np.int32)
        row = rows.at(position, tokens)
        assert known.get(row.key, []) == text[: row.size]
        known.setdefault(row.key, []).extend(row.take(tokens).tolist())
        assert text == known[row.key]
        keys.append(row.key)
    return keys


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=4, unique_by=lambda row: row[0]), max_size=30
    )
)
def test_a_row_has_read_the_text_that_it_is_given_and_no_two_are_one(batches: list[list[tuple[int, int]]]) -> None:
    rows, known, sizes = SameRows(), dict[int, list[int]](), [0, 0, 0, 0]
    for batch in batches:
        texts = []
        for request, num_new in batch:
            sizes[request] = num_new if sizes[request] >= 10 else sizes[request] + num_new
            texts.append(TEXTS[request][: sizes[request]])
        keys = read(rows, known, texts)
        assert len(keys) == len(set(keys))
        assert not set(keys) & set(rows.over)


def test_a_row_is_the_same_after_it_has_moved_been_away_or_swapped() -> None:
    rows, known = SameRows(), dict[int, list[int]]()
    first, second = read(rows, known, [[1, 2, 3], [4, 5]])
    assert [second, first] == read(rows, known, [[4, 5, 6], [1, 2, 3, 4]])
    assert [second] == read(rows, known, [[4, 5, 6, 7]])
    assert [first, second] == read(rows, known, [[1, 2, 3, 4, 5], [4, 5, 6, 7, 8]])


def test_a_row_that_does_not_come_back_is_over() -> None:
    rows, known = SameRows(), dict[int, list[int]]()
    gone, stays = read(rows, known, [[1, 2, 3], [4, 5]])
    for size in range(3, PATIENCE + 5):
        assert [stays] == read(rows, known, [[4, 5, *range(10, 10 + size)]])
    assert [gone] == rows.over
