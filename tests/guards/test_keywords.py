"""Nothing is ignored silently: a keyword that a backend does not enforce is named, with its location and a remedy."""

import json
import warnings
from typing import Any

import pytest

from ngramspec.errors import GuardError, GuardWarning, UnsupportedError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.schemas import prepared
from ngramspec.guards.source import Backend

BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
DEEP: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}

UNENFORCED: dict[str, tuple[dict[str, Any], str]] = {
    "uniqueItems": ({"properties": {"tags": DEEP}}, "/properties/tags/uniqueItems"),
    "format": ({"properties": {"format": {"format": "idn-hostname"}}}, "/properties/format/format"),
    "pattern": ({"prefixItems": [{"pattern": r"(a)\1"}]}, "/prefixItems/0/pattern"),
    "$dynamicRef": (
        {"$dynamicAnchor": "a", "$defs": {"x": {"$id": "x", "$dynamicAnchor": "a"}}, "items": {"$dynamicRef": "#a"}},
        "/items/$dynamicRef",
    ),
}
UNENFORCED_BY_XGRAMMAR: dict[str, tuple[dict[str, Any], str]] = {
    "contains": ({"$defs": {"a/b": {"contains": {"const": 1}}}, "$ref": "#/$defs/a~1b"}, "/$defs/a~1b/contains"),
    "not": ({"type": "string", "not": {"pattern": "a"}}, "/not"),
    "oneOf": ({"oneOf": [{"pattern": "a"}, {"pattern": "b"}]}, "/oneOf"),
    "if": ({"if": {"pattern": "a"}, "then": {"maxLength": 2}}, "/if"),
    "unevaluatedItems": ({"items": {"unevaluatedItems": False}}, "/items/unevaluatedItems"),
    "propertyNames": ({"propertyNames": {"format": "date"}}, "/propertyNames"),
}
REFUSALS: list[tuple[Backend, str, tuple[dict[str, Any], str]]] = [
    *(("llguidance", *item) for item in UNENFORCED.items()),
    *(("xgrammar", *item) for item in {**UNENFORCED, **UNENFORCED_BY_XGRAMMAR}.items()),
]


@pytest.mark.parametrize(("backend", "keyword", "case"), REFUSALS)
def test_a_keyword_that_is_not_enforced_is_named_with_its_location(
    backend: Backend, keyword: str, case: tuple[dict[str, Any], str]
) -> None:
    schema, location = case
    with pytest.raises(UnsupportedError) as caught:
        prepared(json.dumps(schema), backend, lenient=False)
    assert f"{keyword!r} at {location} (" in str(caught.value)


@pytest.mark.parametrize(("backend", "keyword", "case"), REFUSALS)
def test_lenient_leaves_it_out_and_says_so(backend: Backend, keyword: str, case: tuple[dict[str, Any], str]) -> None:
    schema, location = case
    text, left_out = prepared(json.dumps(schema), backend, lenient=True)
    assert [f"{keyword!r} at {location}"] == [message.partition(" (")[0] for message in left_out]
    assert backend == "llguidance" or keyword not in json.loads(text)


XGRAMMAR_ALONE: dict[str, tuple[dict[str, Any], str]] = {
    "multipleOf": ({"type": "number", "multipleOf": 0.5}, "/multipleOf"),
    "minLength": ({"type": "string", "pattern": "^a*$", "minLength": 2}, "/minLength"),
    "patternProperties": ({"patternProperties": {"^a": {"type": "integer"}}}, "/patternProperties"),
    "properties": ({"properties": {"a": False}}, "/properties"),
    "pattern": ({"pattern": r"^\p{L}$"}, "/pattern"),
}


@pytest.mark.parametrize("keyword", XGRAMMAR_ALONE)
def test_a_refusal_by_xgrammar_names_llguidance_where_that_enforces_the_schema(keyword: str) -> None:
    schema, location = XGRAMMAR_ALONE[keyword]
    with pytest.raises(UnsupportedError) as caught:
        prepared(json.dumps(schema), "xgrammar", lenient=False)
    assert f"{keyword!r} at {location} (" in str(caught.value)
    assert str(caught.value).endswith(
        ". backend='llguidance' does enforce it all; lenient=True leaves it out, with a warning"
    )
    assert [] == prepared(json.dumps(schema), "llguidance", lenient=False)[1]


