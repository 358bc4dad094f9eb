"""A schema may be a Python type: pydantic defines what it allows. Probable mistakes give a warning."""

import dataclasses
import json
import warnings
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ngramspec.errors import GuardError, GuardWarning
from ngramspec.guards import Guard
from tests.guards.vocabularies import BYTES

MAKES: Any = Guard


@dataclasses.dataclass
class Point:
    x: int
    __pydantic_config__ = ConfigDict(extra="forbid")


class Named(TypedDict):
    __pydantic_config__ = {"extra": "forbid"}  # type: ignore[misc]  # noqa: RUF012
    name: str


class Colour(Enum):
    RED = "red"


class Line(BaseModel, extra="forbid"):
    ends: list[Point]


def scaled(x: int, by: float = 1.0) -> float:
    """A function, whose arguments a call has."""
    return x * by


@pytest.mark.parametrize(
    ("kind", "fitting", "other"),
    [
        (int, 3, "3"),
        (list[int], [1, 2], [1, "2"]),
        (dict[str, bool], {"a": True}, {"a": 1}),
        (tuple[int, str], [1, "a"], [1]),
        (Literal["yes", "no"], "yes", "maybe"),
        (int | None, None, "a"),
        (Annotated[int, Field(ge=3)], 3, 2),
        (date, "2026-11-29", "2026-11-31"),
        (Colour, "red", "blue"),
        (Point, {"x": 1}, {"x": 1, "y": 2}),
        (Named, {"name": "a"}, {"name": 1}),
        (list[Point], [{"x": 1}], {"x": 1}),
        (Point | Named, {"name": "a"}, {"x": 1, "name": "a"}),
        (Line, {"ends": [{"x": 1}]}, {"ends": [1]}),
        (scaled, {"x": 1, "by": 2}, {"by": 2}),
        (Any, {"a": [1]}, None),
        (True, [1], None),
    ],
)
def test_a_type_allows_what_pydantic_says(kind: Any, fitting: Any, other: Any) -> None:
    guard = Guard.json_schema(kind, BYTES)
    assert guard.accepts(json.dumps(fitting))
    assert other is None or not guard.accepts(json.dumps(other))


class Uncallable(BaseModel):
    call: Any = Field(default=None)

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> Any:
        raise ValueError("no schema")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "a schema must be a dict, JSON text, or a type that pydantic accepts, got 5$"),
        (None, "or a type that pydantic accepts, got None$"),
        (Point(1), r"got Point\(x=1\): pass the class, Point$"),
        (Line(ends=[]), r"got Line\(ends=\[\]\): pass the class, Line$"),
        (["a", "b"], r"got \['a', 'b'\]: for one of several values write Literal"),
        ({"a": int}, "a schema must be JSON, .* instead of a dict of types, write a TypedDict"),
        ("schema.json", r"a schema as text must be JSON, got 'schema.json': .*: pass the content of the file"),
        (Uncallable, "a type must have a JSON schema, got .*Uncallable.*: pydantic says: no schema"),
        (object(), "or a type that pydantic accepts, got <object"),
    ],
)
def test_what_is_no_schema_is_named(schema: Any, message: str) -> None:
    with pytest.raises(GuardError, match=message):
        MAKES.json_schema(schema, BYTES)


