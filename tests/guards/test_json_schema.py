"""Guards of JSON schemas accept exactly what is valid, in any draft, with either backend."""

import itertools
import json
import re
from typing import Any

import pytest

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.schemas.formats import PATTERNS
from ngramspec.guards.source import Backend

BYTES = Vocabulary([bytes([byte]) for byte in range(256)])
BACKENDS: list[Backend] = ["llguidance", "xgrammar"]
DRAFT4, DRAFT7 = ({"$schema": f"http://json-schema.org/draft-0{number}/schema#"} for number in (4, 7))
OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": False}

# Of each: the schema, valid and invalid instances.
CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "type": ({"type": ["integer", "null"]}, [1, None], ["1", 1.5]),
    "bounds without a type": ({"minimum": 3}, [3, "x", None, []], [2, -5]),
    "draft 4 exclusive": (DRAFT4 | {"minimum": 3, "exclusiveMinimum": True}, [4, "x"], [3, 2]),
    "draft 4 not exclusive": (DRAFT4 | {"maximum": 3, "exclusiveMaximum": False}, [3], [4]),
    "draft 4 without saying so": ({"minimum": 3, "exclusiveMinimum": True}, [4], [3]),
    "whole floats": ({"type": "array", "maxItems": 1.0}, [[1]], [[1, 2]]),
    "tuple": (DRAFT7 | {"items": [{"type": "integer"}], "additionalItems": False}, [[], [1], 3], [["a"], [1, 2]]),
    "tuple that says nothing": ({"items": [{"type": "integer"}]}, [[1, "x"]], [["x"]]),
    "nothing beside a reference in draft 7": (
        DRAFT7 | {"definitions": {"a": {"type": "string"}},
                  "properties": {"p": {"$ref": "#/definitions/a", "maxLength": 1}}},
        [{"p": "long"}], [{"p": 1}],
    ),
    "keywords beside a reference": (
        {"$defs": {"a": {"type": "string"}}, "properties": {"p": {"$ref": "#/$defs/a", "maxLength": 1}}},
        [{"p": "a"}], [{"p": 1}, {"p": "ab"}],
    ),
    "anchor and id": (
        {"$id": "http://example.com/root",
         "$defs": {"a": {"$id": "other", "$defs": {"b": {"$anchor": "x", "type": "null"}}}},
         "items": {"$ref": "other#x"}},
        [[None]], [[1]],
    ),
    "recursive": (
        {"$ref": "#/$defs/n",
         "$defs": {"n": OBJECT | {"properties": {"n": {"$ref": "#/$defs/n"}, "v": {"type": "null"}}}}},
        [{}, {"n": {"n": {"v": None}}}], [{"n": 1}, {"n": {"n": {"v": 1}}}],
    ),
    "recursive with more beside it": (
        {"$ref": "#/$defs/n", "$defs": {"n": OBJECT | {"properties": {"n": {"$ref": "#/$defs/n", "required": ["n"]}}}}},
        [{}], [{"n": {}}, 1],
    ),
    "a definition that nothing fits": (
        {"$defs": {"never": False}, "type": "array", "items": {"$ref": "#/$defs/never"}}, [[]], [[1], [None]],
    ),
    "not": ({"type": ["object", "string"], "not": {"type": "string"}}, [{}], ["a", 1]),
    "not required": (
        OBJECT | {"properties": {"a": {}, "b": {}}, "not": {"required": ["a"]}}, [{}, {"b": 1}], [{"a": 1}],
    ),
    "not an enumeration": (
        {"type": "string", "not": {"enum": ["abc", "ab", ""]}}, ["a", "abd", "x"], ["abc", "ab", ""],
    ),
    "not a number": ({"type": "number", "not": {"enum": [0, 2]}}, [1, -1, 3], [0, 2]),
    "one of several kinds": ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, ["a", 1], [None]),
    "one of those with a tag": (
        {"oneOf": [
            {"properties": {"kind": {"const": kind}, kind: {"type": "integer"}}, "required": ["kind"], "type": "object"}
            for kind in "ab"
        ]},
        [{"kind": "a", "a": 1}, {"kind": "b"}], [{"kind": "c"}, {"kind": "a", "a": "x"}, 3],
    ),
    "one of those that overlap": (
        {"oneOf": [{"type": "integer", "minimum": 2}, {"type": "integer", "maximum": 4}]}, [1, 5], [2, 3, 4],
    ),
    "one of those required": (
        OBJECT | {"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        [{"a": 1}, {"b": 1}], [{}, {"a": 1, "b": 1}],
    ),
    "if": (
        {"type": "object", "properties": {"k": {"enum": ["x", "y"]}, "v": {}}, "required": ["k"],
         "additionalProperties": False,
         "if": {"properties": {"k": {"const": "x"}}},
         "then": {"required": ["v"]}, "else": {"properties": {"v": False}}},
        [{"k": "x", "v": 1}, {"k": "y"}], [{"k": "x"}, {"k": "y", "v": 1}],
    ),
    "dependencies": (
        DRAFT7 | OBJECT | {"properties": {"a": {}, "b": {}}, "dependencies": {"b": ["a"]}},
        [{}, {"a": 1}, {"a": 1, "b": 1}], [{"b": 1}],
    ),
    "dependent schemas": (
        OBJECT | {"properties": {"a": {}, "b": {}}, "dependentSchemas": {"a": {"properties": {"b": {"type": "null"}}}}},
        [{"b": 1}, {"a": 1, "b": None}], [{"a": 1, "b": 1}],
    ),
    "names that are listed": (
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}}, [{}, {"a": 1}], [{"c": 1}, {"aa": 1}],
    ),
    "names of a length": ({"type": "object", "propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
    "at least one": (
        OBJECT | {"properties": {"a": {}, "b": {}}, "minProperties": 1}, [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}], [{}],
    ),
    "at most one": (
        OBJECT | {"properties": {"a": {}, "b": {}}, "maxProperties": 1}, [{}, {"a": 1}, {"b": 1}], [{"a": 1, "b": 1}],
    ),
    "different items": (
        {"type": "array", "items": {"enum": ["r", "w"]}, "uniqueItems": True, "minItems": 1},
        [["r"], ["w", "r"]], [[], ["r", "r"], ["x"]],
    ),
    "required without a schema": (
        {"type": "object", "properties": {"a": {}}, "required": ["a", "z"]}, [{"a": 1, "z": 2}], [{"a": 1}],
    ),
    "values with spaces inside": ({"enum": [{"a": [1, {}]}, []]}, [{"a": [1, {}]}, []], [{"a": [1]}, {}, None]),
    "values and a type": ({"type": "string", "enum": ["a", 1]}, ["a"], [1]),
    "all of": ({"allOf": [{"type": "string"}, {"minLength": 2}], "maxLength": 3}, ["ab", "abc"], ["a", "abcd", 1]),
    "any of beside others": (
        {"type": "object", "properties": {"a": {"type": "integer"}},
         "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        [{"a": 1}, {"b": 1}], [{}, {"a": "x", "b": 1}],
    ),
    "pattern without anchors": ({"type": "string", "pattern": "b"}, ["b", "abc"], ["", "ac"]),
    "pattern of either anchor": ({"type": "string", "pattern": "^a|b$"}, ["ax", "xb"], ["xa", "bx"]),
    "pattern with a dot": ({"type": "string", "pattern": "^.$"}, ["a", "é"], ["\r", "\n", "ab"]),
    "dates": ({"type": "string", "format": "date"}, ["2024-02-29"], ["2023-02-29", "2024-13-01"]),
}  # fmt: skip


LLGUIDANCES_ALONE = {
    "keywords beside a reference", "recursive with more beside it", "not", "not required", "not an enumeration",
    "not a number", "one of those that overlap", "one of those required", "if", "dependencies", "dependent schemas",
    "names that are listed", "names of a length", "different items", "values with spaces inside",
}  # fmt: skip
"""Cases that xgrammar refuses."""
TAKEN = [(name, backend) for name in CASES for backend in BACKENDS]
TAKEN = [(name, backend) for name, backend in TAKEN if backend == "llguidance" or name not in LLGUIDANCES_ALONE]


@pytest.mark.parametrize(("name", "backend"), TAKEN)
def test_valid_instances_are_accepted_and_no_others(name: str, backend: Backend) -> None:
    if backend == "xgrammar":
        pytest.importorskip("xgrammar")
    schema, valid, invalid = CASES[name]
    guard = Guard.json_schema(schema, BYTES, backend=backend)
    for instance in valid:
        assert guard.accepts(json.dumps(instance, ensure_ascii=False)), instance
    for instance in invalid:
        assert not guard.accepts(json.dumps(instance, ensure_ascii=False)), instance


@pytest.mark.parametrize("name", sorted(LLGUIDANCES_ALONE))
def test_what_xgrammar_does_not_enforce_is_refused_and_llguidance_named(name: str) -> None:
    pytest.importorskip("xgrammar")
    with pytest.raises(UnsupportedError, match=r"got with xgrammar: .*\. backend='llguidance' does enforce it all; "):
        Guard.json_schema(CASES[name][0], BYTES, backend="xgrammar")


@pytest.mark.parametrize("backend", BACKENDS)
def test_objects_are_open_unless_they_are_closed(backend: Backend) -> None:
    if backend == "xgrammar":
        pytest.importorskip("xgrammar")
    guard = Guard.json_schema({"type": "object", "properties": {"a": {"type": "integer"}}}, BYTES, backend=backend)
    assert guard.accepts('{"a": 1, "other": null}')


WHITESPACE: dict[str, tuple[Any, list[str], str]] = {
    "object": (
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "null"}}}},
        ['{"a": 1, "b": [null, null]}', '{\n  "a" :\t1 ,"b":[\r\nnull , null ] }', "{ }", '{"b":[ ]}'],
        '{"a":1,"b":[null,null]}',
    ),
    "any JSON": ({}, ['{"a": [1, {"b": 2}]}', "[ ]", "[1 ,2]"], '{"a":[1,{"b":2}]}'),
    "const": ({"const": {"a": [1, 2]}}, ['{"a": [1, 2]}', '{ "a":[1,2] }'], '{"a":[1,2]}'),
}


