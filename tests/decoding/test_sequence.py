"""A row moves on by its target's verdicts, and by nothing else."""

from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import Sequence, Verdict, num_agreeing
from ngramspec.drafting import NO_DRAFT, Draft, TokenArray

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


def row(diary: Diary, remaining: int) -> Sequence:
    return Sequence(diary, pending=ids(7), remaining=remaining)


@given(draft=token_lists, chosen=token_lists)
def test_the_agreeing_tokens_are_the_common_head(draft: list[int], chosen: list[int]) -> None:
    agreeing = takewhile(lambda pair: pair[0] == pair[1], zip(draft, chosen, strict=False))
    assert len(list(agreeing)) == num_agreeing(ids(*draft), ids(*chosen))


@given(draft=token_lists, max_tokens=st.integers(0, 12), remaining=st.integers(1, 12))
def test_any_draft_leaves_room_for_the_targets_own_token(draft: list[int], max_tokens: int, remaining: int) -> None:
    diary = Diary(draft)
    proposed = row(diary, remaining).propose(max_tokens)
    room = min(max_tokens, remaining - 1)
    assert [("propose", room)] == diary.notes
    assert draft[:room] == proposed.tokens.tolist()


def test_the_drafter_hears_of_acceptance_before_it_sees_the_tokens() -> None:
    diary = Diary()
    row(diary, 10).commit(Draft(ids(1, 2, 3)), Verdict(ids(1, 2, 9), finished=False))
    assert [("observe", 2), ("extend", [1, 2, 9])] == diary.notes


def test_a_verdict_moves_the_row_on_by_its_tokens() -> None:
    sequence = row(Diary(), 10)
    sequence.commit(Draft(ids(1, 2, 3)), Verdict(ids(1, 2, 9), finished=False))
    assert ([9], 7, False) == (sequence.pending.tolist(), sequence.remaining, sequence.finished)
    counters = sequence.counters
    assert (3, 1, 1) == (counters.tokens, counters.target_passes, counters.num_drafts)
    assert (3, 2, [1, 1]) == (
        counters.num_draft_tokens,
        counters.num_accepted_tokens,
        counters.num_accepted_tokens_per_pos,
    )


@pytest.mark.parametrize(
    ("remaining", "verdict"),
    [(10, Verdict(ids(1), finished=True)), (1, Verdict(ids(1), finished=False))],
    ids=["the target ended it", "no token may follow"],
)
def test_a_row_ends_with_the_target_or_the_limit(remaining: int, verdict: Verdict) -> None:
    sequence = row(Diary(), remaining)
    sequence.commit(Draft(NO_DRAFT), verdict)
    assert sequence.finished


def test_a_row_may_end_inside_its_draft() -> None:
    sequence = row(Diary(), 10)
    sequence.commit(Draft(ids(1, 2, 3)), Verdict(ids(1, 2), finished=True))
    assert (2, 2) == (sequence.counters.tokens, sequence.counters.num_accepted_tokens)


def test_a_verdict_with_tokens_behind_the_targets_own_is_refused_and_moves_nothing() -> None:
    diary = Diary()
    sequence = row(diary, 10)
    with pytest.raises(ValueError, match=r"at most one token behind the accepted ones, got \[1, 9, 3\]"):
        sequence.commit(Draft(ids(1, 2, 3)), Verdict(ids(1, 9, 3), finished=False))
    assert ([], 10) == (diary.notes, sequence.remaining)


def test_an_empty_verdict_is_refused_for_it_would_go_on_for_ever() -> None:
    diary = Diary()
    sequence = row(diary, 10)
    with pytest.raises(ValueError, match=r"at least one token, got none for the draft \[1, 2\]"):
        sequence.commit(Draft(ids(1, 2)), Verdict(NO_DRAFT, finished=False))
    assert ([], 10) == (diary.notes, sequence.remaining)
