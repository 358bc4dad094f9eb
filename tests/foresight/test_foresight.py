"""Tokens that are foreseen: whatever was pushed is taken back, and text that is committed in pieces is one text."""

import json
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


def spelled(row: Foresight, vocabulary: Vocabulary, most: int = 60) -> bytes:
    """All that is foreseen, token by token."""
    found = b""
    while len(found) < most and (step := row.foreseen()):
        assert 0 <= step[1] % CONTINUED <= max(Evidence)
        found += vocabulary.tokens[step[0]]
        row.push(step[0], ALL)
    row.rewind()
    return found


@given(st.lists(st.integers(0, 255), max_size=20), st.integers(0, len(TEXT)))
@settings(deadline=None)
def test_any_pushes_are_taken_back(pushed: list[int], cut: int) -> None:
    row = foresight()
    row.commit(list(TEXT[:cut]), ALL)
    before = row.foreseen()
    for token in pushed:
        row.push(token, ALL)
        row.foreseen()
    row.rewind()
    assert before == row.foreseen()


@given(st.lists(st.integers(0, len(TEXT)), max_size=8), st.booleans())
@settings(deadline=None)
def test_a_text_is_followed_however_it_is_cut_also_within_a_character(cuts: list[int], looks: bool) -> None:
    row = foresight()
    for begin, end in pairwise(sorted({0, len(TEXT), *cuts})):
        row.commit(list(TEXT[begin:end]), ALL)
        if looks:
            row.foreseen()
    assert row.is_whole
    assert row.foreseen() is None


def test_all_of_the_text_is_foreseen_in_tokens_of_the_vocabulary() -> None:
    for vocabulary in (BYTES, LARGE):
        assert spelled(foresight(vocabulary), vocabulary).startswith('{"städte": ["Rom"'.encode())


def test_where_the_text_is_free_nothing_is_foreseen_until_the_guard_begins() -> None:
    row = foresight(is_guarded=False)
    assert row.foreseen() is None
    row.commit(list(b"well: "), None)
    assert row.foreseen() is None
    row.push(ord("<"), None)
    row.push(ord("{"), 1)
    assert ord('"') == (row.foreseen() or (-1, -1))[0]
    row.rewind()
    assert row.foreseen() is None
    row.commit(list(b'<{"'), 2)  # a marker of one character, and two that are guarded
    assert "städte".encode()[0] == (row.foreseen() or (-1, -1))[0]
    row.commit(list(b">"), None)
    assert row.foreseen() is None


def test_what_the_vocabulary_cannot_spell_is_not_foreseen() -> None:
    vocabulary = Vocabulary([b"{", b'"', b"s", b"</s>"], eos_tokens=[3])
    row = foresight(vocabulary)
    assert b'{"s' == spelled(row, vocabulary)
