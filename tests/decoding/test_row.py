"""A row owns its text, and everything that follows the text catches up with it."""

from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import MeasuredCosts, Row, common_length
from ngramspec.decoding.budget import usual_terms
from ngramspec.decoding.proposing import propose
from ngramspec.drafting import Draft, Likely, TokenArray

token_lists = st.lists(st.integers(0, 1), max_size=12)


def ids(*tokens: int) -> TokenArray:
    return np.array(tokens, np.int32)


@dataclass
class Diary:
    """A drafting session that notes what it is told, and proposes `draft` whatever was asked."""

    draft: list[int] = field(default_factory=list)
    notes: list[tuple[str, object]] = field(default_factory=list)

    def extend(self, tokens: TokenArray) -> None:
        self.notes.append(("extend", tokens.tolist()))

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        self.notes.append(("propose", max_tokens))
        return Draft(ids(*self.draft))

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self.notes.append(("observe", num_accepted))

    def close(self) -> None:
        pass


class Heeding(Diary):
    def heed(self, likely: Likely) -> None:
        self.notes.append(("heed", likely.tokens.tolist()))


def row(diary: Diary, remaining: int) -> Row:
    return Row(diary, pending=[7], remaining=remaining)


def passed(each: Row, draft: list[int], tokens: list[int]) -> Row:
    """After a pass that checked `draft` and committed `tokens`."""
    for token in tokens:
        each.commit(token)
    each.follow(Draft(ids(*draft)), ids(*tokens), each.num_cached + len(each.pending) + len(tokens) - 1)
    return each


@given(draft=token_lists, chosen=token_lists)
def test_the_agreeing_tokens_are_the_common_head(draft: list[int], chosen: list[int]) -> None:
    agreeing = takewhile(lambda pair: pair[0] == pair[1], zip(draft, chosen, strict=False))
    assert len(list(agreeing)) == common_length(draft, chosen)


@given(draft=token_lists, max_tokens=st.integers(0, 12), remaining=st.integers(1, 12))
def test_any_draft_leaves_room_for_the_targets_own_token(draft: list[int], max_tokens: int, remaining: int) -> None:
    diary = Diary(draft)
    rows = [row(diary, remaining)]
    (proposed,) = propose(rows, [max_tokens], usual_terms(rows, 0.0), MeasuredCosts(), lambda: 0.0)
    room = min(max_tokens, remaining - 1)
    assert [("propose", room)] == diary.notes
    assert draft[:room] == proposed.tokens.tolist()


def test_the_drafter_hears_of_acceptance_before_it_sees_the_tokens() -> None:
    diary = Diary()
    passed(row(diary, 10), [1, 2, 3], [1, 2, 9])
    assert [("observe", 2), ("extend", [1, 2, 9])] == diary.notes


def test_a_pass_moves_the_row_on_by_its_tokens() -> None:
    each = passed(row(Diary(), 10), [1, 2, 3], [1, 2, 9])
    assert ([9], 7, False, 3) == (each.pending, each.remaining, each.ended, each.num_cached)
    assert ([1, 2, 9], []) == (each.emitted, each.committed)
    counters = each.counters
    assert (3, 1, 1) == (counters.tokens, counters.target_passes, counters.num_drafts)
    assert (3, 2, [1, 1]) == (
        counters.num_draft_tokens,
        counters.num_accepted_tokens,
        counters.num_accepted_tokens_per_pos,
    )


@given(draft=token_lists, upcoming=st.lists(st.integers(0, 1), min_size=13, max_size=13), length=st.integers(0, 13))
def test_the_accepted_tokens_are_counted_wherever_the_pass_ended(
    draft: list[int], upcoming: list[int], length: int
) -> None:
    agreeing = common_length(draft, upcoming)
    each = passed(row(Diary(), 99), draft, upcoming[: min(length, agreeing + 1)])  # a row in step may end before
    assert min(length, agreeing) == each.counters.num_accepted_tokens


def test_a_row_ends_at_its_limit() -> None:
    assert passed(row(Diary(), 1), [], [5]).ended


def test_a_row_may_end_inside_its_draft() -> None:
    each = row(Diary(), 10)
    each.ended = False
    each.commit(1)
    each.commit(2)
    each.ended = True
    each.follow(Draft(ids(1, 2, 3)), ids(1, 2), 2)
    assert (2, 2) == (each.counters.tokens, each.counters.num_accepted_tokens)


def test_the_padding_of_a_row_that_has_ended_is_read_and_counts_for_nothing() -> None:
    diary = Diary()
    each = passed(row(diary, 10), [], [5])
    each.ended = True
    passed(each, [], [6])  # its last own pass: from now on it is closed
    notes, counted = list(diary.notes), each.counters.tokens
    passed(each, [0, 0], [0, 0, 0])
    assert (notes, counted) == (diary.notes, each.counters.tokens)
    assert ([0], [5]) == (each.pending, each.emitted)


@given(read=st.integers(1, 5), tokens=st.lists(st.integers(0, 9), min_size=1, max_size=6), data=st.data())
def test_tokens_that_the_target_did_not_keep_are_pending(read: int, tokens: list[int], data: st.DataObject) -> None:
    prompt = list(range(10, 10 + read))
    each = Row(Diary(), list(prompt), remaining=99)
    kept = data.draw(st.integers(0, read + len(tokens) - 1))
    for token in tokens:
        each.commit(token)
    each.follow(Draft(ids(*tokens[:-1])), ids(*tokens), kept)
    assert [*prompt, *tokens][kept:] == each.pending
    assert kept == each.num_cached


def test_a_session_heeds_what_was_held_for_likely_where_the_tokens_were_chosen_that_come_next_and_no_others() -> None:
    each = row(Heeding(), 5)
    assert each.heeds
    assert not row(Diary(), 5).heeds
    each.likely = Likely(np.array([[1, 8], [2, 9]]), np.array([[0.6, 0.4], [0.9, 0.1]]))
    passed(each, [1], [1, 2])
    passed(each, [], [3])
    notes = [("observe", 1), ("heed", [[1, 8], [2, 9]]), ("extend", [1, 2]), ("observe", 0), ("extend", [3])]
    assert notes == each.session.notes  # type: ignore[attr-defined]
