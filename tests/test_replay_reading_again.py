"""A replay in which accepted tokens are read again after a rejection, as by models with running states."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.decoding import AdaptiveBudget, FixedBudget, LinearCosts, MeasuredCosts, Shape
from ngramspec.decoding.reading_again import MOST_KNOWN
from ngramspec.drafting import AdaptiveLookup, Draft, PromptLookup, TokenArray
from ngramspec.replay import SavedCosts, Trace, replay

WRONG = 9
"""A token that no recording has."""


def trace(prompt: Sequence[int], output: Sequence[int]) -> Trace:
    return Trace(np.array(prompt, np.int32), np.array(output, np.int32))


class Knowing:
    """A drafter that knows the output: its drafts have `right` right tokens, and a wrong one after them or none."""

    def __init__(self, output: Sequence[int], right: int, *, errs: bool) -> None:
        self.output, self.right, self.errs, self.position = list(output), right, errs, 0

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> "Knowing":
        return self

    def extend(self, tokens: TokenArray) -> None:
        self.position += tokens.size

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        right = self.output[self.position : self.position + self.right]
        return Draft(np.array((right + [WRONG] * self.errs)[:max_tokens], np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


def simulate(num_tokens: int, most: int, right: int, *, errs: bool) -> tuple[int, int, int]:
    """Passes, drafted tokens and tokens read again of one request of `num_tokens`, without the loop."""
    passes = drafted = again = 0
    left, known = num_tokens - 1, 1
    while left > 0:
        length = min(most, left - 1, min(right, left) + errs) if known <= MOST_KNOWN else 0
        accepted = min(length, right)
        passes, drafted, again = passes + 1, drafted + length, again + known - 1
        left -= accepted + 1
        known = 1 if accepted == length else known + accepted + 1
    return passes, drafted, again


@given(num_tokens=st.integers(0, 150), most=st.integers(0, 12), right=st.integers(0, 9), errs=st.booleans())
@example(num_tokens=150, most=10, right=1, errs=True)  # more is known than may be
@settings(deadline=None)
def test_a_replay_that_reads_again_counts_what_an_independent_simulation_counts(
    num_tokens: int, most: int, right: int, errs: bool
) -> None:
    output = [*range(WRONG)] * (num_tokens // WRONG) + [0] * (num_tokens % WRONG)
    report = replay([trace([], output)], Knowing(output, right, errs=errs), max_draft_tokens=most, reads_again=True)
    counters = report.total.counters
    counted = counters.target_passes, counters.num_draft_tokens, report.total.num_read_again
    assert simulate(num_tokens, most, right, errs=errs) == counted
    assert max(0, num_tokens - 1) == counters.tokens == counters.target_passes + counters.num_accepted_tokens


def test_without_it_nothing_is_read_again_and_the_same_drafts_are_accepted() -> None:
    output = [0, 1, 2, 0, 1, 3] * 8
    plain, again = (replay([trace([], output)], PromptLookup(), reads_again=reads).total for reads in (False, True))
    assert (0, True) == (plain.num_read_again, again.num_read_again > 0)
    assert plain.counters.tokens == again.counters.tokens
    assert plain.modelled_speedup(LinearCosts(1.0, 0.1)) > again.modelled_speedup(LinearCosts(1.0, 0.1))


def table(per_column: float) -> MeasuredCosts:
    costs = MeasuredCosts()
    for columns in (1, 2, 4, 8, 16, 32, 64):
        for _ in range(3):
            costs.record(Shape(1, columns, columns, 16), 0.01 * (1.0 + per_column * (columns - 1)), 1)
    return costs


@pytest.mark.parametrize("right", [0, 1, 5])
def test_by_a_table_each_pass_costs_what_its_columns_cost(right: int) -> None:
    output = [*range(WRONG)] * 12
    costs = SavedCosts(table(0.1), "table")
    report = replay(
        [trace([], output)],
        Knowing(output, right, errs=True),
        budget=FixedBudget(6),
        costs=costs,
        reads_again=True,
    ).total
    passes, columns = report.counters.target_passes, report.counters.num_draft_tokens + report.num_read_again
    assert 0.01 * (passes + 0.1 * columns) == pytest.approx(costs.seconds)
    assert 0.01 * (len(output) - 1) == pytest.approx(costs.plain_seconds)


@pytest.mark.parametrize("of_table", [False, True])
def test_less_is_drafted_where_a_rejection_is_read_again_and_columns_are_dear(of_table: bool) -> None:
    output = [0, 1, 2, 0, 1, 3, 0, 2, 1, 4] * 12
    drafted = [
        replay(
            [trace([], output)],
            AdaptiveLookup(),
            budget=AdaptiveBudget(),
            costs=SavedCosts(table(0.2), "table") if of_table else LinearCosts(0.8, 0.2),
            reads_again=reads,
        ).total.counters.num_draft_tokens
        for reads in (False, True)
    ]
    assert drafted[0] > drafted[1] > 0
