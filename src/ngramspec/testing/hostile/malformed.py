"""Malformed schemas: real ones with invalid parts, as JSON text."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from ngramspec.guards.schemas.keyword_rules import ANY_DRAFT, SHAPES

KEYWORDS = sorted({keyword for shapes in SHAPES.values() for keyword in shapes} | {"const", "default", "x-own", ""})
URIS = (
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)


class Raw(str):
    """A piece of JSON text, valid or not, that is written unchanged."""


ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2.0, 0.5, 1e300, 2**53 + 1, 2**64, -(2**63), "", "a", "#", "integer", [], [[]], {},
    [None], [True, 1, 1.0], ["a", "a"], ["a", 1], {"a": 1}, {"a": []}, {"": {}}, {"a": ["b", "b"]}, {"a": None},
    "(", "[", "*", "a{2,1}", "\\", "(?", "\\u{110000}", "\\ud800", "(?<n>a)\\k<n>", "[b-a]", "x" * 300, "\x00\x1b[31m",
    "\u202e\u2028", "😀", ".*" * 50, "((a{1,9}){1,9}){1,9}", Raw("NaN"), Raw("-Infinity"), Raw("1" * 500),
    Raw("1e999999999"), Raw("-0.0"), Raw("1E-400"), Raw('"\\ud800"'), Raw('{"a":1,"a":2}'), Raw("[" * 60 + "]" * 60),
    Raw("[" * 2000), Raw('{"not":' * 90 + "{}" + "}" * 90), Raw('{"items":' * 150 + "{}" + "}" * 150), Raw("01"),
)  # fmt: skip
"""Values to insert where something else is expected."""

REFERENCES = (
    "#", "#/", "#/$defs/a", "#/definitions/a", "#a", "#/nowhere", "#/properties/a/type", "#/enum/0", "#/minimum/x",
    "#/allOf/0", "#/allOf/01", "#/allOf/-1", "#/~2", "#/%", "##", "a.json", "http://[", "http://a/b#c", "urn:a:b", "",
    "\x00", "https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#", "#/$ref",
    "#/items/items/items/items", "//", ":", "#" + "/items" * 300, "?", "#/properties/" + "x" * 400,
)  # fmt: skip

SEEDS: tuple[dict[str, Any], ...] = (
    {
        "$defs": {
            "a": {"type": "string", "pattern": "^[a-c]+$", "minLength": 1, "maxLength": 4}, "b": {"$ref": "#/$defs/a"},
        },
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"enum": [1, "x", None]}, "c": {"const": [1]}},
        "required": ["a"], "additionalProperties": False, "patternProperties": {"^x": {"type": "integer"}},
        "minProperties": 1, "maxProperties": 3, "propertyNames": {"maxLength": 5},
    },
    {
        "type": ["array", "null"], "minItems": 1,
        "prefixItems": [{"type": "number", "minimum": 0, "exclusiveMaximum": 5}],
        "items": {"oneOf": [{"type": "string", "format": "date"}, {"type": "integer", "multipleOf": 5}]},
        "uniqueItems": True, "contains": {"const": 1}, "minContains": 1, "maxContains": 2, "maxItems": 9,
        "unevaluatedItems": False,
    },
    {
        "$schema": URIS[2], "definitions": {"n": {"properties": {"next": {"$ref": "#/definitions/n"}}}},
        "items": [{"$ref": "#/definitions/n"}, {"not": {"type": "null"}}], "additionalItems": {"type": "string"},
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}}, "if": {"required": ["a"]}, "then": {"minProperties": 2},
        "else": {"maxProperties": 1},
    },
    {
        "$schema": URIS[0], "id": "http://example.com/root",
        "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}},
        "additionalProperties": {"type": "string"}, "allOf": [{"required": ["a"]}, {"$ref": "#/properties/a"}],
    },
    {
        "$schema": URIS[4], "$id": "http://example.com/x", "$anchor": "top", "$dynamicAnchor": "node",
        "anyOf": [{"$dynamicRef": "#node"}, {"$id": "y", "$anchor": "z"}, {"$ref": "y#z"}],
        "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"minProperties": 2}},
        "unevaluatedProperties": False,
        "oneOf": [{"required": ["k"], "properties": {"k": {"const": "v"}}}, {"type": "null"}],
    },
)  # fmt: skip
"""Schemas that together use every keyword of every draft."""

Path = tuple[str | int, ...]


def malformed(chance: Random, schemas: tuple[Any, ...] = SEEDS) -> str:
    """One of `schemas`, as JSON text, with one to four things changed in it."""
    value = json.loads(json.dumps(chance.choice(schemas)))
    for _ in range(chance.choice((1, 1, 2, 3, 4))):
        value = _changed(value, chance)
    text = written(value)
    return text if chance.randrange(12) else _spoilt(text, chance)


def written(value: Any) -> str:
    """`value` as JSON text, with each `Raw` unchanged."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def _changed(value: Any, chance: Random) -> Any:
    paths = list(_paths(value))
    change: Callable[[Any, Random, list[tuple[Path, Any]]], Any] = chance.choice(_CHANGES)
    objects = [(path, found) for path, found in paths if isinstance(found, dict)]
    path, found = chance.choice(objects if objects and change in _OF_OBJECTS else paths)
    return _put(value, path, change(found, chance, paths))


