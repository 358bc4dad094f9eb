"""Foreseen tokens: pushed ones are rolled back, and text that is committed in pieces is one text."""

import json
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.foresight import CONTINUED, Evidence, Foresight, JsonText
from ngramspec.guards import Vocabulary
from tests.guards.vocabularies import BYTES, words

SCHEMA = json.dumps({"type": "object", "properties": {"städte": {"type": "array", "items": {"enum": ["Köln", "Rom"]}}},
                     "required": ["städte"], "additionalProperties": False}, ensure_ascii=False)  # fmt: skip
TEXT = '{"städte": ["Rom", "Köln"]}'.encode()
LARGE = words('{"', '":', '", "', "stä", "Kö", "ln", '"]}')
ALL = 1 << 40


def foresight(vocabulary: Vocabulary = BYTES, *, is_guarded: bool = True) -> Foresight:
    return Foresight(JsonText(SCHEMA, lambda: "Köln und Rom"), vocabulary, is_guarded=is_guarded)


def first(row: Foresight, drafted: Sequence[int] = (), num_guarded: int | None = ALL) -> int:
    """The token foreseen after the drafted ones; -1 if there is none."""
    run = row.run(drafted, num_guarded)
    return -1 if run is None else run.steps[0][0]


def spelled(row: Foresight, vocabulary: Vocabulary, most: int = 60) -> bytes:
    """All that is foreseen, one run after another."""
    drafted: list[int] = []
    while len(drafted) < most and (run := row.run(drafted, ALL)):
        position = 0
        while run.reaches(position):
            token, code = run.steps[position]
            assert 0 <= code % CONTINUED <= max(Evidence)
            drafted.append(token)
            position += 1
    row.rewind()
    return vocabulary.decode(drafted)


@given(st.lists(st.integers(0, 255), max_size=20), st.integers(0, len(TEXT)))
@settings(deadline=None)
def test_what_was_drafted_is_taken_back(drafted: list[int], cut: int) -> None:
    row = foresight()
    row.commit(list(TEXT[:cut]), ALL)
    before = first(row)
    for length in range(len(drafted)):
        first(row, drafted[:length])
    row.rewind()
    assert before == first(row)


@given(st.text('{}[]":, aöKöln', max_size=20).map(str.encode).map(list), st.integers(0, len(TEXT)))
@settings(deadline=None)
def test_what_was_drafted_is_read_as_if_it_were_committed(drafted: list[int], cut: int) -> None:
    row, other = foresight(), foresight()
    row.commit(list(TEXT[:cut]), ALL)
    first(row, drafted[: len(drafted) // 2])
    other.commit([*TEXT[:cut], *drafted], ALL)
    assert first(other) == first(row, drafted)


@given(st.lists(st.integers(0, len(TEXT)), max_size=8), st.booleans())
@settings(deadline=None)
def test_a_text_is_followed_however_it_is_cut_also_within_a_character(cuts: list[int], looks: bool) -> None:
    row = foresight()
    for begin, end in pairwise(sorted({0, len(TEXT), *cuts})):
        row.commit(list(TEXT[begin:end]), ALL)
        if looks:
            row.run([], ALL)
    assert row.is_whole([], ALL)
    assert row.run([], ALL) is None


def test_all_of_the_text_is_foreseen_in_tokens_of_the_vocabulary() -> None:
    for vocabulary in (BYTES, LARGE):
        assert spelled(foresight(vocabulary), vocabulary).startswith('{"städte": ["Rom"'.encode())


def test_where_the_text_is_free_nothing_is_foreseen_until_the_guard_begins() -> None:
    row = foresight(is_guarded=False)
    assert first(row, [], None) < 0
    row.commit(list(b"well: "), None)
    assert first(row, [], None) < 0
    assert first(row, [ord("<")], None) < 0
    assert ord('"') == first(row, list(b"<{"), 1)
    row.rewind()
    assert first(row, [], None) < 0
    row.commit(list(b'<{"'), 2)  # a marker of one character, and two that are guarded
    assert "städte".encode()[0] == first(row)
    row.commit(list(b">"), None)
    assert first(row, [], None) < 0


def test_text_that_was_committed_in_parts_is_guarded_from_its_marker_on() -> None:
    row = foresight(is_guarded=False)
    row.commit(list(b"so <"), None)
    row.commit(list(b"{"), 1)
    row.commit(list(b'"'), 2)
    assert "städte".encode()[0] == first(row)


def test_what_the_vocabulary_cannot_spell_is_not_foreseen() -> None:
    vocabulary = Vocabulary([b"{", b'"', b"s", b"</s>"], eos_tokens=[3])
    row = foresight(vocabulary)
    assert b'{"s' == spelled(row, vocabulary)
