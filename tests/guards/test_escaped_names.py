"""A declared property is recognised however its name is written, and its value obeys its schema."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.guards import Guard
from tests.guards.vocabularies import BYTES

NUMBER, STRING = {"type": "number"}, {"type": "string"}
ESCAPED = r'{"\u0061":"1"}'


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": NUMBER}},
        {"properties": {"a": NUMBER}, "additionalProperties": STRING},
        {"patternProperties": {"^a": NUMBER}},
        {"properties": {"a": NUMBER}, "patternProperties": {"^b": NUMBER}, "additionalProperties": STRING},
        {"properties": {"a": NUMBER, "b": STRING}, "required": ["a", "b"], "minProperties": 2},
        {"properties": {"a": NUMBER}, "allOf": [{"properties": {"b": NUMBER}}]},
        {"properties": {"a": NUMBER}, "anyOf": [{"properties": {"b": NUMBER}}, {"required": ["c"]}]},
        {"$ref": "#/$defs/one", "properties": {"b": NUMBER}, "$defs": {"one": {"properties": {"a": NUMBER}}}},
    ],
)
def test_a_declared_name_in_escapes_is_no_other_name(schema: dict[str, Any]) -> None:
    guard = Guard.json_schema({"type": "object", **schema}, BYTES)
    assert not guard.accepts(ESCAPED)
    rest = {"b": "1"} if "b" in schema.get("required", ()) else {"c": "1"}
    text = json.dumps({"a": 1, **rest}, separators=(",", ":"))
    assert guard.accepts(text)


def test_other_names_may_be_whatever_they_like() -> None:
    guard = Guard.json_schema({"properties": {"a": NUMBER, "ab": NUMBER, "": NUMBER}}, BYTES)
    for name in ["b", "aa", "abc", "é", r"\n", r"\u001b", r"\"", r"\\", " a"]:
        assert guard.accepts(f'{{"{name}":"1"}}')


def test_other_names_with_a_schema_of_their_own_are_all_but_the_declared_ones() -> None:
    names = ["", "a", "ab", "b.", "é", "😀", 'q"', "-", "]^"]
    schema = {"type": "object", "properties": dict.fromkeys(names, NUMBER), "additionalProperties": STRING}
    guard = Guard.json_schema(schema, BYTES)
    for name in names:
        assert guard.accepts(json.dumps({name: 1}, ensure_ascii=False))
        assert not guard.accepts(json.dumps({name: "1"}, ensure_ascii=False))
        for other in {name + "a", name + "é", name + "😀", "x" + name, name[:-1] + "~"}.difference(names):
            assert guard.accepts(json.dumps({other: "1"}, ensure_ascii=False))
            assert not guard.accepts(json.dumps({other: 1}, ensure_ascii=False))


def test_control_characters_can_be_written_wherever_other_names_are_at_stake() -> None:
    for schema in ({"properties": {"a": STRING}}, {"patternProperties": {"^a": STRING}}):
        assert Guard.json_schema(schema, BYTES).accepts(r'{"a":"\u001b[0m\n"}')


NAMES = st.text("ab\n\x7fπ", max_size=3)
SCHEMAS = st.sampled_from([True, False, NUMBER, STRING])


@given(
    st.dictionaries(NAMES, SCHEMAS, min_size=1, max_size=3),
    SCHEMAS,
    st.dictionaries(st.tuples(NAMES, st.tuples(*[st.booleans()] * 3)), st.sampled_from(["1", '"1"'])),
)
@example({"a\n": False}, True, {("a\n", (False, True, False)): "1"})
def test_whatever_names_are_written_what_is_accepted_is_valid(
    properties: dict[str, Any], others: Any, written: dict[tuple[str, tuple[bool, ...]], str]
) -> None:
    schema = {"type": "object", "properties": properties, "additionalProperties": others}
    guard = Guard.json_schema(schema, BYTES)

    def spelled(name: str, escapes: tuple[bool, ...]) -> str:
        letters = zip(name, escapes, strict=False)
        return "".join(f"\\u{ord(letter):04x}" if escape else json.dumps(letter)[1:-1] for letter, escape in letters)

    members = [f'"{spelled(*name)}":{value}' for name, value in written.items()]
    text = f"{{{','.join(members)}}}"
    if guard.accepts(text):
        Draft202012Validator(schema).validate(json.loads(text))
