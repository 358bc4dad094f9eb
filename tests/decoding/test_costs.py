"""Measured costs of passes: prices by width, robust against noise, and prices that are stale."""

import itertools
import json
import math
import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ngramspec.decoding import LinearCosts, MeasuredCosts, Shape
from ngramspec.decoding.column_prices import DEAREST, FIRST_GUESS, HALF_LIFE, NUM_ENOUGH, NUM_KEPT, ColumnPrices
from ngramspec.decoding.drafting_time import MEMORY as DRAFTS_KEPT
from ngramspec.decoding.drafting_time import NOTHING, DraftingPrice, DraftingTime
from ngramspec.decoding.isotonic import rising
from ngramspec.decoding.measured_costs import FIRST_REACH
from ngramspec.decoding.plain_time import STALE
from ngramspec.decoding.rate import MEMORY, Rate, WidthRate
from ngramspec.decoding.way import Way
from tests.oracles import rising_slowly


def wide(columns: int, rows: int = 1, context: int = 100) -> Shape:
    return Shape(rows, columns, rows * columns, context)


def measured(*times: tuple[int, float], rows: int = 1, context: int = 100) -> MeasuredCosts:
    costs = MeasuredCosts()
    for columns, seconds in times:
        for _ in range(NUM_ENOUGH):
            costs.record(wide(columns, rows, context), seconds, rows)
    return costs


def priced(costs: MeasuredCosts, columns: int, rows: int = 1, context: int = 100) -> float | None:
    prices = costs.prices(wide(1, rows, context), columns - 1)
    return None if prices is None else float(prices[-1])


def hopeful_price(costs: MeasuredCosts, columns: int) -> float:
    prices = costs.prices(wide(1), columns - 1, hopeful=True)
    assert prices is not None
    return float(prices[-1])


def test_there_are_no_prices_before_a_pass_of_one_column_was_measured() -> None:
    costs = MeasuredCosts()
    assert priced(costs, 1) is priced(costs, 2) is None
    costs.record(wide(1), 1.0, 1)
    assert 1.0 == priced(costs, 1)
    assert priced(costs, 2) == pytest.approx(1.0 + FIRST_GUESS)


def test_the_time_to_read_a_prompt_is_the_first_price_of_a_column() -> None:
    costs = MeasuredCosts()
    costs.record_prompt(Shape(1, 401, 401, 0), 100.0)  # with what a first pass prepares
    costs.record_prompt(Shape(1, 201, 201, 0), 21.0)
    costs.record_prompt(Shape(1, 5, 5, 0), 1.0)  # too few columns to say anything
    costs.record(wide(1), 1.0, 1)
    assert priced(costs, 2) == pytest.approx(1.1)
    assert priced(costs, FIRST_REACH) == pytest.approx(1.0 + 0.1 * (FIRST_REACH - 1))
    assert priced(costs, FIRST_REACH + 1) == math.inf
    costs.record(wide(2), 1.5, 1)
    assert priced(costs, 2) == pytest.approx(1.5)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_impossible_times_change_nothing(seconds: float) -> None:
    costs = measured((1, 1.0), (4, 1.3))
    before = costs.state()
    costs.record(wide(1), seconds, 1)
    costs.record(wide(4), seconds, 4)
    costs.record_prompt(Shape(1, 100, 100, 0), seconds)
    if seconds != 0.0:  # a draft of no time is fine
        costs.record_drafting(Way.BLIND, seconds, 1, 3)
    assert before == costs.state()
    assert [*NOTHING] == costs.drafting()


def test_a_width_is_tried_once_half_of_it_was_measured() -> None:
    costs = measured((1, 1.0))
    for reach in (2, 4, 8, 16):
        assert priced(costs, reach) != math.inf == priced(costs, reach + 1)
        costs.record(wide(reach), 1.1, 1)


def test_prices_are_interpolated_between_widths_and_extrapolated_after_the_last() -> None:
    costs = measured((1, 1.0), (6, 1.5), (11, 3.0))
    assert priced(costs, 6) == pytest.approx(1.5)
    assert priced(costs, 9) == pytest.approx(1.5 + 3 * 0.3)
    assert priced(costs, 16) == pytest.approx(3.0 + 5 * 0.2)


