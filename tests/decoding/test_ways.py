"""Each row is drafted for in the way that gains most for its time, and no way is given up for good."""

import copy
import pickle
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from ngramspec.decoding import Costs, FixedBudget, MeasuredCosts, Row, Shape, Together, plan
from ngramspec.decoding.budget import Terms
from ngramspec.decoding.steering import RowSteering
from ngramspec.decoding.trials import CREDIT, LONGEST_WAIT, MOST_CHARGED, MOST_CREDIT, PROBE_EVERY
from ngramspec.decoding.way import Way
from ngramspec.decoding.way_chooser import WayChooser
from ngramspec.drafting import Draft, NoDraftsSession, TokenArray
from ngramspec.guards import Guard
from ngramspec.replay import GuardedRow
from ngramspec.stats import Undrafted
from tests.guards.vocabularies import BYTES

Gains = dict[Way, int]
NONE, BLIND, STEERED = Way


def row(*, is_guarded: bool = False, call: Together | None = None) -> Row:
    made = Row(NoDraftsSession(), [0], remaining=10**9, call=call or Together())
    made.steering = RowSteering([], []) if is_guarded else None
    return made


def served(
    ways: WayChooser, rows: Sequence[Row], gains: Sequence[Gains], seconds: Sequence[float], passes: int
) -> list[list[Way]]:
    """The ways of each pass; a plain pass takes a second, which is worth as many tokens as there are rows.

    gains: accepted tokens of a draft of each row, by way. seconds: of drafting a row, by way.
    """
    found: list[list[Way]] = []
    waits = 0
    for _ in range(passes):
        waits += 1
        is_due = waits >= PROBE_EVERY
        found.append(ways.chosen(rows, float(len(rows)), 1.0, seconds, is_due=is_due)[0])
        if is_due and any(found[-1]):  # prices are tried by drafts, and stay due as long as there are none
            waits = 0
        for each, gain, way in zip(rows, gains, found[-1], strict=True):
            each.counters.num_accepted_tokens += gain[way] if way is not NONE else 0
    return found


def shares(found: list[list[Way]], index: int) -> dict[Way, float]:
    counts = Counter(each[index] for each in found)
    return {way: counts[way] / len(found) for way in Way}


def test_a_row_is_drafted_for_as_long_as_that_gains_more_than_its_time_is_worth() -> None:
    drafted = served(WayChooser(), [row()], [{BLIND: 1}], [0.0, 0.1, 0.0], 200)
    assert 1.0 == shares(drafted, 0)[BLIND]
    dear = served(WayChooser(), [row()], [{BLIND: 1}], [0.0, 1.9, 0.0], 2000)
    assert shares(dear[500:], 0)[BLIND] < 0.03


def test_each_of_two_rows_under_a_grammar_is_drafted_for_in_its_own_way() -> None:
    gains = [{STEERED: 6, BLIND: 1}, {STEERED: 1, BLIND: 1}]
    found = served(WayChooser(), [row(is_guarded=True) for _ in gains], gains, [0.0, 0.001, 0.5], 2000)
    assert shares(found[200:], 0)[STEERED] > 0.95
    assert shares(found[200:], 1)[BLIND] > 0.8


def test_where_steering_costs_nothing_more_nothing_else_is_tried() -> None:
    found = served(WayChooser(), [row(is_guarded=True)], [{STEERED: 0, BLIND: 9}], [0.0, 0.0, 0.0], 200)
    assert 1.0 == shares(found, 0)[STEERED]


@pytest.mark.parametrize(("seconds", "way"), [([0.0, 0.001, 0.002], STEERED), ([0.0, 0.001, 5.0], BLIND)])
def test_no_row_locks_itself_out(seconds: list[float], way: Way) -> None:
    """Nothing gains for a long while, then steering does, and then a blind draft as well."""
    ways, rows = WayChooser(), [row(is_guarded=True) for _ in range(4)]
    served(ways, rows, [{STEERED: 0, BLIND: 0}] * 4, [0.0, 0.5, 0.5], 3000)
    after = served(ways, rows, [{STEERED: 4, BLIND: 3}] * 4, seconds, 3 * LONGEST_WAIT)[2 * LONGEST_WAIT :]
    assert all(shares(after, index)[way] > 0.9 for index in range(4))


