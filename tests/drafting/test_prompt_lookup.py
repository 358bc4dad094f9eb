"""A draft of prompt lookup is a copy from the row's own text, at most as long as requested."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import Drafter, PromptLookup
from tests.drafting.test_suffix_index import texts, tokens_of
from tests.oracles import OracleLookupSession


def draft_of(text: list[int], max_tokens: int) -> list[int]:
    session = PromptLookup().open()
    session.extend(tokens_of(text))
    drafted: list[int] = session.propose(max_tokens).tokens.tolist()
    return drafted


@given(text=texts(), max_tokens=st.integers(-1, 40))
@settings(max_examples=300, deadline=None)
def test_a_draft_is_the_oracles_copy_and_never_longer_than_asked(text: list[int], max_tokens: int) -> None:
    session, oracle = PromptLookup().open(), OracleLookupSession()
    session.extend(tokens_of(text))
    oracle.extend(tokens_of(text))
    expected, actual = oracle.propose(max_tokens), session.propose(max_tokens)
    assert expected.tokens.tolist() == actual.tokens.tolist()
    assert actual.tokens.dtype == np.int32
    assert actual.tokens.size <= max(0, max_tokens)


def test_the_latest_of_equal_matches_is_copied() -> None:
    assert draft_of([1, 2, 1, 3, 1], 2) == [3, 1]


def test_a_longer_match_beats_a_later_one() -> None:
    assert draft_of([1, 2, 7, 9, 2, 8, 1, 2], 1) == [7]


def test_a_copy_that_reaches_the_end_goes_on_with_its_period() -> None:
    assert draft_of([1, 2, 3, 1, 2, 3, 1], 7) == [2, 3, 1, 2, 3, 1, 2]
    assert draft_of([5, 5], 3) == [5, 5, 5]


def test_where_nothing_matches_the_draft_is_empty() -> None:
    assert draft_of([], 10) == []
    assert draft_of([1], 10) == []
    assert draft_of([1, 2, 3], 10) == []


@given(text=texts(), max_tokens=st.integers(0, 12))
@settings(deadline=None)
def test_proposing_and_observing_leave_the_session_as_it_is(text: list[int], max_tokens: int) -> None:
    session = PromptLookup().open()
    session.extend(tokens_of(text))
    first = session.propose(max_tokens)
    session.observe(first, first.tokens.size)
    assert first.tokens.tolist() == session.propose(max_tokens).tokens.tolist()
    assert text == session.index.text.tolist()


def test_a_draft_is_the_callers_own() -> None:
    session = PromptLookup().open()
    session.extend(tokens_of([1, 2, 3, 1]))
    session.propose(2).tokens[:] = 0
    assert session.propose(2).tokens.tolist() == [2, 3]


@given(first=texts(), second=texts())
@settings(deadline=None)
def test_rows_of_one_drafter_know_nothing_of_each_other(first: list[int], second: list[int]) -> None:
    drafter: Drafter = PromptLookup()
    sessions = [drafter.open("invoices"), drafter.open("invoices")]
    for position in range(max(len(first), len(second))):
        for session, text in zip(sessions, (first, second), strict=True):
            session.extend(tokens_of(text[position : position + 1]))
    for session, text in zip(sessions, (first, second), strict=True):
        assert draft_of(text, 10) == session.propose(10).tokens.tolist()


def test_threads_may_share_a_drafter() -> None:
    drafter = PromptLookup()
    rows = [np.random.default_rng(seed).integers(0, 3, 400, np.int32) for seed in range(8)]

    def drafts(row: int) -> list[list[int]]:
        session, drafted = drafter.open(), []
        for tokens in np.split(rows[row], 40):
            session.extend(tokens)
            drafted.append(session.propose(10).tokens.tolist())
        return drafted

    expected = [drafts(row) for row in range(len(rows))]
    with ThreadPoolExecutor(4) as pool:
        assert expected == list(pool.map(drafts, range(len(rows))))
