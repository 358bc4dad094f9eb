"""Foreseen text is JSON that continues the text; names and listed values come from the schema."""

import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.foresight.evidence import Evidence
from ngramspec.foresight.json_text.cursor import read, start
from ngramspec.foresight.json_text.evidence import JsonEvidence
from ngramspec.foresight.json_text.prediction import ForeseenPieces
from ngramspec.foresight.json_text.shapes import ANY, Shapes
from ngramspec.foresight.json_text.state import At
from ngramspec.foresight.json_text.states import States
from ngramspec.foresight.json_text.style import COMPACT, Style
from ngramspec.foresight.json_text.values import Values
from ngramspec.testing import Constraint
from ngramspec.testing.strategies import json_schemas
from tests.foresight.json_text.test_cursor import SPACED

INVOICE = {
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}, "count": {"type": "integer"}},
                                             "required": ["sku", "count"], "additionalProperties": False}},
        "note": {"type": "string"},
        "currency": {"enum": ["EUR", "USD"]},
    },
    "required": ["number", "lines", "currency"],
    "additionalProperties": False,
}  # fmt: skip


def foreseen(text: str, schema: Any = INVOICE, prompt: str = "", most: int = 40) -> str:
    states, found = States(Shapes(schema)), ""
    for piece in ForeseenPieces(read(start(states, Style()), text, states), states, Values(prompt)):
        found += piece.text
        if len(found) >= most:
            break
    return found


@given(
    constraint=json_schemas(), spaced=st.sampled_from(SPACED), cut=st.integers(0, 120), prompt=st.text(max_size=40),
    shows_text=st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_any_text_of_any_schema_goes_on_as_foreseen_and_is_json_still(
    constraint: Constraint, spaced: dict[str, Any], cut: int, prompt: str, shows_text: bool
) -> None:
    text = json.dumps(json.loads(constraint.valid[0]), **spaced)
    states = States(Shapes(constraint.schema))
    cursor = read(start(states, Style()), text[:cut], states)
    values = Values(f"{prompt} {constraint.source} {constraint.valid[-1] if shows_text else ''}")
    for piece in islice(ForeseenPieces(cursor, states, values), 30):
        assert piece.text
        cursor = read(cursor, piece.text, states)
        assert cursor.at is not At.LOST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{"number": "'),
        ('{"number": "7", ', '"lines": [{"sku": "'),
        ('{"number": "7", "lines": [{"sku": "A", "co', 'unt": '),
        ('{"number": "7", "lines": [], "currency": "', 'EUR"}'),
        ('{"number": "7", "lines": [], "currency": "U', 'SD"}'),
        ('{"number":"7","li', 'nes":[{"sku":"'),
        ('{\n  "number": "7",', '\n  "lines": [\n    {\n      "sku": "'),
    ],
)
def test_names_punctuation_and_listed_values_are_foreseen_as_the_text_is_spaced(text: str, expected: str) -> None:
    assert expected == foreseen(text, most=len(expected))[: len(expected)]


PLAIN = st.one_of(st.text(max_size=12), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(),
                  st.none(), st.lists(st.integers(), max_size=2))  # fmt: skip
SAID = st.sampled_from(
    [
        "default",
        "e.g. ",
        "'a b'",
        "(one, two or 3)",
        "New York, NY",
        "YYYY-MM-DD",
        " HH",
        "May 5, 2023",
        "is ",
        ": ",
        "-1",
    ]
)


@given(
    kinds=st.lists(st.sampled_from(ANY), min_size=1, max_size=3, unique=True), default=PLAIN,
    examples=st.lists(PLAIN, max_size=3), described=st.lists(SAID | st.text(max_size=6)).map("".join), begun=st.text(),
    prompt=st.lists(SAID | st.text(max_size=6)).map("".join), is_begun=st.booleans(),
)  # fmt: skip
@example(kinds=["array"], default=None, examples=[], described="", begun="", prompt="00", is_begun=False)
@settings(deadline=None)
def test_whatever_a_schema_suggests_what_is_foreseen_is_json_still(
    kinds: list[str], default: Any, examples: list[Any], described: str, begun: str, prompt: str, is_begun: bool
) -> None:
    value = {"type": kinds, "default": default, "examples": examples, "description": described}
    schema = {"type": "object", "properties": {"value": value, "other": value}, "required": ["value", "other"]}
    states = States(Shapes(schema))
    text = f'{{"value": {json.dumps(begun, ensure_ascii=False)[:-1] if is_begun else ""}'
    cursor = read(start(states, Style()), text, states)
    for piece in islice(ForeseenPieces(cursor, states, Values(prompt)), 20):
        assert piece.text
        cursor = read(cursor, piece.text, states)
        assert cursor.at is not At.LOST


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [(["string", "null"], '"'), (["null", "object"], "{"), (["null", "array"], "["), (["number", "string"], "")],
)
def test_of_several_types_a_value_begins_as_the_first_that_is_not_null(kinds: list[str], expected: str) -> None:
    states = States(Shapes({"type": "object", "properties": {"value": {"type": kinds}}}))
    cursor = read(start(states, Style()), '{"value": ', states)
    first = next(iter(ForeseenPieces(cursor, states, Values(""))), None)
    assert (None if not expected else (expected, JsonEvidence.TYPE)) == first


def test_a_value_of_which_only_the_beginning_is_known_is_not_closed() -> None:
    schema = {"properties": {"city": {"type": "string", "description": "City and state, e.g. San Francisco, CA"}}}
    assert '"New York,' == foreseen('{"city": ', schema, "the weather in New York please")
    assert "" == foreseen('{"city": "New York,', schema, "the weather in New York please")


@pytest.mark.parametrize("number", ["-", "1.", "1e", "1e-"])
def test_a_number_does_not_end_before_it_is_one(number: str) -> None:
    assert "" == foreseen(f'{{"size": {number}', {"properties": {"size": {"type": "number"}}, "type": "object"})


def test_a_value_that_the_schema_fixes_and_a_name_that_must_come_are_sure() -> None:
    states = States(Shapes({"properties": {"name": {"const": "find"}, "arguments": {"type": "object"}},
                            "required": ["name", "arguments"], "type": "object"}))  # fmt: skip
    pieces = list(islice(ForeseenPieces(start(states, COMPACT), states, Values("")), 5))
    assert '{"name":"find","arguments":{' == "".join(piece.text for piece in pieces)[:28]
    assert {Evidence.SURE} == {piece.evidence for piece in pieces[:4]}


def test_a_schema_that_refers_to_itself_or_to_nothing_says_what_it_can() -> None:
    tree = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}, "other": {"$ref": "#/nowhere"}},
        "required": ["next"],
    }
    assert foreseen("", tree, most=25).startswith('{"next": {"next": {"next"')
    assert '"' == foreseen('{"next": {}, "other": ', tree)  # a text is likeliest
