"""A budget by cost drafts what pays, and no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import COSTS, CostBudget, FixedBudget, modelled_speedup
from ngramspec.drafting import Draft


def draft(survival: list[float]) -> Draft:
    return Draft(np.arange(len(survival), dtype=np.int32), survival=np.array(survival))


survivals = st.lists(st.floats(0, 1), max_size=12).map(lambda numbers: sorted(numbers, reverse=True))
prices = st.lists(st.floats(0, 1), min_size=14, max_size=14)


@given(survival=survivals, steps=prices)
def test_the_length_is_the_one_that_is_worth_most(survival: list[float], steps: list[float]) -> None:
    def cost(num_tokens: int) -> float:
        return 1.0 + sum(steps[:num_tokens])

    budget = CostBudget(cost, max_draft_tokens=12)
    budget.record(3, 1)
    tokens, seconds = 16 + 3, 16 * cost(1) + cost(2)  # nearly: the first passes count a little less by then

    def worth(length: int) -> float:
        return sum(survival[:length]) - tokens / seconds * cost(1 + length)

    best = max(worth(length) for length in range(len(survival) + 1))
    assert worth(budget.cut(draft(survival)).tokens.size) == pytest.approx(best, abs=1e-3)


@given(survival=survivals, steps=prices)
def test_nothing_less_sure_than_the_least_survival_would_have_been_kept(
    survival: list[float], steps: list[float]
) -> None:
    budget = CostBudget(lambda num_tokens: 1.0 + sum(steps[:num_tokens]), max_draft_tokens=12)
    sure = [each for each in survival if each >= budget.min_survival]
    assert budget.cut(draft(survival)).tokens.size == budget.cut(draft(sure)).tokens.size


def test_a_batch_on_a_gpu_drafts_less_than_one_request() -> None:
    survival = [0.9**length for length in range(1, 49)]
    lengths = [CostBudget(COSTS["h100-8b"], batch=batch).cut(draft(survival)).tokens.size for batch in (1, 8, 32, 128)]
    assert sorted(lengths, reverse=True) == lengths
    assert len(set(lengths)) > 2


def test_a_token_that_costs_a_whole_pass_is_never_drafted() -> None:
    budget = CostBudget(float)
    assert 0 == budget.cut(draft([0.99, 0.98])).tokens.size


def test_a_draft_of_unknown_survival_is_left_as_it_is() -> None:
    unknown = Draft(np.arange(5, dtype=np.int32))
    assert unknown is CostBudget(float).cut(unknown)


def test_a_fixed_budget_leaves_every_draft_as_it_is() -> None:
    kept = draft([0.5, 0.001])
    budget = FixedBudget()
    budget.record(1, 1)
    assert kept is budget.cut(kept)
    assert 0.0 == budget.min_survival


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_a_batch_is_a_whole_number(batch: int) -> None:
    with pytest.raises(ValueError, match="batch must be a whole number >= 1"):
        CostBudget(float, batch=batch)


def test_a_cost_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cost must be above 0 for every pass, got 0\.0"):
        CostBudget(lambda num_tokens: 0.0)


def test_the_modelled_speedup_is_that_of_the_published_table() -> None:
    # transformers' prompt lookup at 32: 2.00 tokens and 6.8 drafted per pass.
    assert 1.26 == pytest.approx(
        modelled_speedup(COSTS["h100-8b"], 32, tokens_per_pass=2.0, drafted_per_pass=6.8), abs=0.01
    )
