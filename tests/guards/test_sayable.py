"""What llguidance's guards can enforce: valid and invalid instances for each keyword, and for many members."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard, Limits
from tests.guards.vocabularies import BYTES

NUMBER, STRING, NULL = {"type": "number"}, {"type": "string"}, {"type": "null"}
PATIENT = Limits(max_seconds=300)
OPEN_NAMES = {"type": "object", "additionalProperties": {"type": "integer"}}

# Of each: the schema, valid texts and invalid ones. Keys come in the order in which they are declared.
CASES: dict[str, tuple[Any, list[str], list[str]]] = {
    "not a pattern": ({**STRING, "not": {"pattern": "^a"}}, ['"b"', '""', '"ba"'], ['"a"', '"ab"']),
    "not a format": ({**STRING, "not": {"format": "date"}}, ['"2023-02-29"', '"x"'], ['"2024-02-29"']),
    "not a multiple": ({**NUMBER, "not": {"multipleOf": 2}}, ["1", "2.5", "-3"], ["2", "-4", "2.0"]),
    "not an integer": ({**NUMBER, "not": {"type": "integer"}}, ["0.5", "-1.25"], ["1", "2.0", "0"]),
    "one of two patterns": (
        {**STRING, "oneOf": [{"pattern": "a"}, {"pattern": "b"}]}, ['"ac"', '"b"'], ['"ab"', '"c"'],
    ),
    "if a pattern": (
        {**STRING, "if": {"pattern": "^a"}, "then": {"maxLength": 2}, "else": {"minLength": 2}},
        ['"a"', '"ab"', '"bcd"'], ['"abc"', '"b"'],
    ),
    "contains": (
        {"type": "array", "contains": {"const": 1}}, ["[1]", "[0, 1]", "[1, [], 1]"], ["[]", "[0]"],
    ),
    "contains so many": (
        {"type": "array", "items": {"enum": [0, 1]}, "contains": {"const": 1}, "minContains": 2, "maxContains": 3},
        ["[1, 0, 1]", "[1, 1, 1, 0]"], ["[1]", "[1, 1, 1, 1]", "[0, 0]"],
    ),
    "contains nothing of it": (
        {"type": "array", "not": {"contains": STRING}}, ["[]", "[1, null]"], ['["a"]', '[1, "a"]'],
    ),
    "all but lists of strings": ({"not": {"items": STRING}}, ["[1]", '["a", 1]'], ["[]", '["a"]', "1"]),
    "patterns that overlap": (
        {"type": "object", "patternProperties": {"a": NUMBER, "b": {"maximum": 2}}},
        ['{"a": 3, "b": 1, "c": "x"}', '{"ab": 2}', '{"b": "x"}'], ['{"ab": 3}', '{"ab": "x"}', '{"b": 3}'],
    ),
    "a member that breaks a pattern": (
        {"type": "object", "not": {"patternProperties": {"^a": NUMBER}}},
        ['{"a": "x"}', '{"b": 1, "ab": null}'], ["{}", '{"a": 1}', '{"b": "x"}'],
    ),
    "names of a pattern beside declared ones": (
        {"type": "object", "properties": {"a": NUMBER, "b1": STRING}, "propertyNames": {"pattern": "[0-9]"}},
        ["{}", '{"b1": "x", "c2": null}'], ['{"a": 1}', '{"b1": 1}', '{"c": 1}'],
    ),
    "dates as names": (
        {"type": "object", "propertyNames": {"format": "date"}, "additionalProperties": {"type": "integer"}},
        ['{"2024-02-29": 1}', "{}"], ['{"2023-02-29": 1}', '{"2024-02-29": "x"}'],
    ),
    "a name that is no name of a list": (
        {"type": "object", "not": {"propertyNames": {"enum": ["a", "b"]}}},
        ['{"c": 1}', '{"a": 1, "x": 2}'], ["{}", '{"a": 1}'],
    ),
    "different items of a long list": (
        {"type": "array", "items": {"enum": list(range(40))}, "uniqueItems": True, "minItems": 2},
        ["[1, 39, 0]", json.dumps(list(range(40)))], ["[1]", "[1, 2, 1]", json.dumps([*range(40), 0])],
    ),
    "different items by position": (
        {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "boolean"}], "items": False,
         "uniqueItems": True},
        ["[true, false]", "[true]", "[]"], ["[true, true]", "[true, false, true]"],
    ),
    "different whole numbers between two bounds": (
        {"type": "array", "items": {"type": "integer", "minimum": -2, "exclusiveMaximum": 20}, "uniqueItems": True},
        ["[]", "[-2, 19, 0]", json.dumps(list(range(-2, 20)))], ["[20]", "[1, 2, 1]", "[-3]"],
    ),
    "different items, so many of them of a kind": (
        {"type": "array", "items": {"enum": ["a", "b", 1, 2, 3]}, "contains": STRING, "maxContains": 1,
         "uniqueItems": True, "minItems": 2, "maxItems": 3},
        ['["a", 1]', '[1, 2, "b"]'], ["[1, 2, 3]", '["a", "b"]', '["a"]', '["a", 1, 1]', '["a", 1, 2, 3]'],
    ),
    "twenty patterns of names": (
        {"type": "object", "patternProperties": {f"^{letter}_": {"minimum": index} for index, letter in
                                                  enumerate("abcdefghijklmnopqrst")}},
        ['{"a_": 0, "t_x": 19, "b": 0}', '{"t_": "x"}'], ['{"t_": 18}', '{"a_": 0, "b_1": 0}'],
    ),
    "a password": (
        {**STRING, "pattern": r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[^a-zA-Z0-9])(?!.*\s).{8,15}$"},
        ['"aB3-aB3-"', '"x9Yééééééé"'], ['"aB3-aB3"', '"aB3 aB3-"', '"aB3aB3aB3"', '"aB3-aB3-aB3-aB3-"'],
    ),
    "a password of many, looked ahead at": (
        {**STRING, "pattern": "^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[!@#$%^&*])(?=.{8,64})"},
        ['"aB3!aB3!"'], ['"aB3!aB3"', '"aB3aB3aB3"'],
    ),
    "two equal items": (
        {"type": "array", "items": {"enum": ["a", "b"]}, "not": {"uniqueItems": True}},
        ['["a", "b", "a"]'], ["[]", '["a", "b"]'],
    ),
    "different items of different types": (
        {"type": "array", "prefixItems": [STRING, NUMBER], "items": False, "uniqueItems": True},
        ['["a", 1]'], ["[1]", '["a", 1, 2]'],
    ),
    "unevaluated properties": (
        {"type": "object", "properties": {"a": NUMBER}, "unevaluatedProperties": False},
        ["{}", '{"a": 1}'], ['{"b": 1}', '{"a": 1, "b": 1}'],
    ),
    "unevaluated by which part holds": (
        {"type": "object", "properties": {"kind": STRING},
         "anyOf": [{"properties": {"kind": {"const": "a"}, "x": NUMBER}, "required": ["kind"]},
                   {"properties": {"y": NULL}, "required": ["y"]}],
         "unevaluatedProperties": False},
        ['{"kind": "a", "x": 1}', '{"kind": "b", "y": null}', '{"kind": "a", "x": 1, "y": null}'],
        ['{"kind": "b", "x": 1}', '{"kind": "b", "y": null, "x": 1}', '{"kind": "a", "z": 1}'],
    ),
    "unevaluated items": (
        {"type": "array", "prefixItems": [NUMBER], "if": {"prefixItems": [True, STRING]}, "unevaluatedItems": False},
        ["[]", "[1]", '[1, "a"]'], ["[1, 2]", '[1, "a", 3]'],
    ),
    "an optional property that nothing fits": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": NUMBER},
         "$defs": {"a": {"enum": ["a"], "type": "integer"}}},
        ["{}", '{"b": 1}', '{"c": 1}'], ['{"a": 1}', '{"a": "a"}'],
    ),
    "an item that nothing fits": (
        {"type": "array", "items": {"type": "string", "pattern": "^a", "maxLength": 0}}, ["[]"], ['["a"]', '[""]'],
    ),
    "keywords in any order": (
        {"type": "object", "anyOf": [{"required": ["name"]}, {"required": ["id"]}], "additionalProperties": {},
         "properties": {"name": STRING}},
        ['{"id": 1}', '{"name": "x", "note": "y"}'], ["{}", '{"name": 1}', '{"note": "y"}'],
    ),
    "patterns beside a part": (
        {"type": "object", "properties": {"a": {}}, "patternProperties": {"^b": {"type": "integer"}},
         "additionalProperties": False, "allOf": [{"required": ["a"]}]},
        ['{"a": 1, "b": 2}'], ['{"b": 2}', '{"a": 1, "b": "x"}', '{"a": 1, "c": 2}'],
    ),
    "everyday bounds": (
        {**NUMBER, "exclusiveMinimum": 0, "maximum": 0.5}, ["0.5", "0.50", "0.1", "1e-5"], ["0", "-0", "0.51", "0.0"],
    ),
    "decimals": ({**NUMBER, "minimum": 0, "maximum": 99.99}, ["99.9", "99.99", "0"], ["99.991", "100", "-1"]),
    "int64": (
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        ["0", str(2**63 - 1), str(-(2**63))], [str(2**63), str(-(2**63) - 1)],
    ),
    "beyond what a float holds": (
        {"type": "integer", "minimum": 2**53 + 1}, [str(2**53 + 1)], [str(2**53)],
    ),
    "true": (True, ["1", '{"a": [null]}'], ["nul", ""]),
    "a name said twice": (
        {**OPEN_NAMES, "minProperties": 1}, ['{"a": 1}', '{"a": 1, "b": 2}'], ["{}", '{"a": "x"}'],
    ),
    "listed names that are counted": (
        {"type": "object", "propertyNames": {"enum": ["a", "b", "c"]}, "minProperties": 2},
        ['{"a": 1, "b": 2}', '{"b": 1, "c": 2}'], ['{"a": 1}', '{"a": 1, "a": 2}'],
    ),
    "required names beside a count": (
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "minProperties": 2},
        ['{"a": 1, "b": 2}'], ['{"a": 1}', '{"a": 1, "a": 2}'],
    ),
    "at most two of any names": (
        {"type": "object", "maxProperties": 2}, ["{}", '{"a": 1, "b": 2}'], ['{"a": 1, "b": 2, "c": 3}'],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_valid_texts_are_accepted_and_no_others(name: str) -> None:
    schema, valid, invalid = CASES[name]
    guard = Guard.json_schema(schema, BYTES)
    assert [True] * len(valid) == [guard.accepts(text) for text in valid]
    assert [False] * len(invalid) == [guard.accepts(text) for text in invalid]


@pytest.mark.parametrize("number", [29, 300])
def test_a_discriminated_union_may_have_any_number_of_members(number: int) -> None:
    members = [
        {"type": "object", "properties": {"kind": {"const": f"k{index}"}, f"x{index}": {"type": "integer"}},
         "required": ["kind"], "additionalProperties": False}
        for index in range(number)
    ]  # fmt: skip
    guard = Guard.json_schema({"oneOf": members}, BYTES, limits=PATIENT)
    last = number - 1
    assert guard.accepts(f'{{"kind": "k{last}", "x{last}": 1}}')
    assert not guard.accepts(f'{{"kind": "k{last}", "x0": 1}}')
    assert not guard.accepts('{"kind": "k"}')


@pytest.mark.parametrize("number", [505, 2000])
@pytest.mark.parametrize("rest", [{}, {"additionalProperties": False}])
def test_optional_properties_may_be_many(number: int, rest: dict[str, Any]) -> None:
    names = [f"p{index}" for index in range(number)]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}, **rest}
    guard = Guard.json_schema(schema, BYTES, limits=PATIENT)
    assert guard.accepts(json.dumps(dict.fromkeys(names[:: number // 20], 1)))
    assert not guard.accepts(f'{{"{names[2]}": 1, "{names[1]}": 1}}')
    assert not guard.accepts(f'{{"{names[-1]}": 1, "{names[-1]}": 1}}')
    assert ("additionalProperties" not in rest) == guard.accepts(f'{{"{names[-1]}": 1, "q": null}}')


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "different items of an open list": (
        {"properties": {"a": {"type": "array", "items": STRING, "uniqueItems": True}}},
        "'uniqueItems' at /properties/a/uniqueItems", "allow at most 60 values, by enum or by bounds of integers",
    ),
    "different items of too long a list": (
        {"type": "array", "items": {"enum": list(range(61))}, "uniqueItems": True},
        "'uniqueItems' at /uniqueItems", "allow at most 60 values",
    ),
    "two members of open names": (
        {"items": {**OPEN_NAMES, "minProperties": 2}}, "'minProperties' at /items/minProperties", "list the names",
    ),
    "a pattern that is no regular language": (
        {"prefixItems": [{"not": {"pattern": r"(a)\1"}}]}, "'pattern' at /prefixItems/0/not/pattern", r"\1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_named_with_its_location_and_a_way_out(name: str) -> None:
    schema, location, way_out = REFUSED[name]
    with pytest.raises(UnsupportedError) as raised:
        Guard.json_schema(schema, BYTES)
    assert location in str(raised.value)
    assert way_out in str(raised.value)


def test_only_a_schema_without_any_instance_is_one_that_leaves_nothing() -> None:
    with pytest.raises(GuardError, match="must leave something to generate"):
        Guard.json_schema(
            {"type": "object", "required": ["a"], "properties": {"a": {"allOf": [STRING, NUMBER]}}}, BYTES
        )
    assert Guard.json_schema({"properties": {"a": False}, "type": "object"}, BYTES).accepts("{}")


@pytest.mark.parametrize(
    ("whitespace", "right", "wrong"),
    [
        (
            "flexible",
            ['{"a":[1 ,2],"b" : 1}', '{ "a": [ 1, 2 ], "b": 1\n}'],
            [' {"a":[1,2],"b":1}', '{"a":[1,2],"b":1} '],
        ),
        ("spaced", ['{"a": [1, 2], "b": 1}'], ['{"a":[1,2],"b":1}', '{"a": [1,2], "b": 1}', '{"a": [ 1, 2], "b": 1}']),
        ("compact", ['{"a":[1,2],"b":1}'], ['{"a": [1,2],"b":1}', '{"a":[1, 2],"b":1}']),
    ],
)
def test_whitespace_is_as_it_was_asked_for(whitespace: Any, right: list[str], wrong: list[str]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": NUMBER}}}
    guard = Guard.json_schema(schema, BYTES, whitespace=whitespace)
    assert [True] * len(right) == [guard.accepts(text) for text in right]
    assert [False] * len(wrong) == [guard.accepts(text) for text in wrong]


def test_items_that_all_differ_are_asked_for_only_as_far_as_there_are_values() -> None:
    few = {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2]}, "minItems": 3}
    with pytest.raises(GuardError, match="a schema must leave something to generate"):
        Guard.json_schema(few, BYTES)
    schema = {"type": "object", "properties": {"x": few, "y": {"type": "integer"}}, "additionalProperties": False}
    guard = Guard.json_schema(schema, BYTES)
    assert [True, True, False] == [guard.accepts(text) for text in ("{}", '{"y":1}', '{"x":[1,2,1]}')]
    assert len('{"') == guard.legal_head('{"x":[1,2')


def test_items_of_several_kinds_that_may_use_up_a_later_one_s_values_are_refused_by_name() -> None:
    prefix = {"type": "array", "uniqueItems": True, "prefixItems": [{"enum": [1, 2]}, {"const": 1}], "minItems": 2}
    with pytest.raises(UnsupportedError, match=r"'uniqueItems' at /uniqueItems .*no value may be left"):
        Guard.json_schema({**prefix, "items": {"enum": [1, 2]}}, BYTES)


@pytest.mark.parametrize("number", [2**31, 2**32, 2**63, 10**30])
def test_more_than_any_text_has_is_no_bound(number: int) -> None:
    schema = {"type": "object", "properties": {"s": {"type": "string", "maxLength": number}}, "maxProperties": number}
    assert Guard.json_schema(schema, BYTES).accepts('{"s":"abc"}')
    assert Guard.json_schema({"type": "array", "maxItems": number}, BYTES).accepts("[1]")
    with pytest.raises(UnsupportedError, match=r"'minLength' at /minLength \(no text is that long"):
        Guard.json_schema({"type": "string", "minLength": number}, BYTES)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_different_items_of_which_so_many_fit_are_those_that_jsonschema_finds_valid(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from(["a", "b", 1, 2, None]), min_size=1, unique=True))
    number = st.integers(0, 3)
    schema: dict[str, Any] = {"type": "array", "items": {"enum": values}, "uniqueItems": True, "contains": STRING}
    for keyword in ("minItems", "maxItems", "minContains", "maxContains"):
        bound = data.draw(st.none() | number)
        schema |= {} if bound is None else {keyword: bound}
    valid = Draft202012Validator(schema)
    arrays = [list(some) for length in range(6) for some in permutations(values, length)]
    expected = [some for some in arrays if valid.is_valid(some)]
    if not expected:
        with pytest.raises(GuardError, match="must leave something to generate"):
            Guard.json_schema(schema, BYTES)
        return
    guard = Guard.json_schema(schema, BYTES)
    assert expected == [some for some in arrays if guard.accepts(json.dumps(some))]
    for some in arrays:  # what may be written can be completed
        head = "[" + ",".join(map(json.dumps, some))
        if guard.legal_head(head) == len(head):
            assert some in [whole[: len(some)] for whole in expected]