def test_a_pass_that_was_disturbed_changes_no_price() -> None:
    costs = measured((1, 1.0), (11, 1.2))
    costs.record(wide(11), 50.0, 1)
    assert priced(costs, 11) == pytest.approx(1.2)


def test_the_first_pass_of_a_width_counts_for_at_most_twice_the_expected_price() -> None:
    costs = measured((1, 1.0))
    costs.record(wide(2), 50.0, 1)
    assert priced(costs, 2) == pytest.approx(2 * (1 + FIRST_GUESS))


def test_no_column_is_believed_to_cost_more_than_a_few_plain_passes() -> None:
    costs = measured((1, 1.0))
    for _ in range(20):
        costs.record(wide(2), 1e9, 1)
    assert priced(costs, 2) == pytest.approx(2 * DEAREST)


def test_an_old_price_that_proves_wrong_takes_the_others_with_it() -> None:
    costs = measured((1, 1.0), (2, 3.0), (4, 7.0), (8, 9.0))
    for _ in range(HALF_LIFE):
        costs.record(wide(1), 1.0, 1)
    costs.record(wide(2), 1.1, 1)
    assert [1.1, 1.3] == pytest.approx([priced(costs, 2), priced(costs, 4)])
    assert priced(costs, 5) == math.inf


def test_a_young_price_is_not_forgotten_for_one_quick_pass() -> None:
    costs = measured((1, 1.0), (2, 2.0))
    costs.record(wide(2), 1.1, 1)
    assert priced(costs, 2) == pytest.approx(2.0)


def test_prices_in_plain_passes_are_void_once_those_prove_to_be_much_quicker() -> None:
    costs = MeasuredCosts()
    for columns in (1, 8):
        for _ in range(NUM_ENOUGH):
            costs.record(wide(columns), 100.0, 1)
    for _ in range(STALE):
        costs.record(wide(8), 100.0, 1)
    costs.record(wide(1), 1.0, 1)
    assert [1.0, 1.0 + FIRST_GUESS] == pytest.approx([priced(costs, 1), priced(costs, 2)])


def test_a_quicker_wide_pass_bounds_the_time_of_a_plain_one() -> None:
    costs = measured((1, 10.0))
    for _ in range(NUM_KEPT):
        costs.record(wide(8), 1.0, 1)
    assert priced(costs, 1) == pytest.approx(1.0)


@pytest.mark.parametrize("columns", [1, 5])
def test_a_lasting_change_is_learnt_within_the_passes_that_are_kept(columns: int) -> None:
    costs = measured((1, 1.0), (5, 1.5))
    for _ in range(NUM_KEPT):
        costs.record(wide(columns), 1.2, 1)
    assert priced(costs, columns) == pytest.approx(1.2)


def test_a_slower_machine_does_not_raise_the_price_of_drafts() -> None:
    costs = measured((1, 1.0), (5, 1.5))
    for seconds, columns in ((2.0, 1), (3.0, 5)) * NUM_KEPT:
        costs.record(wide(columns), seconds, 1)
    assert priced(costs, 5) == pytest.approx(3.0)
    assert priced(costs, 1) == pytest.approx(2.0)


def test_a_wider_pass_is_never_cheaper() -> None:
    costs = measured((1, 1.0), (4, 1.8), (8, 1.2))
    assert priced(costs, 4) == priced(costs, 6) == priced(costs, 8) == pytest.approx(1.5)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=7))
def test_any_rising_sequence_is_the_nearest_one(steps: list[tuple[int, int]]) -> None:
    values, weights = [float(value) for value, _ in steps], [weight for _, weight in steps]
    assert rising(values, weights) == pytest.approx(rising_slowly(values, weights))


def test_where_rows_are_packed_a_token_has_a_price_and_a_column_has_none() -> None:
    costs = MeasuredCosts(counts_fill=False)
    for columns, tokens, seconds in ((1, 8, 1.0), (6, 16, 1.16), (11, 18, 1.2), (3, 20, 1.24), (9, 40, 1.64)):
        for _ in range(NUM_ENOUGH):
            costs.record(Shape(8, columns, tokens, 100), seconds, 8)
    prices = costs.prices(Shape(8, 1, 8, 100), 73)
    assert prices is not None
    assert [1.0, 1.02, 1.2, 2.44, math.inf] == pytest.approx([prices[number] for number in (0, 1, 10, 72, 73)])
    assert costs.per_token(Shape(8, 1, 8, 100)) == pytest.approx(0.02)


