"""Rows join between steps and leave when they end; each has the text of its target, and costs nothing afterwards."""

from collections.abc import Sequence as Rows

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import Engine, FixedBudget, MeasuredCosts, Plan, Reading, Row, Together
from ngramspec.drafting import NoDrafts
from tests.decoding.scripted import ScriptedTarget
from tests.simulate.drafters import TOKEN, Knows


class Counting(ScriptedTarget):
    """Notes who left, and how prompts were read."""

    def __init__(self) -> None:
        super().__init__({})
        self.left: list[Row] = []
        self.passes: list[list[Row]] = []
        self.ahead: list[int] = []

    def read(self, plans: Rows[Plan]) -> Reading:
        self.passes.append([plan.row for plan in plans])
        return super().read(plans)

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        self.ahead.append(num_tokens)
        return row.num_cached + num_tokens

    def leave(self, row: Row) -> None:
        self.left.append(row)


def row_of(target: Counting, script: list[int], prompt: int = 1, call: Together | None = None) -> Row:
    row = Row(NoDrafts().open(), [9] * prompt, remaining=len(script))
    row.call = row.call if call is None else call
    target.scripts[row] = list(script)
    return row


def knowing(target: Counting, size: int, prompt: int = 1) -> Row:
    """A row whose drafts are right."""
    row = row_of(target, [TOKEN] * size, prompt)
    row.session = Knows().open()
    return row


def engine(max_prompt_tokens: int = 4) -> Engine:
    return Engine(FixedBudget(3), MeasuredCosts(), max_prompt_tokens=max_prompt_tokens)


@given(scripts=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), max_size=6), data=st.data())
def test_any_rows_that_join_at_any_time_have_their_own_texts(scripts: list[list[int]], data: st.DataObject) -> None:
    target, runs = Counting(), engine()
    rows, ended = [], []
    for script in scripts:
        rows.append(row_of(target, script, prompt=data.draw(st.integers(1, 9))))
        runs.add(rows[-1:], target, target)
        for _ in range(data.draw(st.integers(0, 3))):
            ended += runs.step()
    while runs.rows:
        ended += runs.step()
    assert scripts == [row.emitted for row in rows]
    assert set(rows) == set(ended) == set(target.left)
    assert len(rows) == len(ended) == len(target.left)


def test_a_prompt_is_read_in_parts_while_others_decode_and_as_a_whole_when_alone() -> None:
    target, runs = Counting(), engine(max_prompt_tokens=4)
    first = row_of(target, [1] * 20, prompt=9)
    runs.add([first], target, target)
    runs.step()
    assert ([], [1]) == (target.ahead, first.emitted)
    second = row_of(target, [2] * 3, prompt=10)
    runs.add([second], target, target)
    for length in (2, 3, 4):
        runs.step()
        assert length == len(first.emitted)
    assert ([4, 4], [2]) == (target.ahead, second.emitted)
    assert all(len(rows) == 1 for rows in target.passes)  # a prompt has a pass of its own


def test_rows_of_a_call_read_their_prompts_in_one_pass() -> None:
    target, runs = Counting(), engine()
    rows = [row_of(target, [1, 1], prompt=9) for _ in range(3)]
    runs.add(rows, target)
    runs.step()
    assert [rows] == target.passes


def test_rows_in_step_stay_until_all_have_ended() -> None:
    class Step:
        def __init__(self, rows: Rows[Row]) -> None:
            self.rows = rows
            self.drafts: list[list[int]] = [[] for _ in rows]

        def at(self, position: int) -> Rows[int | None]:
            return [1 for _ in self.rows]

        def end_rows(self) -> bool:
            self.rows[0].ended = True
            return True

    class InStep(Counting):
        def read(self, plans: Rows[Plan]) -> Reading:
            reading = super().read(plans)
            return reading._replace(choices=[Step([plan.row for plan in plans])])

    target, runs, call = InStep(), engine(), Together(in_step=True)
    rows = [row_of(target, [1] * length, call=call) for length in (3, 3)]
    runs.add(rows, target)
    assert [] == runs.step()
    assert rows[0].ended
    assert [] == runs.step()
    assert rows == runs.step() == target.left
    assert ([1], [1, 1, 1]) == (rows[0].emitted, rows[1].emitted)


