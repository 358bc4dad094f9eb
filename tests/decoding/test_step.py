"""The loop emits what the target would, whatever was drafted."""

import itertools
import math
from collections.abc import Sequence as Rows

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.decoding import Costs, FixedBudget, MeasuredCosts, Row, Shape, plan, step
from ngramspec.decoding.budget import Terms, usual_terms
from ngramspec.decoding.drafting_time import DraftingPrice
from ngramspec.decoding.row import share_of
from ngramspec.decoding.way import Way
from ngramspec.drafting import Draft, TokenArray
from ngramspec.stats import Undrafted
from tests.decoding.scripted import ScriptedTarget

ALONE = Shape(rows=1, columns=1, tokens=1, context=0)


class AnyDrafts:
    """A session that proposes at random, and keeps the text that it is given."""

    def __init__(self, seed: int, alphabet: int) -> None:
        self.text: list[int] = []
        self._random = np.random.default_rng(seed)
        self._alphabet = alphabet

    def extend(self, tokens: TokenArray) -> None:
        self.text += tokens.tolist()

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        size = self._random.integers(0, max_tokens + 4)  # more than was asked for, now and then
        return Draft(self._random.integers(0, self._alphabet, size, np.int32))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        pass

    def close(self) -> None:
        pass


@given(
    scripts=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=40), min_size=1, max_size=4),
    max_draft_tokens=st.integers(0, 6),
    seed=st.integers(0, 1000),
    forgets=st.integers(0, 3),
)
@settings(deadline=None)
def test_any_drafts_leave_every_row_the_text_of_its_target(
    scripts: list[list[int]], max_draft_tokens: int, seed: int, forgets: int
) -> None:
    sessions = [AnyDrafts(seed + number, alphabet=2) for number in range(len(scripts))]
    rows = [Row(session, [9], remaining=len(script)) for session, script in zip(sessions, scripts, strict=True)]
    target = ScriptedTarget({row: list(script) for row, script in zip(rows, scripts, strict=True)}, forgets)
    while live := [row for row in rows if not row.ended]:
        step(target, live, FixedBudget(max_draft_tokens), MeasuredCosts())
        for row in live:  # what the cache lacks is pending, all of it
            text = [9, *row.emitted]
            assert text[row.num_cached :] == row.pending
    assert scripts == [session.text for session in sessions] == [row.emitted for row in rows]
    assert [len(script) for script in scripts] == [row.counters.tokens for row in rows]
    assert max(map(max, target.lengths)) <= max_draft_tokens
    for row in rows:
        counters = row.counters
        assert counters.target_passes <= counters.tokens <= counters.target_passes + counters.num_accepted_tokens
        assert counters.num_accepted_tokens <= counters.num_draft_tokens
        assert counters.num_accepted_tokens == sum(counters.num_accepted_tokens_per_pos)


def test_each_row_drafts_within_its_own_allotment() -> None:
    class Falling:
        max_draft_tokens = 5

        def terms(self, rows: Rows[Row], shape: Shape, costs: Costs) -> Terms:
            return usual_terms(rows, 0.5)

        def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
            assert [5, 5] == [draft.tokens.size for draft in drafts]
            return [3, 0]

    class Full:
        def extend(self, tokens: TokenArray) -> None: ...

        def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
            assert 0.5 == min_survival
            return Draft(np.zeros(max_tokens, np.int32))

        def observe(self, draft: Draft, num_accepted: int) -> None: ...

        def close(self) -> None: ...

    rows = [Row(Full(), [], remaining=20) for _ in range(2)]
    costs, times = MeasuredCosts(), iter((1.0, 1.5, 6.5))
    planned = plan(rows, Falling(), ALONE, costs, lambda: next(times))
    assert [3, 0] == [each.draft.tokens.size for each in planned]
    assert DraftingPrice(2.5, 0.0) == costs.drafting()[Way.BLIND]
    assert [1, 0] == [row.counters.num_shortened_drafts for row in rows]
    assert [2.5, 2.5] == [row.counters.drafting_seconds for row in rows]
    assert [0.0, 0.0] == [row.counters.steering_seconds for row in rows]


def test_the_time_that_rows_count_together_is_what_went_by() -> None:
    ticks, scripts = itertools.count(), [[0, 1, 0], [1], [0, 0, 1, 1, 0, 1]]
    rows = [Row(AnyDrafts(number, alphabet=2), [9], remaining=len(script)) for number, script in enumerate(scripts)]
    target, num_passes = ScriptedTarget({row: list(script) for row, script in zip(rows, scripts, strict=True)}), 0
    while live := [row for row in rows if not row.ended]:
        step(target, live, FixedBudget(2), MeasuredCosts(), lambda: float(next(ticks)))
        num_passes += 1
    assert pytest.approx(num_passes) == sum(row.counters.verifying_seconds for row in rows)
    assert pytest.approx(num_passes) == sum(row.counters.drafting_seconds for row in rows)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_a_clock_error_takes_no_time(seconds: float) -> None:
    assert 0.0 == share_of(seconds, 3)


def test_a_target_must_answer_for_every_row() -> None:
    class Forgetful(ScriptedTarget):
        def keep(self, rows: Rows[Row]) -> list[int]:
            return []

    row = Row(AnyDrafts(0, 2), [], remaining=2)
    with pytest.raises(ValueError, match="shorter"):
        step(Forgetful({row: [1, 1]}), [row], FixedBudget(), MeasuredCosts())


def test_costs_are_those_of_the_shape_that_was_read() -> None:
    class Noting(MeasuredCosts):
        def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
            noted.append((shape, num_tokens))

    class Drops(ScriptedTarget):
        def shape(self, rows: Rows[Row]) -> Shape:
            return Shape(8, 1, 8, 0)

    noted: list[tuple[Shape, int]] = []
    row = Row(AnyDrafts(0, 2), [9], remaining=9)
    step(Drops({row: [1] * 9}), [row], FixedBudget(0), Noting())
    assert [(Shape(1, 1, 1, 0), 1)] == noted


def test_a_row_that_may_not_draft_with_its_prompt_drafts_after_it() -> None:
    rows = [Row(AnyDrafts(seed, 1), [9, 9], 9, drafts_with_prompt=False) for seed in range(2)]
    target = ScriptedTarget({row: [0] * 9 for row in rows})
    for _ in range(3):
        step(target, [row for row in rows if not row.ended], FixedBudget(4), MeasuredCosts())
    assert (0, 0) == target.lengths[0]
    assert max(target.lengths[1]) > 0
    assert all(1 == row.counters.num_undrafted_per_reason[Undrafted.PROMPT] for row in rows)


def test_a_fixed_budget_is_the_same_for_every_row_and_never_negative() -> None:
    drafts = [Draft(np.zeros(12, np.int32))] * 3
    assert [10, 10, 10] == FixedBudget().allot(drafts, [20] * 3, ALONE, MeasuredCosts())
    assert [0, 0, 0] == FixedBudget(0).allot(drafts, [20] * 3, ALONE, MeasuredCosts())
    with pytest.raises(ValueError, match=r"must be a whole number >= 0 \(0 switches speculation off\), got -1"):
        FixedBudget(-1)