def test_a_way_that_is_rarely_affordable_is_found_again() -> None:
    """Each trial costs nearly all credit, so that prices are due for one whenever a way can be tried."""
    ways, rows, seconds = WayChooser(), [row()], [0.0, 1.9, 0.0]
    assert shares(served(ways, rows, [{BLIND: 0}], seconds, 3000)[500:], 0)[BLIND] < 0.01
    after = served(ways, rows, [{BLIND: 9}], seconds, 8 * LONGEST_WAIT)
    assert shares(after[7 * LONGEST_WAIT :], 0)[BLIND] > 0.9


def test_trials_take_no_more_than_their_credit_and_one_in_a_long_while() -> None:
    passes, rows = 4 * LONGEST_WAIT, [row(is_guarded=True) for _ in range(4)]
    found = served(WayChooser(), rows, [{STEERED: 0, BLIND: 0}] * 4, [0.0, 0.1, 0.3], passes)[200:]
    lost = sum((0.1, 0.3)[way - 1] for each in found for way in each if way is not NONE)
    waits = 1 + passes / LONGEST_WAIT
    # One that serves the prices as well comes before one that is charged.
    assert 0 < lost <= 2 * (MOST_CREDIT + passes * CREDIT + waits * MOST_CHARGED)


def test_a_row_in_step_is_always_drafted_for() -> None:
    rows = [row(call=Together(in_step=True)), row()]
    found = served(WayChooser(), rows, [{BLIND: 0}] * 2, [0.0, 0.9, 0.0], 100)
    assert 1.0 == shares(found, 0)[BLIND]
    assert shares(found[20:], 1)[BLIND] < 0.2


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda ways: pickle.loads(pickle.dumps(ways))])
def test_a_copy_begins_with_nothing_measured(copied: Callable[[WayChooser], WayChooser]) -> None:
    ways = WayChooser()
    served(ways, [row()], [{BLIND: 0}], [0.0, 0.9, 0.0], 100)
    gains, seconds = [{BLIND: 0}], [0.0, 0.9, 0.0]
    assert served(copied(ways), [row()], gains, seconds, 50) == served(WayChooser(), [row()], gains, seconds, 50)
    assert served(ways, [row()], gains, seconds, 50) != served(WayChooser(), [row()], gains, seconds, 50)


def test_a_fixed_budget_steers_whatever_can_be_steered() -> None:
    terms = FixedBudget().terms([row(is_guarded=True), row()], Shape(2, 1, 2, 0), MeasuredCosts())
    assert [STEERED, BLIND] == terms.ways


class Asked:
    """A session that drafts twelve tokens, and notes how sure they had to be."""

    def __init__(self) -> None:
        self.least: list[float] = []

    def extend(self, tokens: TokenArray) -> None: ...

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        self.least.append(min_survival)
        return Draft(np.frombuffer(b"12a456789012", np.uint8).astype(np.int32)[:max_tokens])

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...


class Chosen(FixedBudget):
    """Drafts for each row in its given way, with a least survival of each way's own."""

    def __init__(self, ways: list[Way]) -> None:
        super().__init__(8)
        self.ways = ways

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        return Terms(self.ways, (0.0, 0.1, 0.2))


def digits(session: Asked) -> Row:
    matcher = Guard.regex(r"[0-9]+", BYTES).matcher()
    made = GuardedRow(session, [0], remaining=100, guarded_by=[matcher])
    made.steering = RowSteering([matcher], [])
    return made


def test_each_row_is_drafted_for_in_its_way_which_is_timed_apart() -> None:
    sessions = [Asked() for _ in Way]
    rows, times, costs = [digits(session) for session in sessions], iter((1.0, 1.25, 1.75)), MeasuredCosts()
    costs.record(Shape(3, 1, 3, 0), 1.0, 3)
    planned = plan(rows, Chosen([*Way]), Shape(3, 1, 3, 0), costs, lambda: next(times))
    assert [[], [0.1], [0.2]] == [session.least for session in sessions]
    # A session like this cannot be steered: its draft is cut as well.
    assert [b"", b"12", b"12"] == [bytes(each.draft.tokens.tolist()) for each in planned]
    assert Undrafted.TOO_DEAR is planned[0].undrafted
    assert [(0.0, 0.0), (0.5, 0.0), (0.25, 0.0)] == costs.drafting()
