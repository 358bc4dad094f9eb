"""All rows at once: the same drafts as one by one, and a single call of a drafter that takes batches."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import (
    AdaptiveLookup,
    Draft,
    Drafter,
    DraftSession,
    NoDrafts,
    PromptLookup,
    PromptLookupSession,
    TokenArray,
    Tree,
    propose_all,
    propose_tree,
    propose_trees,
)
from tests.drafting.test_adaptive_lookup import play
from tests.drafting.test_suffix_index import texts, tokens_of


def taught() -> list[Drafter]:
    """Two adaptive lookups, and drafters that are asked one row after another."""
    first, second = AdaptiveLookup(), AdaptiveLookup()
    play(first, [1, 2], [0, 1, 2, 0, 1, 2, 7, 7], "a")
    return [first, PromptLookup(), second, NoDrafts()]


def opened_twice(rows: list[tuple[int, list[int], int]]) -> list[list[DraftSession]]:
    """Sessions of `rows`, each a drafter's number, a text and a length, of two sets of drafters alike."""
    both: list[list[DraftSession]] = []
    for drafters in (taught(), taught()):
        sessions = [drafters[number].open("a") for number, _, _ in rows]
        for session, (_, text, _) in zip(sessions, rows, strict=True):
            session.extend(tokens_of(text[:-3]))
            session.extend(tokens_of(text[-3:]))
        both.append(sessions)
    return both


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), texts(), st.integers(-1, 20)), max_size=8), min_survival=st.floats(0, 1)
)
@settings(max_examples=100, deadline=None)
def test_any_rows_are_drafted_for_together_as_they_would_be_one_by_one(
    rows: list[tuple[int, list[int], int]], min_survival: float
) -> None:
    both = opened_twice(rows)
    lengths = [most for _, _, most in rows]
    alone = [session.propose(most, min_survival) for session, most in zip(both[0], lengths, strict=True)]
    together = propose_all(both[1], lengths, min_survival)
    assert [draft.tokens.tolist() for draft in alone] == [draft.tokens.tolist() for draft in together]
    assert [draft.survival.tolist() for draft in alone] == [draft.survival.tolist() for draft in together]
    assert [draft.is_unsure for draft in alone] == [draft.is_unsure for draft in together]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), texts(), st.integers(-1, 20)), max_size=8),
    min_survival=st.floats(0.02, 1),
)
@settings(max_examples=100, deadline=None)
def test_trees_of_any_rows_are_drafted_together_as_they_would_be_one_by_one(
    rows: list[tuple[int, list[int], int]], min_survival: float
) -> None:
    both = opened_twice(rows)
    nodes = [most for _, _, most in rows]
    alone = [propose_tree(session, most, min_survival) for session, most in zip(both[0], nodes, strict=True)]
    together = propose_trees(both[1], nodes, min_survival)
    assert [type(draft) for draft in alone] == [type(draft) for draft in together]
    assert [draft.tokens.tolist() for draft in alone] == [draft.tokens.tolist() for draft in together]
    assert [draft.survival.tolist() for draft in alone] == [draft.survival.tolist() for draft in together]
    parents = [[each.parents.tolist() for each in drafts if isinstance(each, Tree)] for drafts in (alone, together)]
    assert parents[0] == parents[1]


class Batched(PromptLookup):
    """Notes how many rows it was asked for at a time; fewer: so many drafts it does not return."""

    def __init__(self, fewer: int = 0) -> None:
        self.calls: list[list[int]] = []
        self._fewer = fewer

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> PromptLookupSession:
        session = super().open(segment, references)
        session.drafter = self  # type: ignore[attr-defined]
        return session

    def propose_all(
        self, sessions: Sequence[PromptLookupSession], max_tokens: Sequence[int], min_survival: float = 0.0
    ) -> list[Draft]:
        self.calls.append([*max_tokens])
        drafts = [session.propose(most) for session, most in zip(sessions, max_tokens, strict=True)]
        return drafts[: len(drafts) - self._fewer]


def test_a_batch_drafter_is_called_once_for_all_of_its_own_rows_and_no_others() -> None:
    first, second = Batched(), Batched()
    sessions = [drafter.open() for drafter in (first, PromptLookup(), second, first, first)]
    for number, session in enumerate(sessions):
        session.extend(tokens_of([number, 8, number]))
    drafts = propose_all(sessions, [1, 2, 3, 4, 5])
    assert ([[1, 4, 5]], [[3]]) == (first.calls, second.calls)
    expected = [[0], [8, 1], [8, 2, 8], [8, 3, 8, 3], [8, 4, 8, 4, 8]]
    assert [[8], *expected[1:]] == [draft.tokens.tolist() for draft in drafts]


def test_a_drafter_that_forgets_a_row_is_named() -> None:
    drafter = Batched(fewer=1)
    with pytest.raises(
        ValueError, match="propose_all must return a draft for each of 2 sessions, got 1 from Batched: "
    ):
        propose_all([drafter.open(), drafter.open()], [1, 1])
