"""The budget against an oracle that tries all lengths, and its choices when little is measured."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import (
    AdaptiveBudget,
    Budget,
    Costs,
    FixedBudget,
    LinearCosts,
    MeasuredCosts,
    Shape,
    fitted,
)
from ngramspec.decoding.budget import MOST_GUESSED, SURE
from ngramspec.decoding.column_prices import HALF_LIFE, NUM_ENOUGH
from ngramspec.decoding.drafting_time import NOTHING
from ngramspec.decoding.gains import LEAD, LEAD_SHARE, sure_of_all
from ngramspec.decoding.plain_time import STALE
from ngramspec.decoding.trials import CREDIT, LONGEST_WAIT, MOST_CHARGED, MOST_CREDIT, PROBE_EVERY, Trials
from ngramspec.decoding.way import Way
from ngramspec.drafting import ROOT, Draft, Tree
from tests.drafting.test_tree import trees

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


def allotted(
    drafts: list[Draft], costs: Costs, remaining: list[int] | None = None, budget: AdaptiveBudget | None = None
) -> list[int]:
    remaining = [100] * len(drafts) if remaining is None else remaining
    return (budget or AdaptiveBudget()).allot(drafts, remaining, alone(len(drafts)), costs)


def least(budget: Budget, shape: Shape, costs: Costs) -> float:
    """The lowest survival that makes a token worth drafting by the drafter alone."""
    return budget.terms([], shape, costs).min_survivals[Way.BLIND]


def price(drafts: list[Draft], lengths: tuple[int, ...], costs: Costs) -> float:
    num_more = max(lengths) if costs.counts_fill else sum(lengths)
    prices = costs.prices(alone(len(drafts)), num_more)
    assert prices is not None
    return float(prices[-1])


def progress(drafts: list[Draft], lengths: tuple[int, ...]) -> list[float]:
    return [float(draft.survival[:length].sum()) for draft, length in zip(drafts, lengths, strict=True)]


def value(drafts: list[Draft], lengths: tuple[int, ...], costs: Costs, rate: float) -> float:
    """What a pass of rows that are equally far brings, where no pass is waited for, less what its time is worth."""
    return sum(progress(drafts, lengths)) - rate * price(drafts, lengths, costs)


def soft_minimum(drafts: list[Draft], lengths: tuple[int, ...], remaining: list[int], costs: Costs) -> float:
    """As `value`, where all of a pass is saved by the row that ends last."""
    ahead = [gain - left for gain, left in zip(progress(drafts, lengths), remaining, strict=True)]
    lead = min(LEAD, max(remaining) * LEAD_SHARE)
    least = -lead * math.log(sum(math.exp(-own / lead) for own in ahead))
    return len(drafts) * (least - price(drafts, lengths, costs) / price(drafts, (0,) * len(drafts), costs))


@given(SURVIVALS, st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
def test_any_pass_of_one_row_is_of_the_best_of_all_lengths(survival: "np.ndarray", steps: list[float]) -> None:
    drafts, costs = drafted(survival), measured(1, np.cumsum([1.0, *steps[1:]]).tolist())
    best = max(value(drafts, (length,), costs, 1.0) for length in range(survival.size + 1))
    assert value(drafts, tuple(allotted(drafts, costs)), costs, 1.0) == pytest.approx(best)


@given(
    st.lists(st.tuples(SURVIVALS, st.integers(1, 200)), min_size=2, max_size=3),
    st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
)
def test_any_padded_pass_is_of_the_best_of_all_lengths(rows: "list[Any]", steps: list[float]) -> None:
    drafts, remaining = drafted(*(survival for survival, _ in rows)), [left for _, left in rows]
    costs = measured(len(drafts), np.cumsum([1.0, *steps[1:]]).tolist())
    lengths = tuple(allotted(drafts, costs, remaining))
    every = itertools.product(*(range(draft.tokens.size + 1) for draft in drafts))
    best = max(soft_minimum(drafts, tried, remaining, costs) for tried in every)
    assert soft_minimum(drafts, lengths, remaining, costs) == pytest.approx(best)


@given(st.lists(SURVIVALS, min_size=1, max_size=3), st.floats(0.001, 2))
def test_any_pass_that_costs_by_the_token_takes_the_best_of_all_lengths(
    survivals: "list[np.ndarray]", per_token: float
) -> None:
    drafts = drafted(*survivals)
    costs = LinearCosts(1.0, per_token)
    rate = len(drafts) / costs.of(len(drafts))
    every = itertools.product(*(range(draft.tokens.size + 1) for draft in drafts))
    best = max(value(drafts, tried, costs, rate) for tried in every)
    assert value(drafts, tuple(allotted(drafts, costs)), costs, rate) == pytest.approx(best)


def subtrees(tree: Tree) -> list[tuple[int, ...]]:
    """All sets of its nodes that hold the parent of each."""
    nodes = range(tree.tokens.size)
    sets = [taken for size in range(len(nodes) + 1) for taken in itertools.combinations(nodes, size)]
    return [taken for taken in sets if all(parent in (ROOT, *taken) for parent in tree.parents[[*taken]])]


@given(st.lists(trees().map(lambda tree: tree.head(4)), min_size=1, max_size=2), st.floats(0.001, 2))
def test_any_pass_over_trees_takes_the_best_of_all_sets_of_nodes(drafts: list[Tree], per_token: float) -> None:
    costs = LinearCosts(1.0, per_token)
    rate = len(drafts) / costs.of(len(drafts))
    lengths = allotted([*drafts], costs)
    every = [subtrees(tree) for tree in drafts]
    values = [
        sum(float(tree.survival[[*nodes]].sum()) for tree, nodes in zip(drafts, taken, strict=True))
        - rate * costs.of(len(drafts) + sum(map(len, taken)))
        for taken in itertools.product(*every)
    ]
    assert value([*drafts], tuple(lengths), costs, rate) == pytest.approx(max(values))


def test_a_row_that_is_far_ahead_is_not_drafted_for_while_the_others_wait() -> None:
    costs = measured(2, [1.0, 1.5])
    drafts = drafted([0.9], [])
    assert [1, 0] == allotted(drafts, costs, [100, 10])
    assert [0, 0] == allotted(drafts, costs, [10, 100])


def test_nothing_is_drafted_until_plain_passes_have_a_price() -> None:
    assert [0, 0] == allotted(drafted([1.0], [1.0]), MeasuredCosts())
    assert 1.0 == least(AdaptiveBudget(), alone(2), MeasuredCosts())


def test_sure_drafts_go_out_and_hopeless_ones_do_not() -> None:
    costs = measured(1, [1.0, 1.8, 1.9, 2.0])
    assert [3] == allotted(drafted([1.0, 1.0, 1.0]), costs)
    assert [0] == allotted(drafted([0.2, 0.1, 0.1]), costs)
    assert [0] == allotted(drafted([]), costs)


def test_costs_need_not_be_convex() -> None:
    costs = measured(1, [1.0, 2.2, 2.3, 2.4])  # a second token alone does not pay, three do
    assert [0] == allotted(drafted([0.9]), costs)
    assert [3] == allotted(drafted([0.9, 0.85, 0.8]), costs)


def test_in_a_batch_the_surest_tokens_go_first() -> None:
    costs = LinearCosts(1.0, 0.3)
    assert [0, 2] == allotted(drafted([0.1, 0.1], [0.9, 0.9]), costs)


def test_with_a_first_prompt_only_a_few_sure_tokens_go_out() -> None:
    costs, budget = MeasuredCosts(), AdaptiveBudget()
    survival = [0.99**length for length in range(1, 97)]
    for columns, most in ((300, MOST_GUESSED), (40, 10), (3, 0)):
        prompt = Shape(1, columns, columns, 0)
        assert (SURE if most else 1.0) == least(budget, prompt, costs)
        assert [most] == budget.allot(drafted(survival), [100], prompt, costs)
    assert [2] == budget.allot(drafted([0.9, 0.6, 0.4]), [100], Shape(1, 300, 300, 0), costs)


def lengths_of(passes: int, costs: Costs, survival: list[float]) -> list[int]:
    budget = AdaptiveBudget()
    return [allotted(drafted(survival), costs, budget=budget)[0] for _ in range(passes)]


def test_a_width_that_once_cost_too_much_is_tried_again() -> None:
    costs = measured(1, [1.0, 1.95])
    assert {0} == set(lengths_of(2 * PROBE_EVERY, costs, [0.9]))
    for _ in range(2 * HALF_LIFE):
        costs.record(alone(1), 1.0, 1)
    assert {0, 1} == set(lengths_of(2 * PROBE_EVERY, costs, [0.9]))


def test_when_a_trial_is_due_there_is_a_draft_to_try() -> None:
    costs, budget = measured(1, [1.0, 4.0]), AdaptiveBudget()
    for _ in range(3 * HALF_LIFE):
        costs.record(alone(1), 1.0, 1)
    found = []
    for _ in range(2 * PROBE_EVERY):
        found.append(least(budget, alone(1), costs))
        budget.allot(drafted([]), [100], alone(1), costs)
    assert [True] * (PROBE_EVERY - 1) == [each > 1.0 for each in found[: PROBE_EVERY - 1]]
    # It stays due until something is drafted.
    assert [True] * PROBE_EVERY == [each < 0.5 for each in found[PROBE_EVERY:]]


def test_trials_take_no_more_than_their_credit_and_one_in_a_long_while() -> None:
    costs = measured(1, [1.0, 1.9])
    for _ in range(4 * HALF_LIFE):
        costs.record(alone(1), 1.0, 1)
    passes = 4 * LONGEST_WAIT
    lost = 1.9 - 1.0 - 0.6  # what a trial costs more, less what it is expected to bring
    number = sum(lengths_of(passes, costs, [0.6]))
    assert 0 < number * lost <= MOST_CREDIT + passes * CREDIT + (1 + passes / LONGEST_WAIT) * MOST_CHARGED


def test_no_belief_puts_a_trial_off_for_longer_than_the_longest_wait() -> None:
    trials = Trials()
    trials.charge(1e9)
    assert 0.0 == trials.credit
    for _ in range(LONGEST_WAIT - 1):
        trials.count_pass()
    assert not trials.is_overdue
    trials.count_pass()
    assert trials.is_overdue
    trials.charge(1.0)
    assert not trials.is_overdue


def test_a_trial_that_gains_little_for_its_loss_waits_longer() -> None:
    costs = measured(1, [1.0, 1.9])
    for _ in range(20 * HALF_LIFE):
        costs.record(alone(1), 1.0, 1)
    lengths = lengths_of(2 * LONGEST_WAIT, costs, [0.1])
    assert {0} == set(lengths[: LONGEST_WAIT + 2 * PROBE_EVERY])
    assert 1 == sum(lengths)


def test_plain_passes_are_measured_anew_now_and_then() -> None:
    costs = measured(1, [1.0, 1.0])
    for _ in range(STALE):
        costs.record(Shape(1, 2, 2, 100), 1.0, 2)
    assert {0, 1} == set(lengths_of(2 * PROBE_EVERY, costs, [1.0]))


@given(SURVIVALS, st.floats(0.01, 2))
def test_nothing_less_sure_than_the_least_survival_is_ever_taken(survival: "np.ndarray", per_token: float) -> None:
    costs = LinearCosts(1.0, per_token)
    budget = AdaptiveBudget()
    sure = survival[survival >= least(budget, alone(1), costs)]
    assert allotted(drafted(survival), costs, budget=budget)[0] <= sure.size


def test_a_token_must_pay_for_its_own_drafting_in_the_way_in_which_it_is_drafted() -> None:
    costs, budget = measured(8, [1.0, 1.08]), AdaptiveBudget()  # a column for eight rows: 0.01 passes a token
    assert least(budget, alone(8), costs) == pytest.approx(8 * 0.01)
    for num_tokens in (0, 8 * 100) * 50:
        costs.record_drafting(Way.BLIND, 8 * 0.001 + num_tokens * 0.02, 8, num_tokens)
        costs.record_drafting(Way.STEERED, 8 * 0.001 + num_tokens * 0.03, 8, num_tokens)
    found = budget.terms([], alone(8), costs).min_survivals
    assert found == pytest.approx([8 * 0.01, 8 * (0.01 + 0.02), 8 * (0.01 + 0.03)], rel=1e-2)
    assert NOTHING == fitted("h100-8b", 8).drafting()


def test_of_a_batch_on_a_gpu_each_row_drafts_less() -> None:
    survival = [0.9**length for length in range(1, 49)]
    lengths = [allotted(drafted(survival), fitted("h100-8b", batch))[0] for batch in (1, 8, 32, 128)]
    assert sorted(lengths, reverse=True) == lengths
    assert len(set(lengths)) > 2


def test_a_token_that_costs_a_whole_pass_is_never_drafted() -> None:
    assert [0] == allotted(drafted([0.99, 0.98]), LinearCosts(0.0, 1.0))


def test_a_fixed_budget_takes_every_draft_as_it_is() -> None:
    assert 0.0 == least(FixedBudget(), alone(1), MeasuredCosts())


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_a_batch_is_a_whole_number(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch must be a whole number >= 1"):
        fitted("h100-8b", batch)


def test_a_pass_that_costs_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a pass must cost more than 0 seconds, got base=0.0 and per_token=0.0"):
        LinearCosts(0.0, 0.0)


def test_rows_in_step_draft_as_far_as_all_of_them_are_sure() -> None:
    costs = measured(2, [1.0, 1.5])
    sure, unsure = [0.95], [0.3]
    lengths = [
        AdaptiveBudget().allot(sure_of_all(drafted(*survivals)), [100, 100], alone(2), costs)
        for survivals in ([sure, sure], [sure, unsure], [sure, []])
    ]
    assert [[1, 1], [0, 0], [0, 0]] == lengths
    assert [1, 1] == allotted(drafted(sure, unsure), costs)  # where each row goes on by itself
