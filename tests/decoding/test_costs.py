"""What is learnt of passes: prices by width, scarcely disturbed by noise, and what was not tried of late."""

import itertools
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import LinearCosts, MeasuredCosts, Shape
from ngramspec.decoding.measured_costs import FIRST_GUESS, MEMORY, NUM_ENOUGH, NUM_KEPT, STALE, Rate


def wide(columns: int, rows: int = 1, context: int = 100) -> Shape:
    return Shape(rows, columns, rows * columns, context)


def measured(*times: tuple[int, float], context: int = 100) -> MeasuredCosts:
    costs = MeasuredCosts()
    for columns, seconds in times:
        for _ in range(NUM_ENOUGH):
            costs.record(wide(columns, context=context), seconds, 1)
    return costs


def test_nothing_is_said_before_a_pass_of_one_column_was_measured_a_few_times() -> None:
    costs = MeasuredCosts()
    assert costs.seconds(wide(1)) is None
    for _ in range(NUM_ENOUGH):
        assert costs.seconds(wide(5)) is None
        costs.record(wide(1), 1.0, 1)
    assert 1.0 == costs.seconds(wide(1))
    assert costs.seconds(wide(11)) == pytest.approx(1.0 + 10 * FIRST_GUESS)


def test_between_two_widths_the_price_is_on_the_line_and_behind_the_last_it_goes_on() -> None:
    costs = measured((1, 1.0), (11, 3.0))
    assert [1.0, 2.0, 3.0, 4.0] == [costs.seconds(wide(columns)) for columns in (1, 6, 11, 16)]


def test_a_pass_that_was_disturbed_changes_no_price() -> None:
    costs = measured((1, 1.0), (11, 3.0))
    costs.record(wide(11), 50.0, 1)
    assert 3.0 == costs.seconds(wide(11))


def test_a_lasting_change_is_learnt_within_the_passes_that_are_kept() -> None:
    costs = measured((1, 1.0), (11, 3.0))
    for _ in range(NUM_KEPT):
        costs.record(wide(11), 2.0, 1)
    assert 2.0 == costs.seconds(wide(11))


def test_a_wider_pass_is_never_cheaper() -> None:
    costs = measured((1, 1.0), (4, 0.5), (8, 2.0))
    assert [1.0, 1.0, 2.0] == [costs.seconds(wide(columns)) for columns in (1, 4, 8)]


def test_another_context_starts_with_what_the_nearest_one_knows_and_goes_its_own_way() -> None:
    costs = measured((1, 1.0), (11, 3.0), context=1000)
    assert 3.0 == costs.seconds(wide(11, context=5000))
    for _ in range(NUM_KEPT):
        costs.record(wide(11, context=5000), 9.0, 1)
    assert 9.0 == costs.seconds(wide(11, context=5000))
    assert 3.0 == costs.seconds(wide(11, context=1000))


def test_a_width_that_was_not_tried_of_late_costs_at_least_what_the_widest_narrower_one_does() -> None:
    costs = measured((1, 1.0), (5, 2.0))
    assert costs.least_seconds(wide(5)) is None
    assert [1.0, 2.0] == [costs.least_seconds(wide(columns)) for columns in (4, 9)]
    for _ in range(STALE):
        costs.record(wide(1), 1.0, 1)
    assert [1.0, 1.0] == [costs.least_seconds(wide(columns)) for columns in (5, 9)]


def test_a_pass_of_one_column_that_was_not_tried_of_late_may_cost_anything() -> None:
    costs = measured((1, 1.0), (5, 2.0))
    for _ in range(STALE):
        costs.record(wide(5), 2.0, 1)
    assert 0.0 == costs.least_seconds(wide(1))


def test_the_rate_is_that_of_the_last_passes() -> None:
    rate = Rate()
    assert 0.0 == rate.per_second
    for num_tokens in (1, 3):
        for _ in range(10 * MEMORY):
            rate.record(2.0, num_tokens)
        assert math.isclose(num_tokens / 2, rate.per_second, rel_tol=1e-3)


def test_each_number_of_rows_has_a_rate_of_its_own() -> None:
    costs = measured((1, 2.0))
    assert [0.5, 0.0] == [costs.rate(1), costs.rate(2)]


def test_threads_may_share_what_is_learnt() -> None:
    costs = MeasuredCosts()

    def learn(columns: int) -> None:
        for _ in range(500):
            costs.record(wide(columns), float(columns), 1)
            costs.seconds(wide(3))

    threads = [threading.Thread(target=learn, args=(columns,)) for columns in (1, 2, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [1.0, 2.0, 4.0, 8.0] == [costs.seconds(wide(columns)) for columns in (1, 2, 4, 8)]


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(1e-6, 10)), min_size=1, max_size=60), st.integers(1, 40))
def test_any_prices_rise_with_the_width_and_never_fall_below_what_passes_cost_at_the_least(
    passes: list[tuple[int, float]], columns: int
) -> None:
    costs = MeasuredCosts()
    for width, seconds in passes:
        costs.record(wide(width), seconds, 1)
    prices = [costs.seconds(wide(width)) for width in range(1, 50)]
    if None in prices:
        assert [None] * len(prices) == prices
        return
    known = [price for price in prices if price is not None]
    assert all(price <= wider * (1 + 1e-9) for price, wider in itertools.pairwise(known))
    least = costs.least_seconds(wide(columns))
    assert least is None or least <= known[columns - 1] * (1 + 1e-9)


def test_a_published_fit_counts_tokens() -> None:
    costs = LinearCosts(7.09e-3, 21.01e-6)
    assert 7.09e-3 + 8 * 21.01e-6 == costs.seconds(Shape(rows=2, columns=7, tokens=8, context=0))
    costs.record(Shape(2, 7, 8, 0), 99.0, 4)
    assert 4 / costs.seconds(Shape(2, 7, 8, 0)) == pytest.approx(costs.rate(2))
