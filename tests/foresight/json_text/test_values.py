"""A value is looked up in the prompt by its name, its type and its form."""

import json
from enum import IntEnum
from typing import Any

import pytest

from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.json_text.cursor import read, start
from ngramspec.foresight.json_text.evidence import JsonEvidence
from ngramspec.foresight.json_text.shapes import Shapes
from ngramspec.foresight.json_text.states import States
from ngramspec.foresight.json_text.style import Style
from ngramspec.foresight.json_text.values import Values

STRING, NUMBER = {"type": "string"}, {"type": "number"}


def described(description: str) -> dict[str, str]:
    return {"type": "string", "description": description}


def guess(prompt: str, name: str, schema: Any, before: str = "") -> Piece | None:
    states = States(Shapes({"type": "object", "properties": {name: schema}}))
    cursor = read(start(states, Style()), f'{{{before}"{name}": ', states)
    return Values(prompt).guess(cursor)


@pytest.mark.parametrize(
    ("prompt", "name", "schema", "expected"),
    [
        ("Invoice number: 4711, from Paris", "invoice_number", NUMBER, ("4711", Evidence.KEYED)),
        ("the invoiceNumber is 4711", "invoice_number", NUMBER, ("4711", Evidence.KEYED)),
        ('{"unit": "metres", "x": 1}', "unit", STRING, ('"metres"', Evidence.KEYED)),
        ("I walked 1,200.5 metres", "distance", NUMBER, ("1200.5", Evidence.TYPED)),
        ("for 7.5% of it", "share", NUMBER, ("0.075", Evidence.TYPED)),
        ("at a rate of 5 percent", "rate", NUMBER, ("0.05", Evidence.KEYED)),
        ("for 5% of it", "share", {"type": "integer"}, ("5", Evidence.TYPED)),
        ("Please ask for 'a blue car'.", "colour", STRING, ('"a blue car"', Evidence.QUOTED)),
        ("Can you find a hotel in New York for me?", "city", STRING, ('"New York"', Evidence.CAPITAL)),
        ("in celsius please", "unit", {"enum": ["kelvin", "Celsius"]}, ('"Celsius"', JsonEvidence.LISTED)),
        ("nothing", "unit", {"enum": ["kelvin", "celsius"], "default": "celsius"}, ('"celsius"', JsonEvidence.DEFAULT)),
        ("nothing", "unit", {"const": 7}, ("7", Evidence.SURE)),
        ("from 2024-05-01 on", "day", {"type": "string", "format": "date"}, ('"2024-05-01"', JsonEvidence.DATE)),
        ("on May 1st, 2024", "day", described("as YYYY-MM-DD"), ('"2024-05-01"', JsonEvidence.DATE)),
        ("on May 1st, 2024", "day", described("as YYYY-MM-DD HH:MM"), ('"2024-05-01', JsonEvidence.DATE)),
        ("on May 1st, 2024", "day", {"type": "string", "format": "date-time"}, ('"2024-05-01', JsonEvidence.DATE)),
        ("I am vegan.", "diet", described("such as vegan or gluten-free"), ('"vegan"', JsonEvidence.SUGGESTED)),
        ("I am a vegan.", "diet", {**STRING, "examples": ["any", "vegan"]}, ('"vegan"', JsonEvidence.SUGGESTED)),
        ("of veganism", "diet", {**STRING, "examples": ["any", "vegan"]}, ('"any"', JsonEvidence.EXAMPLE)),
        ("nothing", "diet", {**STRING, "default": "any", "example": "vegan"}, ('"any"', JsonEvidence.EXAMPLE)),
        ("nothing", "size", {**NUMBER, "description": "Size. Default is 52."}, ("52", JsonEvidence.EXAMPLE)),
        ("in Rome", "city", described("e.g. Boston, MA"), ('"Rome,', Evidence.CAPITAL)),
        ("in Rome, IT", "city", described("e.g. Boston, MA"), ('"Rome, IT"', Evidence.CAPITAL)),
        ("nothing", "is_new", {"type": "boolean", "default": False}, ("true", JsonEvidence.DEFAULT)),
        ("Please write some JSON.", "city", STRING, None),
        ("Write JSON for this schema.", "city", STRING, None),
        ("", "label", {"type": "string", "pattern": "^var[0-9]+$"}, ('"var1"', JsonEvidence.COUNTED)),
        ("nothing of use", "city", STRING, None),
    ],
)
def test_where_the_name_its_words_or_a_value_of_the_type_stand(
    prompt: str, name: str, schema: Any, expected: tuple[str, IntEnum] | None
) -> None:
    assert expected == guess(prompt, name, schema)


def test_values_are_not_repeated_and_numbered_ones_count_on() -> None:
    assert ("7", Evidence.TYPED) == guess("5 plus 7", "b", NUMBER, '"a": 5, ')
    assert ('"var4"', JsonEvidence.COUNTED) == guess("", "label", STRING, '"label": "var3", ')


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        ("New York", JsonEvidence.BOUNDARY),
        ("New", JsonEvidence.BLANK),
        ("Ne", JsonEvidence.UNKNOWN),
        ("Rome", JsonEvidence.UNKNOWN),
    ],
)
def test_a_value_ends_where_it_ends_in_the_prompt(content: str, evidence: JsonEvidence) -> None:
    assert evidence == Values("to New York, please").end_of(content)


def test_a_listed_value_that_was_said_gives_way_to_one_that_is_mentioned_as_well() -> None:
    schema = {"enum": ["add_numbers", "draw_circle", "draw_square"]}
    prompt = "Add these numbers, then draw a square, and a circle that is as large."
    assert ('"add_numbers"', JsonEvidence.LISTED) == guess(prompt, "name", schema)
    assert ('"draw_circle"', JsonEvidence.LISTED) == guess(prompt, "name", schema, '"name": "add_numbers", ')
    alone = "Add these numbers, and those."
    assert ('"add_numbers"', JsonEvidence.LISTED) == guess(alone, "name", schema, '"name": "add_numbers", ')


def test_what_was_begun_as_the_schema_suggests_goes_on_so() -> None:
    states = States(Shapes({"type": "object", "properties": {"unit": described("'metric' or 'imperial'")}}))
    cursor = read(start(states, Style()), '{"unit": "im', states)
    assert ('"imperial"', JsonEvidence.BEGUN) == Values("nothing").completion(cursor)


def test_a_year_that_was_written_is_that_of_a_date_without_one() -> None:
    states = States(Shapes({"type": "object", "properties": {"day": described("as YYYY-MM-DD")}}))
    values = Values("on the 3rd of April")
    cursor = read(start(states, Style()), '{"day": ', states)
    assert values.guess(cursor) is None
    assert ('"2031-04-03"', JsonEvidence.DATE) == values.completion(read(cursor, '"2031-', states))
    assert values.completion(read(cursor, '"some-', states)) is None


def test_half_of_a_pair_that_was_said_is_not_said_again() -> None:
    schema = described("e.g. Boston, MA")
    before = '"origin": "New York, NY", '
    assert ('"Rome,', Evidence.CAPITAL) == guess("from New York to Rome", "to_city", schema, before)


def test_the_schema_in_a_prompt_is_not_where_values_are_looked_for() -> None:
    schema = {"type": "object", "properties": {"type": {"type": "string"}, "size": {"type": "number", "minimum": 3}}}
    prompt = f"Say it as {json.dumps(schema)}, please."
    assert guess(prompt, "type", STRING) is None
    assert guess(prompt, "size", NUMBER) is None