def test_another_context_starts_with_the_prices_of_the_nearest_one_and_then_diverges() -> None:
    costs = measured((1, 1.0), (11, 1.8), context=1000)
    assert priced(costs, 11, context=5000) == pytest.approx(1.8)
    for _ in range(NUM_KEPT):
        costs.record(wide(1, context=5000), 4.0, 1)
    for _ in range(NUM_KEPT):
        costs.record(wide(11, context=5000), 12.0, 1)
    assert priced(costs, 11, context=5000) == pytest.approx(12.0)
    assert priced(costs, 11, context=1000) == pytest.approx(1.8)


def test_a_group_without_a_plain_time_follows_the_nearest_one() -> None:
    costs = measured((1, 1.0), (2, 1.1), (4, 1.2), rows=8)
    assert priced(costs, 4) == pytest.approx(1.2)
    assert priced(costs, 9) == math.inf
    for _ in range(NUM_ENOUGH):
        costs.record(wide(2), 0.5, 1)
        costs.record(wide(8, rows=8), 1.3, 8)
    assert priced(costs, 9) == pytest.approx(1.3 + 0.3 / 7)
    for _ in range(NUM_ENOUGH):
        costs.record(wide(1), 0.5, 1)
    assert priced(costs, 8) == pytest.approx(0.5 * 1.3)


def test_the_hopeful_price_halves_the_extra_cost_of_a_width_per_half_life() -> None:
    costs = measured((1, 1.0), (5, 1.8))
    assert hopeful_price(costs, 5) == pytest.approx(1.8)
    for left in (0.4, 0.2, 0.1):
        for _ in range(HALF_LIFE):
            costs.record(wide(1), 1.0, 1)
        assert hopeful_price(costs, 5) == pytest.approx(1.0 + left)
    assert priced(costs, 5) == pytest.approx(1.8)


def test_a_width_measured_once_or_twice_has_a_hopeful_price_at_once() -> None:
    costs = measured((1, 1.0))
    costs.record(wide(2), 2.0, 1)
    assert hopeful_price(costs, 2) == pytest.approx(1.25)
    costs.record(wide(2), 2.0, 1)
    assert hopeful_price(costs, 2) == pytest.approx(1.5)


def test_a_plain_pass_that_was_not_made_of_late_is_all_that_is_offered_where_one_hopes() -> None:
    costs = measured((1, 1.0), (5, 1.2))
    for _ in range(STALE):
        costs.record(wide(5), 1.2, 1)
    assert [1.0, math.inf] == [hopeful_price(costs, columns) for columns in (1, 5)]
    assert priced(costs, 5) == pytest.approx(1.2)


def test_a_token_costs_what_a_column_does_on_average_where_that_is_least() -> None:
    assert measured((1, 1.0), (3, 1.8), (5, 2.0)).per_token(wide(1)) == pytest.approx(0.25)  # not the 0.1 of the last
    assert measured((1, 1.0), (3, 1.2), (5, 2.0)).per_token(wide(1)) == pytest.approx(0.1)
    assert 0.0 == MeasuredCosts().per_token(wide(1))


def test_the_fixed_share_does_not_shrink_with_the_rows() -> None:
    costs = measured((1, 10.0), rows=4)
    assert 1.0 == costs.fixed_share(wide(1, 4))  # nobody knows yet
    for _ in range(NUM_ENOUGH):
        costs.record(wide(1, rows=1), 4.0, 1)
    assert costs.fixed_share(wide(1, 4)) == pytest.approx(0.2)  # 2 s, and 2 s for each row
    assert LinearCosts(3.0, 1.0).fixed_share(Shape(1, 1, 1, 0)) == pytest.approx(0.75)