@pytest.mark.parametrize("keyword", UNENFORCED)
def test_a_refusal_by_xgrammar_names_no_backend_where_none_enforces_the_schema(keyword: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        prepared(json.dumps(UNENFORCED[keyword][0]), "xgrammar", lenient=False)
    assert "llguidance" not in str(caught.value)


def test_what_shows_only_when_all_is_put_together_is_named_too() -> None:
    overlapping = {"not": {"patternProperties": {"a": {"type": "integer"}}}}
    schema = {
        "properties": {
            "deep": {"items": {**overlapping, "allOf": [{"not": {"patternProperties": {"a": True, "b": False}}}]}}
        }
    }
    with pytest.raises(UnsupportedError, match=r"'patternProperties' at /properties/deep/items/.*one name twice"):
        Guard.json_schema(schema, BYTES)
    with pytest.warns(GuardWarning, match="'patternProperties' at /properties/deep/items/"):
        guard = Guard.json_schema(schema, BYTES, lenient=True)
    assert guard.accepts('{"deep": [{"ab": null}]}')


def test_properties_that_are_called_like_keywords_are_properties() -> None:
    names = ["not", "oneOf", "contains", "uniqueItems", "if", "$ref", "properties", "dependencies", "unevaluatedItems"]
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    instance = json.dumps(dict.fromkeys(names, 1))
    assert Guard.json_schema(schema, BYTES).accepts(instance)
    assert [] == prepared(json.dumps(schema), "xgrammar", lenient=False)[1]


def test_values_that_look_like_schemas_are_values() -> None:
    value = {"not": {"contains": 1}, "$ref": "#/nowhere"}
    assert Guard.json_schema({"const": value, "default": {"uniqueItems": True}}, BYTES).accepts(json.dumps(value))


def test_notes_and_formats_of_ones_own_are_no_constraints() -> None:
    schema = {"type": "string", "format": "country-code", "title": "t", "examples": [1], "contentEncoding": "base64"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Guard.json_schema(schema, BYTES).accepts('"anything"')


def test_each_call_warns_though_the_guard_is_compiled_once() -> None:
    for _ in range(2):
        with pytest.warns(GuardWarning, match="'uniqueItems' at /uniqueItems") as caught:
            Guard.json_schema(DEEP, BYTES, lenient=True)
        assert [__file__] == [warning.filename for warning in caught]


def test_of_several_keywords_the_first_is_named_and_the_others_are_counted() -> None:
    schema = {"properties": {name: {**DEEP, "minItems": size} for size, name in enumerate("abc", 1)}}
    with pytest.raises(UnsupportedError, match=r"/properties/a/uniqueItems .*\(and 2 more\)"):
        Guard.json_schema(schema, BYTES)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("a$b", "anchor"),
        ("(?=a)a", "lookaround"),
        ("(?<!a)a", "lookaround"),
        (r"(a)\1", "reference"),
        (r"\ba", "word boundary"),
        ("(?i)a", "flags"),
        (r"\p{L}", "Unicode class"),
        (r"a\Z", "ECMA-262"),
    ],
)
def test_constructs_that_xgrammar_ignores_in_a_regex_are_named(pattern: str, what: str) -> None:
    with pytest.raises(UnsupportedError, match=f"xgrammar does not support .*{what}"):
        Guard.regex(pattern, BYTES, backend="xgrammar")


def test_the_dot_takes_no_newline_with_either_backend() -> None:
    pytest.importorskip("xgrammar")
    backends: tuple[Backend, ...] = ("llguidance", "xgrammar")
    for backend in backends:
        guard = Guard.regex(r"a.[.]\.", BYTES, backend=backend)
        assert [True, False, False] == [guard.accepts(text) for text in ("ab..", "a\n..", "abx.")]


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(ValueError, match="llguidance, xgrammar, got 'outlines'"):
        Guard.json_schema({}, BYTES, backend="outlines")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "text"}, "valid JSON Schema, got at /type: 'type' must be one of null, .*, got 'text'"),
        ({"properties": {"a": {"required": True}}}, "/properties/a/required"),
        ({"minLength": -1}, "/minLength"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": 3}, "/items"),
        ({"$ref": "#/$defs/missing"}, "in its own document, got '#/\\$defs/missing' at /\\$ref"),
        ({"items": {"$ref": "https://example.com/a.json"}}, "example.com/a.json' at /items/\\$ref"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "cycle"),
        ({"allOf": [{"$ref": "#"}]}, "cycle"),
        (False, "leave something to generate"),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, "leave something to generate"),
    ],
)
def test_an_invalid_schema_is_an_error_with_its_location(schema: Any, message: str) -> None:
    with pytest.raises(GuardError, match=message):
        Guard.json_schema(schema, BYTES)
