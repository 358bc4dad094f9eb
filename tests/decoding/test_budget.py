"""The budget against an oracle that tries all lengths, and what it does where little is known."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import AdaptiveBudget, Costs, FixedBudget, LinearCosts, MeasuredCosts, Shape, fitted
from ngramspec.decoding.budget import PROBE_EVERY
from ngramspec.decoding.measured_costs import NUM_ENOUGH, STALE
from ngramspec.drafting import Draft

SURVIVALS = st.lists(st.floats(0, 1), max_size=4).map(lambda steps: np.cumprod(steps or [1.0])[: len(steps)])


def drafted(*survivals: "np.ndarray | list[float]") -> list[Draft]:
    return [Draft(np.zeros(len(survival), np.int32), survival=np.array(survival, np.float64)) for survival in survivals]


def alone(rows: int) -> Shape:
    return Shape(rows, 1, rows, 100)


def measured(rows: int, by_columns: list[float]) -> MeasuredCosts:
    costs = MeasuredCosts()
    for columns, seconds in enumerate(by_columns, start=1):
        for _ in range(NUM_ENOUGH):
            costs.record(Shape(rows, columns, rows * columns, 100), seconds, 0)
    return costs


def value(drafts: list[Draft], lengths: tuple[int, ...], costs: Costs, rate: float) -> float:
    """What a pass brings, less what its time is worth."""
    gain = sum(float(draft.survival[:length].sum()) for draft, length in zip(drafts, lengths, strict=True))
    shape = alone(len(drafts))
    seconds = costs.seconds(shape._replace(columns=1 + max(lengths), tokens=len(drafts) + sum(lengths)))
    assert seconds is not None
    return len(drafts) + gain - rate * seconds


@given(st.lists(SURVIVALS, min_size=1, max_size=3), st.lists(st.floats(0.01, 3), min_size=5, max_size=5))
def test_any_padded_pass_is_of_the_best_of_all_lengths(survivals: "list[np.ndarray]", steps: list[float]) -> None:
    drafts = drafted(*survivals)
    costs = measured(len(drafts), np.cumsum([1.0, *steps[1:]]).tolist())
    lengths = AdaptiveBudget().allot(drafts, alone(len(drafts)), costs)
    rate = len(drafts) / 1.0  # without drafts; nothing was emitted yet
    every = itertools.product(*(range(draft.tokens.size + 1) for draft in drafts))
    best = max(value(drafts, tried, costs, rate) for tried in every)
    assert value(drafts, tuple(lengths), costs, rate) == pytest.approx(best)


@given(st.lists(SURVIVALS, min_size=1, max_size=3), st.floats(0.001, 2))
def test_any_pass_that_costs_by_the_token_takes_the_best_of_all_lengths(
    survivals: "list[np.ndarray]", per_token: float
) -> None:
    drafts = drafted(*survivals)
    costs = LinearCosts(1.0, per_token)
    lengths = AdaptiveBudget().allot(drafts, alone(len(drafts)), costs)
    rate = len(drafts) / costs.seconds(alone(len(drafts)))
    every = itertools.product(*(range(draft.tokens.size + 1) for draft in drafts))
    best = max(value(drafts, tried, costs, rate) for tried in every)
    assert value(drafts, tuple(lengths), costs, rate) == pytest.approx(best)


def test_nothing_is_drafted_until_plain_passes_have_a_price() -> None:
    assert [0, 0] == AdaptiveBudget().allot(drafted([1.0], [1.0]), alone(2), MeasuredCosts())


def test_sure_drafts_go_out_and_hopeless_ones_do_not() -> None:
    costs = measured(1, [1.0, 1.8, 1.9, 2.0])
    assert [3] == AdaptiveBudget().allot(drafted([1.0, 1.0, 1.0]), alone(1), costs)
    assert [0] == AdaptiveBudget().allot(drafted([0.2, 0.1, 0.1]), alone(1), costs)
    assert [0] == AdaptiveBudget().allot(drafted([]), alone(1), costs)


def test_costs_need_not_be_convex() -> None:
    costs = measured(1, [1.0, 2.2, 2.3, 2.4])  # a second token alone does not pay, three do
    assert [0] == AdaptiveBudget().allot(drafted([0.9]), alone(1), costs)
    assert [3] == AdaptiveBudget().allot(drafted([0.9, 0.85, 0.8]), alone(1), costs)


def test_in_a_batch_the_surest_tokens_go_first() -> None:
    costs = LinearCosts(1.0, 0.3)
    assert [0, 2] == AdaptiveBudget().allot(drafted([0.1, 0.1], [0.9, 0.9]), alone(2), costs)


def test_a_width_that_was_too_dear_once_is_tried_again() -> None:
    costs = measured(1, [1.0, 5.0])
    budget = AdaptiveBudget()
    drafts = drafted([0.9])

    def widths(passes: int) -> set[int]:
        return {budget.allot(drafts, alone(1), costs)[0] for _ in range(passes)}

    assert {0} == widths(2 * PROBE_EVERY)
    for _ in range(STALE):
        costs.record(alone(1), 1.0, 1)
    assert {0, 1} == widths(2 * PROBE_EVERY)


def test_plain_passes_are_measured_anew_now_and_then() -> None:
    costs = measured(1, [1.0, 1.0])
    for _ in range(STALE):
        costs.record(Shape(1, 2, 2, 100), 1.0, 2)
    budget = AdaptiveBudget()
    assert {0, 1} == {budget.allot(drafted([1.0]), alone(1), costs)[0] for _ in range(2 * PROBE_EVERY)}


@given(SURVIVALS, st.floats(0.01, 2))
def test_nothing_less_sure_than_the_least_survival_is_ever_taken(survival: "np.ndarray", per_token: float) -> None:
    costs = LinearCosts(1.0, per_token)
    budget = AdaptiveBudget()
    sure = survival[survival >= budget.min_survival(alone(1), costs)]
    assert budget.allot(drafted(survival), alone(1), costs)[0] <= sure.size


def test_of_a_batch_on_a_gpu_each_row_drafts_less() -> None:
    survival = [0.9**length for length in range(1, 49)]
    lengths = [
        AdaptiveBudget().allot(drafted(survival), alone(1), fitted("h100-8b", batch))[0] for batch in (1, 8, 32, 128)
    ]
    assert sorted(lengths, reverse=True) == lengths
    assert len(set(lengths)) > 2


def test_a_token_that_costs_a_whole_pass_is_never_drafted() -> None:
    assert [0] == AdaptiveBudget().allot(drafted([0.99, 0.98]), alone(1), LinearCosts(0.0, 1.0))


def test_a_fixed_budget_takes_every_draft_as_it_is() -> None:
    assert 0.0 == FixedBudget().min_survival(alone(1), MeasuredCosts())


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_a_batch_is_a_whole_number(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch must be a whole number >= 1"):
        fitted("h100-8b", batch)


def test_a_pass_that_costs_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a pass must cost more than 0 seconds, got base=0.0 and per_token=0.0"):
        LinearCosts(0.0, 0.0)