def test_the_rate_is_that_of_the_last_passes() -> None:
    rate = Rate()
    assert 0.0 == rate.mean
    for num_tokens in (1, 3):
        for _ in range(10 * MEMORY):
            rate.record(num_tokens, 2.0)
        assert math.isclose(num_tokens / 2, rate.mean, rel_tol=1e-3)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=30), st.integers(0, 2000))
def test_any_rate_by_width_is_what_the_sums_say(passes: list[tuple[int, int]], more: int) -> None:
    passes = passes + [passes[-1]] * more
    rate = WidthRate()
    for number, (columns, tokens) in enumerate(passes):
        rate.record(columns, tokens)
        if number % 700 == 0:
            rate = WidthRate(*rate.state())
    shares = [(1 - 1 / MEMORY) ** age for age in reversed(range(len(passes)))]
    emitted = sum(share * tokens for share, (_, tokens) in zip(shares, passes, strict=True))
    spent = sum(share * (columns**0.5 + 0.25) for share, (columns, _) in zip(shares, passes, strict=True))
    prices = np.sqrt(np.arange(1.0, rate.num_columns + 1, dtype=np.float64))
    assert rate.mean(prices, 0.25) == pytest.approx(emitted / spent)


def test_the_rate_counts_tokens_of_all_rows_and_no_disturbed_second() -> None:
    costs = measured((1, 2.0), rows=3)
    costs.record(wide(1, 3), 100.0, 3)
    assert costs.rate(wide(1, 3)) == pytest.approx(1.5)
    assert 0.0 == MeasuredCosts().rate(wide(1))


def test_the_rate_counts_the_seconds_of_drafting() -> None:
    costs = measured((1, 1.0))
    for _ in range(20 * MEMORY):
        costs.record_drafting(Way.BLIND, 0.2, 1, 3)
        costs.record_drafting(Way.STEERED, 0.3, 1, 3)
        costs.record(wide(1), 1.0, 3)
    assert costs.rate(wide(1)) == pytest.approx(3 / 1.5)


def test_the_rate_is_counted_at_the_prices_of_today() -> None:
    costs = measured((1, 1.0))
    for _ in range(20 * MEMORY):
        costs.record(wide(4), 1.0, 4)
    assert costs.rate(wide(1)) == pytest.approx(4.0, rel=1e-3)
    for _ in range(NUM_KEPT):
        costs.record(wide(4), 2.0, 4)
    assert costs.rate(wide(1)) == pytest.approx(2.0, rel=1e-3)


def test_one_slow_draft_is_forgotten_for_the_next_quick_one() -> None:
    costs = measured((1, 0.01))
    costs.record_drafting(Way.BLIND, 3600.0, 1, 1)
    assert DraftingPrice(DEAREST * 0.01, 0.0) == costs.drafting()[Way.BLIND]
    costs.record_drafting(Way.BLIND, 1e-5, 1, 1)
    assert costs.drafting()[Way.BLIND].of_row == pytest.approx(1e-5)
    assert NOTHING[0] == costs.drafting()[Way.STEERED]


def drafting(*passes: tuple[float, float]) -> DraftingPrice:
    time = DraftingTime()
    for now, (seconds, num_tokens) in enumerate(passes):
        time.record(seconds, num_tokens, now)
    return time.price


def test_a_time_of_drafting_that_is_old_is_forgotten_for_a_quick_one() -> None:
    for wait, believed in ((1, pytest.approx(1.0 - 0.9 / 18)), (HALF_LIFE, 0.1)):
        time = DraftingTime()
        for now in range(17):
            time.record(1.0, 5.0, now)
        time.record(0.1, 5.0, 16 + wait)
        assert believed == time.price.of_row


def test_what_a_row_costs_whatever_it_drafts_is_not_the_price_of_a_token() -> None:
    assert drafting(*[(1.0 + 0.1 * tokens, tokens) for tokens in (0, 20) * 100]) == pytest.approx((2.0, 0.1), rel=0.02)
    assert DraftingPrice(1.0, 0.0) == drafting((1.0, 5.0), (1.0, 5.0), (1.0, 5.0))


def test_one_slow_draft_among_many_counts_for_a_few_usual_ones() -> None:
    assert drafting(*[(1.0, 5.0)] * DRAFTS_KEPT, (3600.0, 5.0)).of_row == pytest.approx(1 + 7 / DRAFTS_KEPT)