def test_a_row_that_is_removed_is_closed_and_read_no_more() -> None:
    target, runs = Counting(), engine()
    rows = [row_of(target, [1] * 9) for _ in range(2)]
    for row in rows:
        runs.add([row], target)
    for _ in range(3):
        runs.step()
    runs.remove(rows[:1])
    emitted = list(rows[0].emitted)
    runs.step()
    assert (emitted, True) == (rows[0].emitted, rows[0].ended)
    assert rows[1:] == runs.rows


def test_as_many_parts_of_a_prompt_are_read_before_a_pass_as_rows_emit_tokens_in_it() -> None:
    target, runs = Counting(), engine(max_prompt_tokens=4)
    quick, slow = knowing(target, 40), row_of(target, [1] * 40)
    runs.add([quick], target, target)
    runs.step()
    runs.step()  # 4 tokens in a pass
    runs.add([slow], target, target)
    runs.step()
    long = row_of(target, [1], prompt=30)
    runs.add([long], target, target)
    runs.step()  # 4 tokens and 1: 2.5 for each row
    assert [16] == target.ahead
    runs.step()
    assert [16, 8] == target.ahead
    runs.step()
    assert long.ended


def test_several_short_prompts_are_read_before_a_pass_and_others_may_join_in_between() -> None:
    target, runs = Counting(), engine(max_prompt_tokens=4)
    runs.add([knowing(target, 40)], target, target)
    runs.step()
    runs.step()
    rows = [row_of(target, [1, 1], prompt=3) for _ in range(6)]
    waiting = iter(rows[1:])
    runs.add(rows[:1], target, target)
    runs.step(lambda: runs.add([next(waiting)], target, target))
    assert [1, 1, 1, 1, 0] == [len(row.emitted) for row in rows[:5]]
    assert rows[5] not in runs.rows


ROWS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 30), st.booleans(), st.integers(0, 3)), max_size=6)


@given(ROWS, st.integers(1, 9))
def test_no_row_waits_for_more_parts_of_prompts_than_rows_have_emitted_tokens(
    sizes: list[tuple[int, int, bool, int]], most: int
) -> None:
    target, runs = Counting(), engine(max_prompt_tokens=most)
    due, read = 1.0, 0

    def step() -> None:
        nonlocal due, read
        decoding = [row for row in runs.rows if row.emitted]
        reading = [(row, len(row.pending)) for row in runs.rows if not row.emitted]
        before = sum(len(row.emitted) for row in decoding)
        runs.step()
        if decoding:
            left = [(size, 0 if row.emitted else len(row.pending)) for row, size in reading]
            read += sum(-(-(size - rest) // most) for size, rest in left)
            assert read <= due
            due += max(1.0, (sum(len(row.emitted) for row in decoding) - before) / len(decoding))

    for size, prompt, knows, steps in sizes:
        row = knowing(target, size, prompt) if knows else row_of(target, [1] * size, prompt)
        runs.add([row], target, target)
        for _ in range(steps):
            step()
    while runs.rows:
        step()


def test_the_rows_of_a_pass_that_raises_are_known_until_the_next_step() -> None:
    target, broken, runs = Counting(), Counting(), engine()
    fine, failing = row_of(target, [1, 2, 3]), row_of(broken, [1, 2])
    del broken.scripts[failing]  # what it reads, it does not find
    runs.add([fine], target)
    runs.add([failing], broken)
    with pytest.raises(KeyError):
        runs.step()
    assert [failing] == list(runs.failing)
    assert [1] == fine.emitted
    runs.remove([failing])
    assert [] == runs.step()
    assert [fine] == runs.step()
    assert [] == list(runs.failing)
    assert [1, 2, 3] == fine.emitted
