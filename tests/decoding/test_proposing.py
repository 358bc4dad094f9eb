"""Trees are drafted if the row may branch and the target takes trees; otherwise chains, for all rows at once."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any

import pytest

from ngramspec.decoding import LinearCosts, Row
from ngramspec.decoding.budget import Terms
from ngramspec.decoding.proposing import propose
from ngramspec.decoding.row import Together
from ngramspec.decoding.way import Way
from ngramspec.drafting import Draft, NoDraftsSession, TokenArray, Tree
from tests.drafting.test_suffix_index import tokens_of
from tests.drafting.test_tree import tree_of

FREE = LinearCosts(1.0, 0.0)


class Drafter:
    """Drafts a chain of two tokens for each of its sessions; calls: how many sessions each call was for."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def propose_all(self, sessions: Rows[object], most: Rows[int], min_survival: float = 0.0) -> list[Draft]:
        self.calls.append(len(sessions))
        return [Draft(tokens_of([1, 2])) for _ in sessions]


class Session(NoDraftsSession):
    def __init__(self, drafter: Drafter) -> None:
        self.drafter = drafter


class Branching(Session):
    def propose_tree(self, max_nodes: int, min_survival: float = 0.0) -> Tree:
        return tree_of([1, 2], [-1, -1])


def drafted(rows: Rows[Row], least: float = 0.0, *, takes_trees: bool = True) -> list[bool]:
    """Whether the draft of each row branches."""
    terms = Terms([Way.BLIND] * len(rows), (least, least, least))
    drafts = propose(rows, [9] * len(rows), terms, FREE, lambda: 0.0, takes_trees=takes_trees)
    assert [2] * len(rows) == [draft.tokens.size for draft in drafts]
    return [isinstance(draft, Tree) for draft in drafts]


def test_rows_whose_sessions_draft_no_trees_are_proposed_for_at_once() -> None:
    drafter = Drafter()
    rows = [Row(kind(drafter), [9], remaining=9) for kind in (Session, Branching, Session, Session)]
    assert [False, True, False, False] == drafted(rows)
    assert [3] == drafter.calls


@pytest.mark.parametrize(("least", "branches"), [(0.0, True), (0.05, True), (0.06, False)])
def test_no_tree_is_drafted_where_columns_are_dear(least: float, branches: bool) -> None:
    assert [branches] == drafted([Row(Branching(Drafter()), [9], remaining=9)], least)


class Steering:
    """Of a row whose grammar allows all."""

    def draft(self, session: Any, matchers: Rows[Any], max_tokens: int, min_survival: float) -> Draft:
        return Draft(tokens_of([1, 2]))

    def draft_tree(self, session: Any, matchers: Rows[Any], max_nodes: int, min_survival: float) -> Draft:
        return tree_of([1, 2], [-1, -1])

    def commit(self, tokens: TokenArray) -> None:
        pass


@dataclass(eq=False)
class Guarded(Row):
    def matchers(self) -> list[Any]:
        return [None]


@pytest.mark.parametrize(("least", "branches"), [(0.05, True), (0.06, False)])
def test_steered_rows_get_trees_by_the_same_rule(least: float, branches: bool) -> None:
    terms = Terms([Way.STEERED], (1.0, 1.0, least))
    for takes_trees, in_step in ((True, False), (False, False), (True, True)):
        row = Guarded(NoDraftsSession(), [9], remaining=9, steering=Steering(), call=Together(in_step=in_step))
        (draft,) = propose([row], [9], terms, FREE, lambda: 0.0, takes_trees=takes_trees)
        assert isinstance(draft, Tree) == (branches and takes_trees and not in_step)


def test_chains_get_targets_without_trees_and_rows_in_step() -> None:
    session = Branching(Drafter())
    free = Row(session, [9], remaining=9)
    in_step = Row(session, [9], remaining=9, call=Together(in_step=True))
    assert [True, False] == drafted([free, in_step])
    assert [False] == drafted([free], takes_trees=False)