def test_a_token_that_was_too_dear_to_draft_is_soon_tried_again() -> None:
    passes = [(tokens * 1.0, tokens) for tokens in (0, 10) * DRAFTS_KEPT]
    assert drafting(*passes).of_token > 0.9
    assert drafting(*passes, *[(0.0, 0.0)] * 12 * DRAFTS_KEPT).of_token < 0.001


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 96)), max_size=200))
def test_any_price_of_drafting_is_within_what_drafting_took(passes: list[tuple[float, float]]) -> None:
    of_row, of_token = drafting(*passes)
    longest = max((seconds for seconds, _ in passes), default=0.0)
    assert 0.0 <= of_row <= longest * (1 + 1e-9)
    assert 0.0 <= of_token <= longest * (1 + 1e-9)


def test_threads_may_share_prices() -> None:
    costs = measured((1, 1.0))

    def learn(columns: int) -> None:
        for _ in range(500):
            costs.record(wide(columns), 1.0 + columns / 10, 1)
            costs.prices(wide(1), 3)

    threads = [threading.Thread(target=learn, args=(columns,)) for columns in (2, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [1.2, 1.4, 1.8] == pytest.approx([priced(costs, columns) for columns in (2, 4, 8)])


PASSES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 20), st.sampled_from([10, 100, 5000]), st.floats(1e-6, 10)),
    max_size=60,
)


@given(PASSES, st.integers(1, 20))
def test_any_prices_rise_with_the_width_and_hopeful_ones_are_no_higher(
    passes: list[tuple[int, int, int, float]], rows: int
) -> None:
    costs = MeasuredCosts()
    for columns, of_rows, context, seconds in passes:
        costs.record(wide(columns, of_rows, context), seconds, of_rows)
    prices, hopes = (costs.prices(wide(1, rows), 48, hopeful=hopeful) for hopeful in (False, True))
    assert 0.0 <= costs.fixed_share(wide(1, rows)) <= 1.0
    if prices is None or hopes is None:
        assert prices is hopes
        return
    assert all(price <= wider * (1 + 1e-9) for price, wider in itertools.pairwise(prices.tolist()))
    if hopes[1] < math.inf:
        assert (hopes <= prices * (1 + 1e-9)).all()
    assert 0.0 <= costs.per_token(wide(1, rows)) < math.inf


@given(PASSES)
@example([(1, 1, 10, 3.0), (1, 1, 10, 3.0), (2, 1, 10, 1.0)])
def test_any_costs_are_the_same_once_they_were_saved(passes: list[tuple[int, int, int, float]]) -> None:
    costs = MeasuredCosts()
    for columns, rows, context, seconds in passes:
        costs.record(wide(columns, rows, context), seconds, rows)
    restored = MeasuredCosts.of_state(json.loads(json.dumps(costs.state())))
    for columns, rows, context, _ in passes:
        expected, actual = (each.prices(wide(1, rows, context), columns) for each in (costs, restored))
        assert (expected is None) == (actual is None)
        if expected is not None and actual is not None:
            np.testing.assert_allclose(expected, actual)
        assert costs.rate(wide(1, rows)) == pytest.approx(restored.rate(wide(1, rows)))


def test_a_new_group_takes_over_only_prices_that_were_measured_often_enough() -> None:
    known = ColumnPrices()
    for _ in range(NUM_ENOUGH):
        known.record(2, 1.3)
    known.record(4, 3.0)
    assert ColumnPrices(known).of(2)[-1] == pytest.approx(1.3)
    assert 4 == ColumnPrices(known).reach == ColumnPrices(ColumnPrices(known)).reach < known.reach


def test_a_published_fit_counts_tokens() -> None:
    costs = LinearCosts(7.09e-3, 21.01e-6)
    shape = Shape(rows=2, columns=7, tokens=8, context=0)
    assert [7.09e-3 + n * 21.01e-6 for n in (8, 9)] == pytest.approx(costs.prices(shape, 1).tolist())
    costs.record(shape, 99.0, 4)
    assert 4 / costs.of(8) == pytest.approx(costs.rate(shape))
