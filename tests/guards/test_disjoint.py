"""Schemas that count as disjoint have no value in common, however many they are."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError
from ngramspec.guards.schemas import prepared
from ngramspec.guards.schemas.disjoint import are_disjoint
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.reading import read
from tests.guards.test_rewriting import APART, INSTANCES, RECURSIVE, SCHEMAS

TAGS = st.sampled_from(["x", "y", 1, True, None])
TAGGED = st.builds(
    lambda tag, names: {"type": "object", "properties": {"a": {"const": tag}}, "required": ["a", *names]},
    TAGS, st.lists(st.sampled_from(["b", "c"]), max_size=1),
)  # fmt: skip


def parts(schemas: list[Any], one: Any) -> tuple[list[Schema], dict[str, Schema], list[Any]]:
    """The schemas as they are read, what their references name, and their validators."""
    definitions = {"one": one, "two": RECURSIVE}
    root, found = read({"$defs": definitions, "prefixItems": schemas})
    validators = [Draft202012Validator({"$defs": definitions, "allOf": [schema]}) for schema in schemas]
    assert isinstance(root, Node)
    return root["prefixItems"], found, validators


@given(ways=st.lists(TAGGED | SCHEMAS, min_size=2, max_size=4), one=APART, instances=st.lists(INSTANCES, min_size=9))
@settings(max_examples=500)
def test_alternatives_that_are_told_apart_have_no_value_in_common(
    ways: list[Any], one: Any, instances: list[Any]
) -> None:
    tags = ("x", "y", 1, True, None)
    instances = [*instances, *({"a": tag, "b": 0, "c": 0} for tag in tags), *tags, {"a": "x"}]
    try:
        read_ways, definitions, validators = parts(ways, one)
    except GuardError:  # a reference in a circle
        assume(False)
    if are_disjoint(read_ways, definitions):
        assert all(sum(each.is_valid(instance) for each in validators) <= 1 for instance in instances)


OBJECT = {"type": "object"}
KIND = {"properties": {"k": {"const": "x"}}, "required": ["k"], **OBJECT}


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ([{"type": "string"}, {"type": ["integer", "null"]}], True),
        ([{"type": "integer"}, {"type": "number"}], False),
        ([{"const": "a"}, {"enum": ["b", 1]}, OBJECT], True),
        ([{"const": "a"}, {"type": "string"}], False),
        ([{"const": 1}, {"const": 1.0}], False),
        ([{"const": 1}, {"const": True}], True),
        ([KIND, {**KIND, "properties": {"k": {"enum": ["y", "z"]}}}, {"type": "null"}], True),
        ([KIND, {**KIND, "properties": {"k": {"type": "string"}}}], False),
        ([KIND, {**KIND, "required": ["l"], "properties": {"k": {"const": "y"}}}], False),
        ([KIND, {"const": {"k": "x"}}], False),
        ([KIND, {"$ref": "#/$defs/one"}], True),
        ([True, False], True),
        ([True, {"type": "null"}], False),
        ([], True),
    ],
)
def test_what_tells_schemas_apart(ways: list[Any], expected: bool) -> None:
    tagged = {"type": "object", "required": ["b", "k"], "properties": {"k": {"const": "one"}}}
    root, definitions = read({"$defs": {"one": tagged}, "prefixItems": ways or [True]})
    assert isinstance(root, Node)
    assert expected == are_disjoint(root["prefixItems"] if ways else [], definitions)


@pytest.mark.parametrize("count", [29, 500])
def test_alternatives_with_a_tag_are_told_apart_however_many_there_are(count: int) -> None:
    ways = [{"type": "object", "properties": {"k": {"const": n}}, "required": ["k"]} for n in range(count)]
    text, left_out = prepared(json.dumps({"oneOf": [*ways, {"type": "null"}]}), "xgrammar", lenient=False)
    assert (count + 1, []) == (len(json.loads(text)["anyOf"]), left_out)
