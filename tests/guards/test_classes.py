r"""Classes in the patterns of JSON strings, especially those with or without what JSON escapes: `"` and `\`."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.guards import Guard
from tests.guards.vocabularies import BYTES

LETTERS = ['"', "\\", "a", "z", "-", "!", "#", "]", "^", "\0", "\x01", "\n", "\x1f", " ", "~"]


def accepted(pattern: str) -> set[str]:
    guard = Guard.json_schema({"type": "string", "pattern": pattern}, BYTES)
    return {letter for letter in LETTERS if guard.accepts(json.dumps(letter))}


@pytest.mark.parametrize(
    "members", ['[^"]', r"[^\\]", r'[^"\\]', r'[^"\n]', r"[\x00-!#-~]", r'[^\d"]', r"[\s\S]", r"\D", r"[^\x00-!]", "."]
)
def test_a_class_holds_its_letters_and_no_others(members: str) -> None:
    expected = {letter for letter in LETTERS if re.fullmatch(members, letter)}
    assert expected == accepted(f"^{members}$")


def test_a_text_between_quotes_ends_with_its_quote() -> None:
    guard = Guard.json_schema({"type": "string", "pattern": r'^"([^"\\]|\\.)*"$'}, BYTES)
    assert guard.accepts(json.dumps(r'"a\"b\\"'))
    assert not guard.accepts(json.dumps('"a"b"'))


def test_the_letter_of_code_0_is_one_like_others() -> None:
    assert {"\0", "\x01", "\n", "\x1f", " ", "!"} == accepted(r"^(\0|[\x01-!])$")
    assert {"\0"} == accepted(r"^\0$")


ATOMS = st.sampled_from([re.escape(letter) if letter in '\\]^-"' else letter for letter in LETTERS])
RANGES = (
    st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS))
    .map(sorted)
    .map(lambda ends: "-".join(f"\\x{ord(end):02x}" for end in ends))
)
SETS = st.sampled_from([r"\d", r"\D", r"\s", r"\S", r"\w", r"\W"])


@given(st.booleans(), st.lists(ATOMS | RANGES | SETS, min_size=1, max_size=4))
def test_any_class_holds_what_re_says(is_negated: bool, members: list[str]) -> None:
    pattern = f"[{'^' * is_negated}{''.join(members)}]"
    expected = {letter for letter in LETTERS if re.fullmatch(pattern, letter, re.ASCII)}
    if not expected - {"\0"}:
        return
    found = accepted(f"^{pattern}$")
    assert found <= expected
    assert expected - {"\0"} <= found
