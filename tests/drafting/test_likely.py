"""What the model held for likely is noted by position, found where the same context comes again, and bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.drafting import AdaptiveLookup, Likely
from ngramspec.drafting.core import SEPARATOR, SuffixIndex
from ngramspec.drafting.core.plain import SuffixIndex as PlainIndex
from ngramspec.drafting.core.plain.likely import (
    BITS,
    MOST_TOKEN,
    NOTHING,
    NUM_LIKELY,
    TENTHS,
    checked_likely,
    packed,
)
from ngramspec.drafting.core.plain.mixer import Mixer
from ngramspec.drafting.core.plain.successors import ORDERS, WALKED, Recycled, recycled
from ngramspec.drafting.history import History
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
    assert numbers.tolist() == checked_likely(numbers, len(rows)).tolist()
    for tokens, kept in zip(rows, numbers.tolist(), strict=True):
        storable = [token <= MOST_TOKEN for token in tokens[:NUM_LIKELY]]
        count = storable.index(False) if False in storable else NUM_LIKELY
        assert tokens[:count] == [number >> BITS for number in kept[:count]]
        assert [NOTHING] * (NUM_LIKELY - count) == kept[count:]
        tenths = [0 if np.isnan(chance) else min(TENTHS - 1, int(chance * TENTHS)) for chance in chances[:count]]
        assert tenths == [number % (1 << BITS) for number in kept[:count]]


@given(pieces=st.lists(SHORT, max_size=5), starts=st.lists(st.integers(-2, 40), max_size=5))
def test_any_note_stays_at_its_position_as_the_text_grows(pieces: list[list[int]], starts: list[int]) -> None:
    index, expected = SuffixIndex(), {}
    for piece, start in zip(pieces, starts, strict=False):
        index.extend(tokens_of(piece))
        index.note(start, noted(piece))
        expected |= {at: token for at, token in enumerate(piece, start) if 0 <= at < len(index)}
        found = index.likely(-1, len(index) + 1)[:, 0]
        assert {at: token << BITS | TENTHS - 1 for at, token in expected.items()} == {
            at: number for at, number in enumerate(found.tolist(), -1) if number != NOTHING
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
    weighed = mixer.weigh(own, [], {}, 12, guesses=guesses)
    assert [5, 6, 7, 8] == [each.token for each in weighed]
    assert [5, 6, 7] == [each.token for each in mixer.weigh(own, [], {}, 3, guesses=guesses)]
    for _ in range(50):
        mixer.learn(mixer.weigh(own, [], {}, 12, guesses=guesses), 7)
    again = {each.token: each.chance for each in mixer.weigh(own, [], {}, 12, guesses=guesses)}
    assert again[7] > 0.8
    assert again[8] < 0.05


@given(lengths=st.lists(st.integers(1, 30), max_size=40), max_tokens=st.integers(128, 300), reference=SHORT)
@settings(deadline=None)
def test_any_history_is_bounded_with_what_is_noted_and_keeps_notes_at_their_tokens(
    lengths: list[int], max_tokens: int, reference: list[int]
) -> None:
    history = History(max_tokens)
    for number, length in enumerate(lengths):
        answer = [*range(100 * number, 100 * number + length)]
        history.add([], tokens_of(answer), noted(answer))
        if number == 3:
            history.refer([tokens_of(reference)])
        text = history.index.text.tolist()
        assert history.size - history.num_reference_tokens <= max_tokens
        said = history.index.likely(0, len(text))[:, 0].tolist()
        start = history.num_reference_tokens
        assert [NOTHING] * start == said[:start]
        for at in range(start, len(text) - 1):
            following = text[at + 1]
            assert said[at] == (NOTHING if following == SEPARATOR else following << BITS | TENTHS - 1)
    assert history.likely().shape[0] in (0, len(history.index) - history.num_reference_tokens)


def heeding(drafter: AdaptiveLookup, segment: str | None, output: list[int], likely: list[int]) -> None:
    """A row that emits `output`, where the model held for likely, too, what `likely` says."""
    session = drafter.open(segment)
    session.extend(tokens_of([1]))
    tokens = np.array([output, likely], np.int64).T
    session.heed(Likely(tokens, np.array([[0.6, 0.4]] * len(output))))
    session.extend(tokens_of(output))
    session.close()


def offered(drafter: AdaptiveLookup, segment: str | None, text: list[int]) -> set[int]:
    session = drafter.open(segment)
    session.extend(tokens_of([99]))
    session.extend(tokens_of(text))
    return {*session.propose_tree(40, 0.01).tokens.tolist()}


def test_what_the_model_held_for_likely_in_an_earlier_answer_is_drafted() -> None:
    drafter = AdaptiveLookup()
    heeding(drafter, "a", [2, 3, 4, 5], [12, 13, 14, 15])
    assert {4, 14} <= offered(drafter, "a", [2, 3])


TOKENS = st.lists(st.integers(2, 9), min_size=1, max_size=9)


@given(output=TOKENS, text=TOKENS, is_named=st.booleans())
@settings(deadline=None)
def test_recycled_tokens_of_two_segments_never_meet(output: list[int], text: list[int], is_named: bool) -> None:
    drafter = AdaptiveLookup()
    heeding(drafter, "theirs", output, [token + 100 for token in output])
    heeding(drafter, None, output, [token + 100 for token in output])
    mine = "mine" if is_named else None
    heeding(drafter, mine, output, [token + 200 for token in output])
    assert not any(100 <= token < 200 for token in offered(drafter, mine, text))
    drafter.forget("theirs")
    assert not any(token >= 100 for token in offered(drafter, "theirs", text))


def test_what_is_heeded_before_the_prompt_is_read_is_not_of_the_answer() -> None:
    drafter = AdaptiveLookup()
    session = drafter.open("a")
    session.heed(Likely(np.array([[7, 8]]), np.array([[0.6, 0.4]])))
    session.extend(tokens_of([1, 2, 3]))
    session.extend(tokens_of([4, 5]))
    session.close()
    assert drafter._segments.open("a").history.index.num_noted == 0


def test_likely_tokens_for_another_number_of_tokens_are_refused() -> None:
    session = AdaptiveLookup().open()
    session.extend(tokens_of([1]))
    session.heed(Likely(np.array([[2]]), np.array([[1.0]])))
    with pytest.raises(ValueError, match=r"likely tokens must be int32\[2, 4\], got int32\[1, 4\]"):
        session.extend(tokens_of([2, 3]))
