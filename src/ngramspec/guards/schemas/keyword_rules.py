"""The allowed values of each keyword: the metaschemas of JSON Schema as tables, one row per keyword.

https://json-schema.org/specification, drafts 4, 6, 7, 2019-09 and 2020-12. The metaschemas themselves, read by
`jsonschema`, would take quadratic time for hostile lists, and recursion for deep ones; tests compare the two.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from ngramspec.guards.schemas.values import key_of

Inside = Iterator[tuple[tuple[str | int, ...], Any]]
"""The schemas inside a value, each with the steps to it."""

TYPES = ("null", "boolean", "object", "array", "number", "string", "integer")


class KeywordRule(NamedTuple):
    """words: the rule, for messages. fits: whether a value obeys it. inside: the schemas inside a fitting value."""

    words: str
    fits: Callable[[Any], bool]
    inside: Callable[[Any], Inside] = lambda value: iter(())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    return _is_name_of_type(value) or (_are_names(value) and bool(value) and all(map(_is_name_of_type, value)))


def _is_name_of_type(value: Any) -> bool:
    return isinstance(value, str) and value in TYPES


def _differ(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and len(set(map(key_of, value))) == len(value)


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.search(value) is not None


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _itself(value: Any) -> Inside:
    yield (), value


def _each(value: Any) -> Inside:
    yield from (((index,), child) for index, child in enumerate(value))


def _named(value: Any) -> Inside:
    yield from (((name,), child) for name, child in value.items())


def _one_or_each(value: Any) -> Inside:
    return _each(value) if isinstance(value, list) else _itself(value)


def _unless_bool(value: Any) -> Inside:
    return iter(()) if isinstance(value, bool) else _itself(value)


def _dependent(value: Any) -> Inside:
    yield from (((name,), child) for name, child in value.items() if not isinstance(child, list))


SCHEMA = KeywordRule("a schema", lambda value: True, _itself)
SCHEMAS = KeywordRule("a list of at least one schema", lambda value: isinstance(value, list) and bool(value), _each)
NAMED = KeywordRule("an object of schemas", _is(dict), _named)
ITEMS = KeywordRule("a schema, or a list of at least one", lambda value: value != [], _one_or_each)
NUMBER = KeywordRule("a number", _is_number)
STEP = KeywordRule("a number above 0", lambda value: _is_number(value) and value > 0)
COUNT = KeywordRule("a whole number from 0 on", lambda value: _is_whole(value) and value >= 0)
FLAG = KeywordRule("true or false", _is(bool))
TEXT = KeywordRule("a text", _is(str))
VALUES = KeywordRule("a list", _is(list))
NAMES = KeywordRule("a list of names, each once", _are_names)
TYPE = KeywordRule(f"one of {', '.join(TYPES)}, or a list of them, each once", _is_type)
NEEDS = KeywordRule(
    "an object of lists of names, each once",
    lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
)
DEPENDENCIES = KeywordRule(
    "an object of schemas and lists of names",
    lambda value: (
        isinstance(value, dict) and all(_are_names(child) for child in value.values() if isinstance(child, list))
    ),
    _dependent,
)
FLAGS = KeywordRule(
    "an object of true and false",
    lambda value: isinstance(value, dict) and all(isinstance(flag, bool) for flag in value.values()),
)

_BOUNDS = ("maximum", "minimum")
_EXCLUSIVE = ("exclusiveMaximum", "exclusiveMinimum")
_COUNTS = ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties")
_OLD = {
    "$schema": TEXT, "title": TEXT, "description": TEXT, "format": TEXT, "pattern": TEXT, "type": TYPE,
    "multipleOf": STEP, "uniqueItems": FLAG, "not": SCHEMA, "dependencies": DEPENDENCIES,
    **dict.fromkeys(_BOUNDS, NUMBER), **dict.fromkeys(("allOf", "anyOf", "oneOf"), SCHEMAS),
    **dict.fromkeys(("definitions", "properties", "patternProperties"), NAMED),
}  # fmt: skip
_OR_FLAG = KeywordRule("a schema, true or false", lambda value: True, _unless_bool)
_DRAFT4 = _OLD | {
    "id": TEXT, "items": ITEMS, "additionalItems": _OR_FLAG, "additionalProperties": _OR_FLAG,
    **dict.fromkeys(_EXCLUSIVE, FLAG),
    **dict.fromkeys(_COUNTS, KeywordRule(COUNT.words, lambda value: _is_int(value) and value >= 0)),
    "enum": KeywordRule("a list of at least one value, each once", _differ),
    "required": KeywordRule(f"{NAMES.words}, and at least one", lambda value: _are_names(value) and bool(value)),
    "dependencies": KeywordRule(
        "an object of schemas and lists of at least one name",
        lambda value: DEPENDENCIES.fits(value) and [] not in value.values(), _dependent,
    ),
}  # fmt: skip
_DRAFT6 = _OLD | {
    "$id": TEXT, "$ref": TEXT, "items": ITEMS, "additionalItems": SCHEMA, "additionalProperties": SCHEMA,
    "contains": SCHEMA, "propertyNames": SCHEMA, "required": NAMES, "enum": VALUES, "examples": VALUES,
    **dict.fromkeys(_EXCLUSIVE, NUMBER), **dict.fromkeys(_COUNTS, COUNT),
}  # fmt: skip
_DRAFT7 = _DRAFT6 | {
    "$comment": TEXT, "readOnly": FLAG, "contentMediaType": TEXT, "contentEncoding": TEXT,
    **dict.fromkeys(("if", "then", "else"), SCHEMA),
}  # fmt: skip
_DRAFT2019 = _DRAFT7 | {
    "$id": KeywordRule("a text whose fragment is empty", _matches("^[^#]*#?$")),
    "$anchor": KeywordRule("a name of letters, digits and -.:_", _matches("^[A-Za-z][-A-Za-z0-9.:_]*$")),
    "$recursiveRef": TEXT, "$recursiveAnchor": FLAG, "$vocabulary": FLAGS, "$defs": NAMED,
    "unevaluatedItems": SCHEMA, "unevaluatedProperties": SCHEMA, "dependentSchemas": NAMED, "contentSchema": SCHEMA,
    "deprecated": FLAG, "writeOnly": FLAG, "maxContains": COUNT, "minContains": COUNT, "dependentRequired": NEEDS,
}  # fmt: skip
_ANCHOR = KeywordRule("a name of letters, digits and -._", _matches("^[A-Za-z_][-A-Za-z0-9._]*$"))
_DRAFT2020 = {keyword: shape for keyword, shape in _DRAFT2019.items() if keyword != "additionalItems"} | {
    "prefixItems": SCHEMAS, "items": SCHEMA, "$dynamicRef": TEXT,
    **dict.fromkeys(("$anchor", "$dynamicAnchor", "$recursiveAnchor"), _ANCHOR),
}  # fmt: skip

_BOUND_OR_FLAG = KeywordRule(
    "a number, or in draft 4 true or false", lambda value: isinstance(value, bool) or _is_number(value)
)
SHAPES: dict[int, dict[str, KeywordRule]] = {4: _DRAFT4, 6: _DRAFT6, 7: _DRAFT7, 2019: _DRAFT2019, 2020: _DRAFT2020}
"""The keywords of each draft."""

ANY_DRAFT = {
    **_DRAFT2019, **_DRAFT2020, "const": KeywordRule("any value", lambda value: True),
    "items": ITEMS, "additionalItems": SCHEMA, **dict.fromkeys(_EXCLUSIVE, _BOUND_OR_FLAG),
    "$recursiveAnchor": KeywordRule("true, false or a name", _is(bool, str)),
}  # fmt: skip
"""For keywords read in any draft: the newest shape, and the older ones that are accepted as well."""
