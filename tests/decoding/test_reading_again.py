"""Rows that read tokens again: what they keep, and the prices and gains of known tokens, in this pass and the next."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import AdaptiveBudget, Costs, LinearCosts, MeasuredCosts, Row, Shape, reading_again
from ngramspec.decoding.gains import read_again
from ngramspec.decoding.reading_again import MOST_KNOWN
from ngramspec.drafting import NoDrafts
from ngramspec.drafting.types import Draft

survivals = st.lists(st.floats(0.0, 1.0), min_size=0, max_size=6).map(lambda values: sorted(values, reverse=True))


def measured(per_column: float, widest: int = 32) -> MeasuredCosts:
    """Costs of a machine on which a column adds `per_column` plain passes of 10 ms."""
    costs = MeasuredCosts()
    for _ in range(8):
        for columns in (1, 2, 4, 8, 16, widest):
            costs.record(shape(columns=columns), 0.01 * (1.0 + per_column * (columns - 1)), 1)
    return costs


def shape(known: int = 0, columns: int = 1) -> Shape:
    return Shape(1, max(columns, known), max(columns, known), 16, known)


def draft(survival: Sequence[float]) -> Draft:
    return Draft(np.arange(2, 2 + len(survival), dtype=np.int32), survival=np.array(survival))


@pytest.mark.parametrize("known", [1, 2, 7, 30])
def test_the_price_of_a_pass_counts_the_columns_that_are_read_again(known: int) -> None:
    costs = measured(0.1)
    free, again = costs.prices(shape(), 60), costs.prices(shape(known), 20)
    assert free is not None
    assert again is not None
    assert free[known - 1 : known + 20].tolist() == again.tolist()


def test_a_pass_without_drafts_has_a_price_however_much_is_read_again() -> None:
    prices = measured(0.1, widest=16).prices(shape(known=100), 5)
    assert prices is not None
    assert math.isfinite(prices[0])
    assert np.isinf(prices[1:]).all()


@given(rows=st.lists(survivals, min_size=1, max_size=3), per_column=st.floats(0.0, 1.0), known=st.integers(1, 9))
def test_what_is_read_again_is_priced_as_by_counting(rows: list[list[float]], per_column: float, known: int) -> None:
    longest = max(map(len, rows))
    prices = np.array([1.0 + per_column * (known - 1 + more) for more in range(longest + 1)])
    expected = []
    for length in range(longest + 1):
        all_kept = math.prod(row[length - 1] if len(row) >= length else 0.0 for row in rows) if length else 1.0
        accepted = sum(sum(row[:length]) for row in rows) / len(rows)
        columns = min(known + accepted + 1.0, known + longest)
        expected.append((1.0 - all_kept) * per_column * (columns - 1.0))
    assert read_again([draft(row) for row in rows], prices, 1.0).tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("costs", [measured(0.2), LinearCosts(0.008, 0.002)], ids=["measured", "linear"])
def test_a_draft_must_be_surer_where_a_rejection_is_read_again(costs: Costs) -> None:
    budget = AdaptiveBudget()
    unsure, sure = draft([0.3]), draft([0.95, 0.95])
    free, again = shape(), shape(known=1)
    assert [[1], [0]] == [budget.allot([unsure], [100], each, costs) for each in (free, again)]
    assert [[2], [2]] == [budget.allot([sure], [100], each, costs) for each in (free, again)]


@pytest.mark.parametrize("costs", [measured(0.1), LinearCosts(0.009, 0.001)], ids=["measured", "linear"])
def test_the_more_is_known_the_surer_a_draft_must_be(costs: Costs) -> None:
    budget = AdaptiveBudget()
    drafted = [budget.allot([draft([0.6])], [100], shape(known), costs)[0] for known in (1, 2, 4, 8, 16)]
    assert drafted == sorted(drafted, reverse=True)
    assert (1, 0) == (drafted[0], drafted[-1])


def read_row(known: int, drafted: list[int], chosen: list[int]) -> Row:
    """A row with `known` tokens that has read `drafted` after them, and was given `chosen` up to where they differ."""
    row = Row(NoDrafts().open(), pending=[1] * known, remaining=99, num_cached=5)
    for position, token in enumerate(chosen):
        row.commit(token)
        if drafted[position : position + 1] != [token]:
            break
    return row


tokens = st.integers(0, 1)


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 40), st.lists(tokens, max_size=5), st.lists(tokens, min_size=6, max_size=6)),
        min_size=1,
        max_size=3,
    )
)
def test_any_row_keeps_a_state_that_has_read_its_text_and_nothing_else(
    rows: list[tuple[int, list[int], list[int]]],
) -> None:
    held = [read_row(*row) for row in rows]
    read = [[1] * known + drafted for known, drafted, _ in rows]
    width = max(map(len, read))
    kept = reading_again.kept(held, list(map(len, read)))
    for row, own, num in zip(held, read, kept, strict=True):
        filled = own + [-1] * (width - len(own))
        text = row.pending + row.committed[:-1]
        assert num == 5 + (width if filled == text[:width] else 0)


@given(known=st.lists(st.integers(1, 2 * MOST_KNOWN), min_size=1, max_size=4))
def test_any_rows_draft_freely_or_so_much_that_all_read_to_the_last_column(known: list[int]) -> None:
    rows = [Row(NoDrafts().open(), pending=[1] * num, remaining=999) for num in known]
    reading_again.limit_drafts(rows, [0] * len(rows))
    rooms = [row.room(500) for row in rows]
    if max(known) <= MOST_KNOWN:
        assert {500} == set(rooms)
    else:
        assert {max(known)} == {num + room for num, room in zip(known, rooms, strict=True)}