def warned(schema: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        Guard.json_schema(schema, BYTES)
    assert all(each.category is GuardWarning and each.filename == __file__ for each in found)
    return [str(each.message) for each in found]


def test_open_classes_are_warned_of_once_each_by_name() -> None:
    class Item(BaseModel):
        name: str

    class Order(BaseModel):
        items: list[Item]

    @dataclasses.dataclass
    class Pair:
        a: int

    first = warned(Order)
    assert ["Order", "Item"] == [message.partition(", got ")[2].partition(",")[0] for message in first]
    assert 'write class Order(BaseModel, extra="forbid")' in first[0]
    assert [] == warned(Order)
    assert [] == warned(list[Item])
    assert ["Pair"] == [message.partition(", got ")[2].partition(",")[0] for message in warned(Pair)]


def test_a_class_that_says_what_becomes_of_other_keys_is_not_warned_of() -> None:
    class Open(BaseModel, extra="allow"):
        name: str

    assert [] == warned(Open) + warned(Line) + warned(Point) + warned(list[dict[str, int]])
    assert [] == warned({"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"propertes": {"a": {}}}, "'propertes' at the root, which has no effect there: did you mean 'properties'"),
        ({"propertys": {"a": {}}}, "did you mean 'properties'"),
        ({"type": "array", "items": {"tpye": "string"}}, "'tpye' at /items, .* did you mean 'type'"),
        ({"properties": {"a/b": {"enums": [1]}}}, "'enums' at /properties/a~1b, .* did you mean 'enum'"),
        ({"anyof": [{"type": "string"}]}, "did you mean 'anyOf'"),
        ({"type": "string", "max_length": 3}, "did you mean 'maxLength'"),
        ({"$defs": {"a": {"additonalProperties": False}}, "type": "object"}, "did you mean 'additionalProperties'"),
        ({"ref": "#/$defs/a", "$defs": {"a": {}}}, r"did you mean '\$ref'"),
        ({"type": "object", "require": ["a"]}, "did you mean 'required'"),
        ({"name": "string", "age": "integer"}, r"got only \['name', 'age'\], which have no effect, .*: write a schema"),
        ({"name": "f", "description": "", "schema": {"type": "object"}}, "got only .*, which have no effect"),
    ],
)
def test_a_slip_of_the_pen_in_a_schema_is_warned_of(schema: dict[str, Any], message: str) -> None:
    with pytest.warns(GuardWarning, match=message):
        Guard.json_schema(schema, BYTES)


@pytest.mark.parametrize(
    "notes",
    [
        {"title": "T", "description": "D", "$comment": "C", "examples": [1], "default": 1, "deprecated": True},
        {"discriminator": {"propertyName": "kind"}, "nullable": True, "xml": {}, "externalDocs": {}, "example": 1},
        {"x-propertes": 1, "x-order": 2, "_format": "a", "@type": "b"},
        {"enumNames": ["a"], "options": {}, "propertyOrder": 1, "errorMessage": "", "markdownDescription": ""},
        {"unit": "m", "label": "L", "widget": "w", "note": "n", "tsType": "T", "faker": "f", "value": 1},
    ],
)
def test_notes_of_others_are_not_warned_of(notes: dict[str, Any]) -> None:
    assert [] == warned({"type": "object", "properties": {"propertes": {"type": "string", **notes}}, **notes})
    assert [] == warned({}) + warned({"description": "anything"})


OF_B = {
    "llguidance": {"const": {"x": 1, "y": [1, 2]}},
    "xgrammar": {
        "type": "object",
        "properties": {"x": {"const": 1}, "y": {"type": "array", "items": {"type": "integer"}}},
        "required": ["x", "y"],
        "additionalProperties": False,
    },
}
SPACED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "array", "items": {"type": "integer"}},
        "b": {},
        "c": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["a", "b", "c"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("backend", ["llguidance", "xgrammar"])
@pytest.mark.parametrize("value", [{"a": [1, 2], "b": {"x": 1, "y": [1, 2]}, "c": {"k": "a, b:c", "l": ""}},
                                   {"a": [], "b": {"x": 1, "y": [1, 2]}, "c": {}}])  # fmt: skip
def test_spaced_is_what_json_dumps_writes_and_nothing_else(backend: Any, value: Any) -> None:
    schema = SPACED | {"properties": SPACED["properties"] | {"b": OF_B[backend]}}
    guards = {
        kind: Guard.json_schema(schema, BYTES, backend=backend, whitespace=kind) for kind in ("spaced", "compact")
    }
    spaced, compact = json.dumps(value), json.dumps(value, separators=(",", ":"))
    texts = [
        spaced,
        compact,
        json.dumps(value, indent=1),
        spaced.replace(", ", ",  ", 1),
        spaced + " ",
        "{ " + spaced[1:],
    ]
    assert [True, *[False] * 5] == [guards["spaced"].accepts(text) for text in texts]
    assert [False, True, *[False] * 4] == [guards["compact"].accepts(text) for text in texts]