@pytest.mark.parametrize(
    ("name", "backend"),
    [*((name, "llguidance") for name in WHITESPACE), ("object", "xgrammar"), ("any JSON", "xgrammar")],
)
def test_flexible_takes_any_whitespace_inside_and_compact_none(name: str, backend: Backend) -> None:
    if backend == "xgrammar":
        pytest.importorskip("xgrammar")
    schema, spaced, compact = WHITESPACE[name]
    flexible_guard = Guard.json_schema(schema, BYTES, backend=backend)
    compact_guard = Guard.json_schema(schema, BYTES, backend=backend, whitespace="compact")
    assert flexible_guard.accepts(compact)
    assert compact_guard.accepts(compact)
    for text in spaced:
        assert flexible_guard.accepts(text), text
        assert not compact_guard.accepts(text), text
    for text in (f" {compact}", f"{compact}\n"):
        assert not flexible_guard.accepts(text)
        assert not compact_guard.accepts(text)


FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "date": (["2000-02-29", "0004-02-29", "1999-12-31"], ["1900-02-29", "2023-04-31", "2023-1-01", "2023-00-10"]),
    "time": (["12:00:00Z", "23:59:60Z", "00:00:00.123+05:30"], ["24:00:00Z", "12:00:00", "22:59:60Z", "12:60:00Z"]),
    "date-time": (["2024-02-29T00:00:00Z", "2024-02-29t23:59:59.9-01:00"], ["2023-02-29T00:00:00Z", "2024-01-01"]),
    "ipv4": (["0.0.0.0", "255.255.255.255"], ["256.0.0.1", "1.2.3", "01.2.3.4"]),
    "ipv6": (
        ["::", "::1", "1::d6:192.168.0.1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"],
        ["1:2:3:4:5:6:7:8:9", ":::", "1::2::3", "g::"],
    ),
    "uri-reference": (["", "a/b", "//h/p?q#f", "http://a:80/", "#x"], ["\\a", "a b", "1:b", "%zz"]),
    "iri": (["http://ƒøø.ßår/?∂éœ=πîx", "http://[::1]/", "mailto:a@b"], ["/abc", "http://a b", "é"]),
    "iri-reference": (["//ƒøø", "é"], ["\\\\a", " "]),
    "uri-template": (["", "http://a/{term}/{+x,y*}", "{?q:3}"], ["{", "{}", "a{b", "}"]),
    "json-pointer": (["", "/", "/a~0b/~1", "/é"], ["a", "/~", "/~2"]),
    "relative-json-pointer": (["0", "1/a", "2#", "10"], ["", "-1", "01", "/a", "0##"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_a_format_is_what_its_standard_says(name: str) -> None:
    guard = Guard.json_schema({"type": "string", "format": name}, BYTES)
    right, wrong = FORMATS[name]
    for text in right:
        assert guard.accepts(json.dumps(text, ensure_ascii=False)), text
    for text in wrong:
        assert not guard.accepts(json.dumps(text, ensure_ascii=False)), text


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("^[a&&b]$", ["a", "&", "b"], ["c"]),
        ("^[[0-9]$", ["[", "5"], ["]"]),
        ("^[a-]$", ["a", "-"], ["b"]),
        ("^[a~~b--c]$", ["a", "~", "b", "c"], ["!"]),
        ("^[^]$", ["a", "\n"], [""]),
        ("^{a}$", ["{a}"], ["a"]),
        (r"^\x41\u0042\u{43}\cJ$", ["ABC\n"], ["ABC"]),
        (r"^\ud83d\ude00$", ["😀"], ["?"]),
        (r"^\s\S$", ["\ufeffa", "\u00a0a"], ["aa", " \ufeff"]),
        (r"^[\s\d]$", ["1", "\u2003"], ["a"]),
        (r"^[^\s]$", ["a"], ["\ufeff"]),
        (r"^\d\w$", ["1a"], ["\u0661a", "1é"]),
        (r"^(?<name>a)\-\/\_$", ["a-/_"], ["a"]),
        ("^a{2,3}b{2}c{1,}$", ["aabbc"], ["abbc", "aabb"]),
    ],
)
def test_a_pattern_means_what_ecma_262_says(pattern: str, right: list[str], wrong: list[str]) -> None:
    guard = Guard.json_schema({"type": "string", "pattern": pattern}, BYTES)
    assert [True] * len(right) == [guard.accepts(json.dumps(text, ensure_ascii=False)) for text in right]
    assert [False] * len(wrong) == [guard.accepts(json.dumps(text, ensure_ascii=False)) for text in wrong]


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["x" * 100 + str(number) for number in range(5000)]},
        nested(5000),
    ],
    ids=["long", "deep"],
)
def test_a_monstrous_schema_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(GuardError, match=r"^(llguidance must be able to compile|every keyword|a schema must)"):
        Guard.json_schema(schema, BYTES)


