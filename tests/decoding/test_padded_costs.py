"""A pass that is padded to a width has the price of that width."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import AdaptiveBudget, Costs, MeasuredCosts, PaddedCosts, Shape
from ngramspec.drafting.types import Draft

WIDTHS = (1, 2, 4, 8, 16, 32)
PLAIN = Shape(rows=1, columns=1, tokens=1, context=100)


def wide(columns: int) -> Shape:
    return PLAIN._replace(columns=columns, tokens=columns)


def measured(seconds: dict[int, float]) -> MeasuredCosts:
    """Costs that have seen passes of these seconds, by columns."""
    costs = MeasuredCosts()
    for _ in range(5):
        for columns, each in seconds.items():
            costs.record(wide(columns), each, 1)
    return costs


def padded(costs: Costs, *, is_usual: bool = True) -> PaddedCosts:
    return PaddedCosts(costs, WIDTHS, lambda: is_usual)


@given(st.lists(st.floats(1.0, 3.0), min_size=6, max_size=6), st.integers(0, 31), st.booleans())
def test_any_draft_costs_what_the_next_width_costs(steps: list[float], num_more: int, hopeful: bool) -> None:
    costs = measured(dict(zip(WIDTHS, np.cumsum(steps).tolist(), strict=True)))
    whole = costs.prices(PLAIN, WIDTHS[-1] - 1, hopeful=hopeful)
    found = padded(costs).prices(PLAIN, num_more, hopeful=hopeful)
    assert whole is not None
    assert found is not None
    expected = [whole[next(width for width in WIDTHS if width >= columns) - 1] for columns in range(1, num_more + 2)]
    assert expected == found.tolist()


@pytest.mark.parametrize(("survival", "expected"), [([0.9, 0.9, 0.2, 0.1, 0.1], 3), ([0.9] * 4 + [0.01] * 3, 7)])
def test_a_budget_fills_the_width_that_pays(survival: list[float], expected: int) -> None:
    """Of four columns the last one is free, however unlikely its token; the step to eight must pay."""
    costs = padded(measured({1: 1.0, 2: 1.05, 4: 1.2, 8: 2.0, 16: 5.0, 32: 9.0}))
    draft = Draft(np.arange(len(survival), dtype=np.int32), np.array(survival))
    assert [expected] == AdaptiveBudget().allot([draft], [50], PLAIN, costs)


def test_a_token_costs_what_the_columns_before_it_do_though_it_fills_a_width() -> None:
    costs = padded(measured({1: 1.0, 2: 1.2, 4: 1.6, 8: 2.4}))
    assert costs.per_token(PLAIN) == pytest.approx(0.2)


def test_nothing_is_priced_before_a_pass_was_measured() -> None:
    assert padded(MeasuredCosts()).prices(PLAIN, 5) is None


def test_a_pass_that_compiles_is_not_recorded() -> None:
    costs = MeasuredCosts()
    padded(costs, is_usual=False).record(PLAIN, 60.0, 1)
    assert padded(costs).prices(PLAIN, 0) is None
    padded(costs).record(PLAIN, 0.02, 1)
    assert [0.02] == pytest.approx(padded(costs).prices(PLAIN, 0))
