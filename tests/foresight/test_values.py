"""A value is looked for in the prompt: by its name, its type, its form."""

from typing import Any

import pytest

from ngramspec.foresight.cursor import read, start
from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.shapes import Shapes
from ngramspec.foresight.style import Style
from ngramspec.foresight.values import Values

STRING, NUMBER = {"type": "string"}, {"type": "number"}


def guess(prompt: str, name: str, schema: Any, before: str = "") -> Piece | None:
    shapes = Shapes({"type": "object", "properties": {name: schema}})
    place = read(start(shapes, Style()), f'{{{before}"{name}": ', shapes)
    return Values(prompt).guess(place, place.shapes)


@pytest.mark.parametrize(
    ("prompt", "name", "schema", "expected"),
    [
        ("Invoice number: 4711, from Paris", "invoice_number", NUMBER, ("4711", Evidence.KEYED)),
        ("the invoiceNumber is 4711", "invoice_number", NUMBER, ("4711", Evidence.KEYED)),
        ('{"unit": "metres", "x": 1}', "unit", STRING, ('"metres"', Evidence.KEYED)),
        ("I walked 1,200.5 metres", "distance", NUMBER, ("1200.5", Evidence.TYPED)),
        ("Please ask for 'a blue car'.", "colour", STRING, ('"a blue car"', Evidence.QUOTED)),
        ("Can you find a hotel in New York for me?", "city", STRING, ('"New York"', Evidence.CAPITAL)),
        ("in celsius please", "unit", {"enum": ["kelvin", "Celsius"]}, ('"Celsius"', Evidence.LISTED)),
        ("nothing", "unit", {"enum": ["kelvin", "celsius"], "default": "celsius"}, ('"celsius"', Evidence.DEFAULT)),
        ("nothing", "unit", {"const": 7}, ("7", Evidence.SURE)),
        ("from 2024-05-01 on", "day", {"type": "string", "format": "date"}, ('"2024-05-01"', Evidence.TYPED)),
        ("", "label", {"type": "string", "pattern": "^var[0-9]+$"}, ('"var1"', Evidence.COUNTED)),
        ("nothing of use", "city", STRING, None),
    ],
)
def test_where_the_name_its_words_or_a_value_of_the_type_stand(
    prompt: str, name: str, schema: Any, expected: tuple[str, Evidence] | None
) -> None:
    assert expected == guess(prompt, name, schema)


def test_what_was_said_is_not_said_again_and_what_was_numbered_is_numbered_on() -> None:
    assert ("7", Evidence.TYPED) == guess("5 plus 7", "b", NUMBER, '"a": 5, ')
    assert ('"var4"', Evidence.COUNTED) == guess("", "label", STRING, '"label": "var3", ')


@pytest.mark.parametrize(
    ("content", "evidence"),
    [("New York", Evidence.BOUNDARY), ("New", Evidence.BLANK), ("Ne", Evidence.UNKNOWN), ("Rome", Evidence.UNKNOWN)],
)
def test_a_value_ends_where_it_ends_in_the_prompt(content: str, evidence: Evidence) -> None:
    assert evidence == Values("to New York, please").end_of(content)
