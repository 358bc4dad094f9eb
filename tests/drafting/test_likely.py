"""The model's likeliest tokens are noted by position, found when the same context comes again, and bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, AdaptiveLookupSession, Likely
from ngramspec.drafting.core.plain import SuffixIndex as PlainIndex
from ngramspec.drafting.core.plain.likely import (
    BITS,
    MOST_TOKEN,
    NOTHING,
    NUM_LIKELY,
    TENTHS,
    packed,
)
from ngramspec.drafting.core.plain.mixer import Mixer
from ngramspec.drafting.core.plain.successors import ORDERS, WALKED, Recycled, recycled
from ngramspec.drafting.types import TokenArray
from tests.drafting.test_successors import ends_of
from tests.drafting.test_suffix_index import tokens_of

SHORT = st.lists(st.integers(0, 3), max_size=30)


def noted(tokens: list[int]) -> TokenArray:
    """Of each position its own token, which was certain."""
    return packed(np.array(tokens, np.int64).reshape(-1, 1), np.ones((len(tokens), 1)))


@given(
    rows=st.lists(st.lists(st.integers(0, MOST_TOKEN + 2), min_size=6, max_size=6), max_size=5),
    chances=st.lists(st.floats(0, 1) | st.just(np.nan), min_size=6, max_size=6),
)
def test_any_likely_tokens_are_kept_with_their_tenths_up_to_the_first_that_cannot_be(
    rows: list[list[int]], chances: list[float]
) -> None:
    numbers = packed(np.array(rows, np.int64).reshape(-1, 6), np.array([chances] * len(rows)).reshape(-1, 6))
    assert (len(rows), NUM_LIKELY) == numbers.shape
    for tokens, kept in zip(rows, numbers.tolist(), strict=True):
        storable = [token <= MOST_TOKEN for token in tokens[:NUM_LIKELY]]
        count = storable.index(False) if False in storable else NUM_LIKELY
        assert tokens[:count] == [number >> BITS for number in kept[:count]]
        assert [NOTHING] * (NUM_LIKELY - count) == kept[count:]
        tenths = [0 if np.isnan(chance) else min(TENTHS - 1, int(chance * TENTHS)) for chance in chances[:count]]
        assert tenths == [number % (1 << BITS) for number in kept[:count]]


@given(pieces=st.lists(SHORT, max_size=5), starts=st.lists(st.integers(-2, 40), max_size=5))
def test_any_note_stays_at_its_position_as_the_text_grows(pieces: list[list[int]], starts: list[int]) -> None:
    index, expected = PlainIndex(), dict[int, int]()
    for piece, start in zip(pieces, starts, strict=False):
        index.extend(tokens_of(piece))
        index.note(start, noted(piece))
        expected |= {at: token << BITS | TENTHS - 1 for at, token in enumerate(piece, start) if 0 <= at < len(index)}
        found = {at: index.likely_after(at) for at in range(-1, len(index) + 1)}
        assert {at: (number,) for at, number in expected.items()} == {
            at: likely for at, likely in found.items() if likely
        }
        assert len(expected) == index.num_noted


@given(text=SHORT, tail=SHORT, own=st.integers(0, 30), known=st.sets(st.integers(0, 30)))
@settings(max_examples=300)
def test_what_the_model_said_is_that_of_the_latest_longest_context_of_which_it_is_known(
    text: list[int], tail: list[int], own: int, known: set[int]
) -> None:
    tail = [*text[:own], *tail]
    index = PlainIndex()
    index.extend(tokens_of(text))
    for at in known & {*range(len(text))}:
        index.note(at, np.full((1, NUM_LIKELY), at << BITS, np.int32))
    expected: Recycled | None = None
    for searched in (4, 2, 1):
        found: dict[int, int] = {}
        if len(tail) >= searched:
            for at in [at for at in ends_of(text, tail[-searched:])[:WALKED] if at in known]:
                longest = max(
                    number
                    for number, order in enumerate(ORDERS)
                    if order <= max(searched, len(tail)) and text[max(0, at + 1 - order) : at + 1] == tail[-order:]
                )
                found.setdefault(min(longest, {1: 0, 2: 1, 4: 3}[searched]), at)
        if found:
            order = max(found)
            expected = order, (found[order] << BITS,) * NUM_LIKELY
            break
    assert expected == recycled(index, tail)


def test_of_tokens_that_nobody_else_offers_the_likely_ones_come_last_and_are_learnt() -> None:
    mixer, guesses = Mixer(), tuple(noted([7, 8, 5])[:, 0].tolist())
    own = [{5: 2, 6: 1}]
    estimates = mixer.weigh(own, [], {}, 12, guesses=guesses)
    assert [5, 6, 7, 8] == [each.token for each in estimates]
    assert [5, 6, 7] == [each.token for each in mixer.weigh(own, [], {}, 3, guesses=guesses)]
    for _ in range(50):
        mixer.learn(mixer.weigh(own, [], {}, 12, guesses=guesses), 7)
    again = {each.token: each.chance for each in mixer.weigh(own, [], {}, 12, guesses=guesses)}
    assert again[7] > 0.8
    assert again[8] < 0.05


def heeding(
    drafter: AdaptiveLookup, segment: str | None, output: list[int], likely: list[int]
) -> AdaptiveLookupSession:
    """A row that emitted `output`, where the model held for likely, too, what `likely` says."""
    session = drafter.open(segment)
    session.extend(tokens_of([1]))
    tokens = np.array([output, likely], np.int64).T
    session.heed(Likely(tokens, np.array([[0.6, 0.4]] * len(output))))
    session.extend(tokens_of(output))
    return session


def offered(session: AdaptiveLookupSession, text: list[int]) -> set[int]:
    session.extend(tokens_of(text))
    return {*session.propose_tree(40, 0.01).tokens.tolist()}


def test_what_the_model_held_for_likely_is_drafted_where_the_context_comes_again() -> None:
    session = heeding(AdaptiveLookup(), None, [2, 3, 4, 5, 9], [12, 13, 14, 15, 19])
    assert {4, 14} <= offered(session, [2, 3])


TOKENS = st.lists(st.integers(2, 9), min_size=1, max_size=9)


@given(output=TOKENS, text=TOKENS, segments=st.tuples(*[st.sampled_from(["a", "b", None])] * 2), is_over=st.booleans())
@settings(deadline=None)
def test_what_the_model_held_for_likely_in_one_row_is_drafted_in_no_other(
    output: list[int], text: list[int], segments: tuple[str | None, str | None], is_over: bool
) -> None:
    drafter = AdaptiveLookup()
    theirs = heeding(drafter, segments[0], output, [token + 100 for token in output])
    if is_over:
        theirs.close()
    mine = heeding(drafter, segments[1], output, [token + 200 for token in output])
    assert not any(100 <= token < 200 for token in offered(mine, text))


def test_what_is_heeded_before_the_prompt_is_read_is_not_of_the_answer() -> None:
    session = AdaptiveLookup().open()
    session.heed(Likely(np.array([[7, 8]]), np.array([[0.6, 0.4]])))
    session.extend(tokens_of([1, 2, 3]))
    assert not {7, 8} & offered(session, [4])


def test_likely_tokens_for_another_number_of_tokens_are_refused() -> None:
    session = AdaptiveLookup().open()
    session.extend(tokens_of([1]))
    session.heed(Likely(np.array([[2]]), np.array([[1.0]])))
    with pytest.raises(ValueError, match=r"likely tokens must be int32\[2, 4\], got int32\[1, 4\]"):
        session.extend(tokens_of([2, 3]))
