"""Segments are separate, bounded together, shared by threads, given references, and dropped."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup
from ngramspec.drafting.core import SEPARATOR
from ngramspec.errors import HistoryError
from tests.drafting.test_adaptive_lookup import first_draft, play
from tests.drafting.test_suffix_index import texts, tokens_of

Row = tuple[str, list[int], list[int]]


def rows(*segments: str | None) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.tuples(st.sampled_from(segments), texts(), texts()), max_size=6)


def drafted(drafter: AdaptiveLookup, prompt: list[int], output: list[int], segment: str | None) -> list[list[int]]:
    return [draft.tokens.tolist() for draft in play(drafter, prompt, output, segment)]


@given(rows=rows("a", "b"), marks=st.sets(st.integers(0, 2), min_size=1), max_tokens=st.sampled_from([400, 1 << 20]))
@settings(max_examples=150, deadline=None)
def test_no_sequence_that_only_another_segment_holds_is_drafted(
    rows: list[Row], marks: set[int], max_tokens: int
) -> None:
    """Some words of "a" are its own; those that it shares with "b" lead to them."""
    drafter = AdaptiveLookup(max_tokens=max_tokens)
    drafter.refer("a", [tokens_of([0, 1, 2, 3, 4, 5, 1000])])
    for segment, prompt, output in rows:
        if segment == "a":
            play(drafter, prompt, [token + 1000 if token in marks else token for token in output], "a")
        else:
            found = {token for draft in drafted(drafter, prompt, output, "b") for token in draft}
            assert not found & {*range(1000, 1006)}


@given(theirs=st.lists(st.tuples(texts(), texts()), max_size=4), rows=rows("ours", None))
@settings(max_examples=150, deadline=None)
def test_drafts_are_the_same_whether_or_not_another_segment_holds_anything(
    theirs: list[tuple[list[int], list[int]]], rows: list[Row]
) -> None:
    keeping, empty = AdaptiveLookup(), AdaptiveLookup()
    for number, (prompt, output) in enumerate(theirs):  # each in a segment of its own, so that both learn the same
        play(keeping, prompt, output, str(number))
        play(empty, prompt, output, str(number), ends=False)
        keeping.refer(str(number), [tokens_of([number, 1, 2, 3])])
    assert 0 == sum(empty.segments.values())
    for segment, prompt, output in rows:
        assert drafted(empty, prompt, output, segment) == drafted(keeping, prompt, output, segment)


def test_no_history_is_kept_until_a_segment_is_named() -> None:
    drafter = AdaptiveLookup()
    for _ in range(3):
        play(drafter, [1], [10, 11, 12, 13])
    assert {} == drafter.segments
    assert 0 == drafter._segments.unnamed.history.size
    assert [] == first_draft(drafter.open(), [2], [10], 8)


@given(rows=rows("a", "b", "c", "d", "e"), max_tokens=st.integers(40, 200), max_segments=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_all_segments_together_stay_within_the_bounds(rows: list[Row], max_tokens: int, max_segments: int) -> None:
    drafter = AdaptiveLookup(max_tokens=max_tokens, max_segments=max_segments)
    for segment, prompt, output in rows:
        play(drafter, prompt, output, segment)
        kept = drafter._segments._kept.values()
        assert sum(segment.history.size for segment in kept) <= max_tokens
        assert len(kept) <= max_segments
        assert segment == [*drafter.segments][-1]


def test_the_least_recently_used_segment_lets_go_of_its_older_half_first() -> None:
    drafter = AdaptiveLookup(max_tokens=370)
    for segment in ("a", "b", "c", "d"):
        for first in (10, 20, 30, 40):
            play(drafter, [1], [*range(first, first + 10)] * 2, segment)
    drafter.open("a")
    before = drafter.segments
    play(drafter, [1], [*range(50, 90)], "e")
    after = drafter.segments
    assert 80 == before["b"]
    assert {"c": 80, "d": 80, "a": 80, "b": 40, "e": 40} == after
    assert [] == first_draft(drafter.open("b"), [2], [10], 3)
    assert [31, 32, 33] == first_draft(drafter.open("b"), [2], [30], 3)


def test_a_busy_segment_takes_a_quarter_at_most() -> None:
    drafter = AdaptiveLookup(max_tokens=400)
    play(drafter, [1], [*range(10, 40)], "quiet")
    for first in range(100, 1000, 10):
        play(drafter, [1], [*range(first, first + 10)], "busy")
    assert 30 == drafter.segments["quiet"]
    assert drafter.segments["busy"] <= 100


def test_a_segment_that_made_way_is_forgotten() -> None:
    drafter = AdaptiveLookup(max_segments=2)
    for segment in ("a", "b"):
        play(drafter, [1], [10, 11, 12, 13], segment)
    drafter.open("c")
    assert ["b", "c"] == [*drafter.segments]
    assert [] == first_draft(drafter.open("a"), [2], [10], 8)


def test_references_are_drafted_from_in_every_row_of_their_segment_and_in_no_other() -> None:
    drafter = AdaptiveLookup()
    drafter.refer("guide", [tokens_of([10, 11, 12, 13, 14]), tokens_of([20, 21, 22])])
    for _ in range(3):
        assert [11, 12, 13, 14] == first_draft(drafter.open("guide"), [2], [10], 8)
        assert [21, 22] == first_draft(drafter.open("guide"), [2], [20], 8)
    assert [] == first_draft(drafter.open("other"), [2], [10], 8)
    assert [] == first_draft(drafter.open(), [2], [10], 8)
    assert {"guide": 8, "other": 0} == drafter.segments


def test_a_row_that_copies_from_a_reference_accepts_whole_drafts() -> None:
    drafter = AdaptiveLookup()
    reference = np.random.default_rng(0).integers(0, 1000, 500).astype(np.int32)
    drafter.refer("a", [reference])
    drafts = play(drafter, [1], reference[100:271].tolist(), "a", 16)
    assert 11 * [16] == [draft.tokens.size for draft in drafts]  # the first one is wrong, 10 bring 17 tokens each


def test_a_row_that_is_open_keeps_what_it_began_with_when_references_come() -> None:
    drafter = AdaptiveLookup()
    question = [*range(100, 160)]
    play(drafter, question, [1, 2, 3, 4, 5, 6], "a")
    session = drafter.open("a")
    drafter.refer("a", [tokens_of([20, 21, 22])])
    assert [2, 3, 4] == first_draft(session, question, [1], 3)
    assert [2, 3, 4] == first_draft(drafter.open("a"), question, [1], 3)
    assert [21, 22] == first_draft(drafter.open("a"), [9], [20], 8)


def test_references_outlast_the_answers_that_push_each_other_out() -> None:
    drafter = AdaptiveLookup(max_tokens=400)
    drafter.refer("a", [tokens_of([10, 11, 12, 13, 14])])
    for first in range(100, 1000, 10):
        play(drafter, [1], [*range(first, first + 10)], "a")
        play(drafter, [1], [*range(first, first + 10)], "b")
    assert [11, 12, 13, 14] == first_draft(drafter.open("a"), [2], [10], 8)


def test_references_that_find_no_room_are_refused_and_the_earlier_ones_stay() -> None:
    drafter = AdaptiveLookup(max_tokens=100, max_segments=3)
    drafter.refer("a", [tokens_of([1] * 20)])
    with pytest.raises(HistoryError, match=r"at most half of max_tokens=100, 50 tokens, got 51: forget segments, or"):
        drafter.refer("a", [tokens_of([2] * 50)])
    with pytest.raises(HistoryError, match=r"50 tokens, got 62: "):
        drafter.refer("b", [tokens_of([2] * 40)])
    drafter.refer("b", [tokens_of([2] * 5)])
    with pytest.raises(HistoryError, match=r"fewer than max_segments=3 segments may have references, got 3: forget"):
        drafter.refer("c", [tokens_of([3])])
    assert {"a": 20, "b": 5} == drafter.segments
    for name in "cdefg":  # those without references make way
        drafter.open(name)
    assert ["a", "b", "g"] == sorted(drafter.segments)
    drafter.refer("a", [])
    drafter.refer("b", [tokens_of([2] * 5), tokens_of([])])
    drafter.refer("c", [tokens_of([3])])
    assert {"b": 5, "c": 1} == {name: size for name, size in drafter.segments.items() if size}


@pytest.mark.parametrize(
    ("references", "message"),
    [
        (tokens_of([1, 2]), r"must be a list of texts, each of them token ids int32\[n\], got .*1.*: put a single"),
        ([1, 2], r"must be a list of texts"),
        ([[0.5]], r"must be a list of texts"),
        ([[[1]]], r"must be a list of texts"),
        ([[1, -2]], r"token ids must be >= 0 and < 2147483647, got -2 in a reference"),
        ([[1 << 31]], r"token ids must be >= 0 and < 2147483647, got 2147483648 in a reference"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(references: Any, message: str) -> None:
    drafter = AdaptiveLookup()
    with pytest.raises((TypeError, ValueError), match=message):
        drafter.refer("a", references)
    assert {} == drafter.segments


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
@pytest.mark.parametrize("name", ["max_tokens", "max_segments"])
def test_bounds_are_whole_numbers(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1, got {value!r}"):
        AdaptiveLookup(**{name: value})


def test_a_segment_that_is_forgotten_is_drafted_from_no_more() -> None:
    drafter = AdaptiveLookup()
    play(drafter, [1], [10, 11, 12, 13], "a")
    drafter.refer("a", [tokens_of([20, 21, 22])])
    drafter.forget("a")
    drafter.forget("a")
    drafter.forget("never heard of")
    assert {} == drafter.segments
    assert [] == first_draft(drafter.open("a"), [2], [10], 8)
    assert [] == first_draft(drafter.open("a"), [2], [20], 8)


def test_a_row_whose_segment_is_forgotten_meanwhile_goes_on_and_is_not_kept() -> None:
    drafter = AdaptiveLookup()
    play(drafter, [1], [10, 11, 12, 13], "a")
    session = drafter.open("a")
    session.extend(tokens_of([2]))
    drafter.forget("a")
    drafter.open("a")
    session.extend(tokens_of([10]))
    assert [11, 12] == session.propose(2).tokens.tolist()
    session.close()
    assert {"a": 0} == drafter.segments


@pytest.mark.usefixtures("impatient_threads")
def test_answers_that_threads_keep_at_the_same_time_are_all_there_and_whole() -> None:
    segments = AdaptiveLookup()._segments
    segment = segments.open("a")

    def keep(number: int) -> None:
        for size in range(1, 60):
            segments.keep(segment, [number], tokens_of([number] * size))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(32)))
    text = segment.history.index.text
    starts = np.flatnonzero(text == SEPARATOR)
    answers = [part[1:].tolist() for part in np.split(text, starts[1:])]
    assert sorted([number] * size for number in range(32) for size in range(1, 60)) == sorted(answers)


@pytest.mark.usefixtures("impatient_threads")
def test_threads_may_open_extend_propose_close_refer_forget_and_save_all_at_once(tmp_path: Any) -> None:
    drafter = AdaptiveLookup(max_tokens=4000, max_segments=4)
    is_over = threading.Event()

    def write(number: int) -> set[int]:
        """Rows of two segments, of words that only these have: and of some that all have."""
        rng = np.random.default_rng(number)
        found: set[int] = set()
        for _ in range(40):
            segment = int(rng.integers(0, 6))
            words = np.concatenate((np.arange(5), segment * 100 + np.arange(100, 105)))
            prompt, output = rng.choice(words, 50).tolist(), rng.choice(words, int(rng.integers(1, 120))).tolist()
            for draft in drafted(drafter, prompt, output, str(segment)):
                found.update(segment - token // 100 + 1 for token in draft if token >= 100)
        return found

    def manage() -> int:
        rounds = 0
        while not is_over.is_set():
            drafter.refer("0", [np.arange(100, 105)] * (rounds % 3))
            drafter.forget(str(rounds % 6))
            drafter.save(tmp_path / "history", "words")
            assert sum(AdaptiveLookup.load(tmp_path / "history", "words").segments.values()) <= 4000
            assert len(drafter.segments) <= 4
            rounds += 1
        return rounds

    with ThreadPoolExecutor(7) as pool:
        manager = pool.submit(manage)
        writers = [pool.submit(write, number) for number in range(6)]
        try:
            assert {0} == set().union(*(writer.result() for writer in writers))
        finally:
            is_over.set()
        assert manager.result() > 0
    for name, segment in drafter._segments._kept.items():
        text = segment.history.index.text
        words = [SEPARATOR, *range(5), *range(int(name) * 100 + 100, int(name) * 100 + 105), *range(100, 105)]
        assert np.isin(text, words if name == "0" else words[:-5]).all()
        assert text.size == 0 or text[0] == SEPARATOR