def test_a_guard_outlives_the_automaton_that_its_matchers_share() -> None:
    words = r"^(?:\S+\s+){0,99}\S+$"
    names = [f"p{index}" for index in range(12)]
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", "pattern": words} for name in names},
        "required": names,
    }
    guard = Guard.json_schema(schema, BYTES)
    for size in range(1, 40):
        text = json.dumps({name: " ".join(["word" * size] * (size + index)) for index, name in enumerate(names)})
        assert guard.accepts(text), size


@pytest.mark.parametrize(
    "pattern", ["c(?:da*)?", "(?:a*d)?c", "c(?:d(?:a|b)*)?", "a(?:b(?:cd*)?)?", "(?:ab*|c)?d", "[)]?a"]
)
def test_xgrammar_reads_optional_groups_that_repeat_as_they_are(pattern: str) -> None:
    pytest.importorskip("xgrammar")
    as_pattern = Guard.json_schema({"type": "string", "pattern": f"^{pattern}$"}, BYTES, backend="xgrammar")
    as_regex = Guard.regex(pattern, BYTES, backend="xgrammar")
    texts = ["".join(letters) for length in range(5) for letters in itertools.product("abcd)", repeat=length)]
    expected = [text for text in texts if re.fullmatch(pattern, text)]
    assert expected == [text for text in texts if as_pattern.accepts(f'"{text}"')]
    assert expected == [text for text in texts if as_regex.accepts(text)]
