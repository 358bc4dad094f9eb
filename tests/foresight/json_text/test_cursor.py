"""A cursor reads JSON, however it is split and spaced, and gives its position."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight.json_text.cursor import read, start
from ngramspec.foresight.json_text.shapes import Shapes
from ngramspec.foresight.json_text.state import At
from ngramspec.foresight.json_text.states import States
from ngramspec.foresight.json_text.style import COMPACT, Style

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.floats(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
SPACED: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"indent": 4, "ensure_ascii": False},
    {"separators": (", ", " :")},
]


def leaves(value: Any, name: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """The strings and scalars of a value, in order, with the names that they stand under."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, value


@given(value=VALUES, spaced=st.sampled_from(SPACED), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_text_is_read_to_its_end_however_it_is_cut(value: Any, spaced: dict[str, Any], cuts: list[int]) -> None:
    any_json = States(Shapes(True))
    text = json.dumps([value], **spaced)
    at_once = cursor = read(start(any_json, Style()), text, any_json)
    assert (None, At.AFTER) == (at_once.scope, at_once.at)
    cursor = start(any_json, Style())
    for begin, end in pairwise(sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})):
        cursor = read(cursor, text[begin:end], any_json)
    assert at_once == cursor


@given(value=VALUES, spaced=st.sampled_from(SPACED))
def test_the_cursor_knows_the_values_so_far_and_their_names(value: Any, spaced: dict[str, Any]) -> None:
    any_json = States(Shapes(True))
    cursor = read(start(any_json, Style()), json.dumps([value], **spaced), any_json)
    said = [(entry.name, json.loads(entry.text, strict=False)) for entry in cursor.written_values]
    assert list(leaves([value]))[-64:] == said


@given(value=VALUES, spaced=st.sampled_from(SPACED), cut=st.integers(0, 200))
def test_the_cursor_knows_the_open_brackets(value: Any, spaced: dict[str, Any], cut: int) -> None:
    any_json = States(Shapes(True))
    text = json.dumps([value], **spaced)[:cut]
    brackets = [character for character in _outside_strings(text) if character in "[]{}"]
    expected = sum(1 if character in "[{" else -1 for character in brackets)
    cursor = read(start(any_json, Style()), text, any_json)
    assert expected == cursor.state.depth
    assert cursor.at is not At.LOST


def _outside_strings(text: str) -> Iterator[str]:
    within = escaped = False
    for character in text:
        if within:
            within = escaped or character != '"'
            escaped = character == "\\" and not escaped
        else:
            within = character == '"'
            yield character


@pytest.mark.parametrize(
    ("spaced", "style"),
    [
        ({"separators": (",", ":")}, COMPACT),
        ({}, Style(" ", " ", "")),
        ({"indent": 3}, Style(" ", None, None, "   ")),
    ],
)
def test_the_style_is_learnt_from_the_text(spaced: dict[str, Any], style: Style) -> None:
    any_json = States(Shapes(True))
    text = json.dumps({"a": [1, 2], "b": {"c": 3}}, **spaced)
    assert style == read(start(any_json, Style()), text, any_json).state.style


@pytest.mark.parametrize("text", ["]", "[}", "[1 2", '{"a" 1', "{1", "[tru e]", "[1]]", "x"])
def test_text_that_is_not_json_stays_lost(text: str) -> None:
    any_json = States(Shapes(True))
    cursor = read(start(any_json, Style()), text, any_json)
    assert At.LOST is cursor.at
    assert cursor == read(cursor, "[1]", any_json)


SCHEMA = {
    "$defs": {"size": {"enum": ["small", "large"]}},
    "anyOf": [
        {"properties": {"kind": {"const": "shirt"}, "size": {"$ref": "#/$defs/size"}}, "type": "object"},
        {"properties": {"kind": {"const": "book"}, "pages": {"type": "integer"}}, "type": "object"},
    ],
}


def test_of_several_shapes_those_are_left_that_may_have_the_values_that_came() -> None:
    states = States(Shapes(SCHEMA))
    cursor = read(start(states, Style()), '{"kind": "', states)
    assert ["shirt", "book"] == [shape["const"] for shape in cursor.shapes]
    cursor = read(cursor, 'book", ', states)
    assert cursor.scope is not None
    assert [["kind", "pages"]] == [list(shape["properties"]) for shape in cursor.scope.shapes]
    assert ({"type": "integer"},) == read(cursor, '"pages": ', states).shapes
