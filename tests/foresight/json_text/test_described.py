"""A schema's suggestions are read from its default, its examples and its description."""

from typing import Any

import pytest

from ngramspec.foresight.json_text.descriptions import Descriptions, ShapeSuggestions, spellings, suggested


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("The unit, either 'metric' or 'imperial'", ("metric", "imperial")),
        ("The shape (square, rectangle, or circle)", ("square", "rectangle", "circle")),
        ("e.g. aws, azure, gcp,...", ("aws", "azure", "gcp")),
        ("Diet, such as vegan or gluten-free etc. More is said elsewhere", ("vegan", "gluten-free")),
        ("Options: `a` and `b`.", ("a", "b")),
        ("The city, e.g. San Francisco, CA", ("San Francisco, CA")),
        ("A name that it doesn't have", ()),
        ("Like many words that do not name any value", ()),
    ],
)
def test_what_a_description_names(description: str, expected: Any) -> None:
    assert ((expected,) if isinstance(expected, str) else expected) == suggested(
        {"description": description}, Descriptions()
    ).named


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Defaults to 5432", "5432"),
        ("(Default size - 24)", "24"),
        ("Default is 'New York'.", "New York"),
        ("the default: blue, or red", "blue"),
        ("Nothing", None),
    ],
)
def test_the_default_that_a_description_names(description: str, expected: str | None) -> None:
    assert expected == suggested({"description": description}, Descriptions()).default


def test_what_is_declared_comes_before_what_is_described() -> None:
    shape = {"default": 7, "examples": [1, [2]], "example": 3, "description": "Default is 5"}
    assert ShapeSuggestions(7, (1, 3)) == suggested(shape, Descriptions())


def test_what_is_no_default_example_or_description_suggests_nothing() -> None:
    shape: dict[str, Any] = {"default": {}, "examples": "no list", "example": None, "description": ["no text"]}
    assert ShapeSuggestions() == suggested(shape, Descriptions())


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("5", "string", ['"5"']),
        ("5", "integer", ["5"]),
        ("False", "boolean", ["false"]),
        ("five", "number", []),
        (5, "string", []),
        (True, "number", []),
        (True, "boolean", ["true"]),
        (0.5, "number", ["0.5"]),
    ],
)
def test_a_value_is_written_as_its_type_wants_it(value: Any, kind: str, expected: list[str]) -> None:
    assert expected == list(spellings(value, frozenset([kind])))