def _paths(value: Any, path: Path = ()) -> Any:
    yield path, value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in steps:
        yield from _paths(child, (*path, step))


def _put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy


def _odd(_found: Any, chance: Random, _paths: Any) -> Any:
    return chance.choice(ODD)


def _elsewhere(_found: Any, chance: Random, paths: list[tuple[Path, Any]]) -> Any:
    return chance.choice(paths)[1]


def _with_keyword(found: Any, chance: Random, paths: list[tuple[Path, Any]]) -> Any:
    if not isinstance(found, dict):
        return _odd(found, chance, paths)
    keyword = chance.choice(KEYWORDS)
    value = chance.choice((*ODD, *(each for _, each in paths)))
    if keyword in ("$ref", "$id", "id", "$dynamicRef", "$recursiveRef", "$anchor") and chance.randrange(4):
        value = chance.choice(REFERENCES)
    if keyword == "$schema" and chance.randrange(4):
        value = chance.choice(URIS)
    items = [*found.items()]
    items.insert(chance.randint(0, len(items)), (keyword, value))
    return dict(items)


def _with_fitting_keyword(found: Any, chance: Random, paths: list[tuple[Path, Any]]) -> Any:
    """A keyword whose value has the right shape but may be odd; its content may be wrong."""
    if not isinstance(found, dict):
        return _elsewhere(found, chance, paths)
    keyword = chance.choice(sorted(ANY_DRAFT))
    values = [*ODD, *REFERENCES, *(each for _, each in paths)]
    fitting = [value for value in values if not isinstance(value, Raw) and ANY_DRAFT[keyword].fits(value)]
    if "ef" in keyword and keyword.startswith("$"):
        fitting = list(REFERENCES)
    return {**found, keyword: chance.choice(fitting)} if fitting else found


def _renamed(found: Any, chance: Random, paths: list[tuple[Path, Any]]) -> Any:
    if not isinstance(found, dict) or not found:
        return _odd(found, chance, paths)
    old, new = chance.choice([*found]), chance.choice((*KEYWORDS, "\ud800", "a\x1bb", "x" * 600, "__proto__"))
    return {new if key == old else key: child for key, child in found.items()}


def _wrapped(found: Any, chance: Random, _paths: Any) -> Any:
    keyword = chance.choice(KEYWORDS)
    return {keyword: chance.choice((found, [found], {"a": found}, [found, found]))}


def _repeated(found: Any, chance: Random, _paths: Any) -> Any:
    if isinstance(found, list):
        return found * chance.choice((2, 40))
    if isinstance(found, dict) and found:
        count = chance.choice((1, 20))
        return found | {f"{key}{number}": child for key, child in found.items() for number in range(count)}
    return [found] * 30


_CHANGES = (
    _odd, _with_keyword, _with_keyword, _elsewhere, _renamed, _wrapped, _repeated, *[_with_fitting_keyword] * 6,
)  # fmt: skip
_OF_OBJECTS = (_with_keyword, _with_fitting_keyword, _renamed)


def _spoilt(text: str, chance: Random) -> str:
    """JSON text with a piece of it left out, doubled, or replaced."""
    start = chance.randrange(len(text))
    end = min(len(text), start + chance.choice((1, 1, 3, 30)))
    piece = chance.choice(("", text[start:end] * 2, "\\", '"', ",", "\x00", "\ud800", "}", "[", "1e999", "﻿"))
    return text[:start] + piece + text[end:]
