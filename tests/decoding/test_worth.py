"""What a second is worth where prompts wait for each other: a pass that is made all the same is not saved."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import AdaptiveBudget, Engine, LinearCosts, MeasuredCosts, Row, Shape
from ngramspec.decoding.budget import Terms
from ngramspec.decoding.costs import Costs
from ngramspec.decoding.prompt_queue import LONG, MEMORY, PromptQueue
from ngramspec.decoding.worth import LEAST_OWN, worth_of_second
from ngramspec.drafting import Draft, NoDrafts
from tests.decoding.scripted import ScriptedTarget

PRICE = st.floats(0.001, 10.0)


def shape(rows: int, waiting: float = 0.0) -> Shape:
    return Shape(rows, 1, rows, 0, waiting)


@given(PRICE, PRICE, st.integers(1, 64), st.floats(0.0, 1.0))
def test_a_token_saves_its_own_part_of_a_pass_and_what_no_prompt_needs_of_the_rest(
    base: float, of_token: float, rows: int, waiting: float
) -> None:
    saved = (base * (1.0 - waiting) + of_token * rows) / rows
    costs, plain = LinearCosts(base, of_token), base + of_token * rows
    least = LEAST_OWN * plain / rows
    assert max(saved, least) == pytest.approx(1.0 / worth_of_second(shape(rows, waiting), costs, plain))


def test_before_passes_of_fewer_rows_were_measured_a_token_saves_next_to_nothing_beside_prompts() -> None:
    costs = MeasuredCosts()
    costs.record(shape(8), 1.0, 8)
    assert 8.0 == worth_of_second(shape(8), costs, 1.0)
    assert 8.0 / LEAST_OWN == pytest.approx(worth_of_second(shape(8, 1.0), costs, 1.0))


@given(st.lists(st.integers(0, 2 * LONG), min_size=1, max_size=MEMORY))
def test_the_share_is_that_of_the_passes_with_a_long_queue(numbers: list[int]) -> None:
    queue = PromptQueue()
    for number in numbers:
        queue.record(number)
    assert sum(number >= LONG for number in numbers) / len(numbers) == pytest.approx(queue.share)


def test_what_waited_long_ago_is_forgotten() -> None:
    queue = PromptQueue()
    for _ in range(MEMORY):
        queue.record(LONG)
    assert queue.share == 1.0
    for _ in range(10 * MEMORY):
        queue.record(0)
    assert queue.share < 1e-4


class Noting(AdaptiveBudget):
    """Notes how often it is told that prompts wait, pass by pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[float] = []

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        self.waiting.append(shape.waiting)
        return super().terms(rows, shape, costs)


class Reading(ScriptedTarget):
    """Reads prompts in parts."""

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        return row.num_cached + num_tokens


@pytest.mark.parametrize(("num_rows", "outside", "waits"), [(LONG + 1, 0, True), (LONG, 0, False), (1, LONG, True)])
def test_the_budget_is_told_of_prompts_that_wait_within_the_engine_and_outside(
    num_rows: int, outside: int, waits: bool
) -> None:
    target, budget = Reading({}), Noting()
    engine = Engine(budget, MeasuredCosts(), max_prompt_tokens=2)
    rows = [Row(NoDrafts().open(), [9, 9, 9], remaining=9) for _ in range(num_rows)]
    for row in rows:
        target.scripts[row] = [1] * 9
        engine.add([row], target, target)
    engine.step(outside)
    engine.step(outside)
    assert budget.waiting[0] == 0.0
    assert (budget.waiting[1] > 0.0) is waits


def test_a_draft_that_pays_where_none_waits_is_not_checked_beside_prompts_that_wait() -> None:
    budget, costs = AdaptiveBudget(), LinearCosts(10.0, 1.0)
    drafts = [Draft(np.array([1, 2], np.int32), np.array([0.8, 0.6]))] * 8
    assert [2] * 8 == budget.allot(drafts, [99] * 8, shape(8), costs)
    assert [0] * 8 == budget.allot(drafts, [99] * 8, shape(8, 1.0), costs)
