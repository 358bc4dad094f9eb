"""Adaptive lookup drafts what its row and its segment repeat, says how sure it is, and keeps segments apart."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, AdaptiveLookupSession, Draft
from ngramspec.drafting.core import SEPARATOR
from tests.drafting.test_suffix_index import texts, tokens_of


def play(
    drafter: AdaptiveLookup,
    prompt: list[int],
    output: list[int],
    segment: str | None = None,
    max_tokens: int = 8,
    *,
    ends: bool = True,
) -> list[Draft]:
    """Decode `output` as a target would that chooses it; returns the drafts. ends: whether the row comes to its end."""
    session = drafter.open(segment)
    session.extend(tokens_of(prompt))
    drafts, position = [], 0
    while position < len(output):
        draft = session.propose(min(max_tokens, len(output) - position - 1))
        drafted = draft.tokens.tolist()
        num_accepted = 0
        while num_accepted < len(drafted) and drafted[num_accepted] == output[position + num_accepted]:
            num_accepted += 1
        session.observe(draft, num_accepted)
        session.extend(tokens_of(output[position : position + num_accepted + 1]))
        position += num_accepted + 1
        drafts.append(draft)
    if ends:
        session.close()
    return drafts


def first_draft(session: AdaptiveLookupSession, prompt: list[int], output: list[int], max_tokens: int) -> list[int]:
    session.extend(tokens_of(prompt))
    session.extend(tokens_of(output))
    drafted: list[int] = session.propose(max_tokens).tokens.tolist()
    return drafted


@given(rows=st.lists(st.tuples(texts(), texts(), st.sampled_from(["a", "b", None])), max_size=4))
@settings(max_examples=150, deadline=None)
def test_survival_is_a_probability_that_never_rises(rows: list[tuple[list[int], list[int], str | None]]) -> None:
    drafter = AdaptiveLookup()
    for prompt, output, segment in rows:
        for draft in play(drafter, prompt, output, segment):
            survival = draft.survival.tolist()
            assert len(survival) == draft.tokens.size
            assert sorted(survival, reverse=True) == survival
            assert all(0 <= probability <= 1 for probability in survival)


@given(rows=st.lists(st.tuples(texts(), texts()), max_size=3), max_tokens=st.integers(-1, 12))
@settings(max_examples=150, deadline=None)
def test_a_draft_holds_tokens_that_were_read_and_never_more_than_asked(
    rows: list[tuple[list[int], list[int]]], max_tokens: int
) -> None:
    drafter = AdaptiveLookup()
    read: set[int] = set()
    for prompt, output in rows:
        read |= {*prompt, *output}
        for draft in play(drafter, prompt, output, "a", max_tokens):
            assert draft.tokens.size <= max(0, max_tokens)
            assert {*draft.tokens.tolist()} <= read
            assert draft.tokens.dtype == np.int32


@given(text=texts(), output=texts(), min_survival=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_no_drafted_token_is_less_sure_than_asked(text: list[int], output: list[int], min_survival: float) -> None:
    drafter = AdaptiveLookup()
    play(drafter, text, output, "a")
    session = drafter.open("a")
    session.extend(tokens_of(text))
    survival = session.propose(12, min_survival).survival.tolist()
    assert all(each >= min_survival for each in survival)
    assert sorted(survival, reverse=True) == survival


def test_an_earlier_answer_of_the_segment_is_drafted() -> None:
    drafter = AdaptiveLookup()
    play(drafter, [1], [10, 11, 12, 13, 14], "invoices")
    assert [11, 12, 13, 14] == first_draft(drafter.open("invoices"), [2], [10], 8)


def test_an_answer_of_another_segment_or_of_none_is_not() -> None:
    drafter = AdaptiveLookup()
    play(drafter, [1], [10, 11, 12, 13, 14], "invoices")
    play(drafter, [1], [10, 11, 12, 13, 14])
    assert [] == first_draft(drafter.open("letters"), [2], [10], 8)
    assert [] == first_draft(drafter.open(), [2], [10], 8)


@given(secret=st.lists(st.integers(1000, 1020), min_size=1, max_size=40), text=texts(), output=texts())
@settings(deadline=None)
def test_text_of_one_segment_is_never_drafted_in_another(secret: list[int], text: list[int], output: list[int]) -> None:
    drafter = AdaptiveLookup()
    play(drafter, text, secret, "a")
    drafts = play(drafter, text, output, "b")
    assert not {*secret} & {token for draft in drafts for token in draft.tokens.tolist()}


def test_a_row_that_is_not_over_is_in_no_history() -> None:
    drafter = AdaptiveLookup()
    session = drafter.open("a")
    first_draft(session, [1], [10, 11, 12, 13], 4)
    assert [] == first_draft(drafter.open("a"), [2], [10], 8)


def test_a_copy_goes_on_after_a_token_that_differs() -> None:
    source = list(range(20, 60))
    session = AdaptiveLookup().open()
    session.extend(tokens_of(source))
    for token in [*source[:8], 99]:  # 99 stands for source[8]
        session.propose(1)
        session.extend(tokens_of([token]))
    assert source[9:13] == session.propose(4).tokens.tolist()


def test_the_answer_to_a_similar_prompt_is_drafted_from_its_second_token_on() -> None:
    drafter = AdaptiveLookup()
    question = list(range(100, 160))
    play(drafter, question, [1, 2, 3, 4, 5, 6], "a")
    play(drafter, list(range(200, 260)), [1, 7, 8, 9, 1, 7, 8, 9], "a")
    session = drafter.open("a")
    session.extend(tokens_of(question))
    assert [1, 2, 3] == session.propose(3).tokens.tolist()  # nothing of the answer is known yet


def test_the_separator_of_answers_is_never_drafted() -> None:
    drafter = AdaptiveLookup()
    for _ in range(3):
        play(drafter, [1], [10, 11], "a")
    assert SEPARATOR not in first_draft(drafter.open("a"), [1], [10], 40)


@pytest.mark.usefixtures("impatient_threads")
def test_copies_that_never_failed_are_believed_over_their_whole_length() -> None:
    drafter = AdaptiveLookup()
    for start in range(0, 20_000, 1000):
        text = list(range(start, start + 400))
        play(drafter, text, text, "copies", 48)
    _, within_the_copy, _ = play(drafter, text, text[:100], "copies", 48)
    assert 48 == within_the_copy.tokens.size
    assert within_the_copy.survival[31] > 0.9  # 0.997 for each token


def test_threads_may_share_a_drafter() -> None:
    drafter = AdaptiveLookup()
    rng = np.random.default_rng(0)
    outputs = [rng.integers(0, 6, 300).tolist() for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        drafts = list(pool.map(lambda output: play(drafter, [1, 2, 3], output, "a"), outputs))
    assert all(drafts)
    text = drafter._segments.open("a").history.index.text
    answers = [text[start : start + 300].tolist() for start in np.flatnonzero(text == SEPARATOR) + 1]
    assert sorted(outputs) == sorted(answers)  # each is there, and whole
