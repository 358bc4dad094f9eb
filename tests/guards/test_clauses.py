"""Objects under many conditions at once: a guard accepts exactly what `jsonschema` finds valid."""

import json
from collections.abc import Callable
from itertools import combinations, permutations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards import Guard, Limits
from tests.guards.vocabularies import BYTES

PATIENT = Limits(max_seconds=300)
INTEGER = {"type": "integer"}


def tagged(number: int, *, required: bool) -> dict[str, Any]:
    """A condition for each value of one key."""
    there = {"required": ["kind"]} if required else {}
    return {
        "type": "object", "properties": {"kind": {"type": "string"}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": f"k{index}"}}, **there},
             "then": {"required": [f"x{index}"], "properties": {f"x{index}": INTEGER}}}
            for index in range(number)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("number", [10, 30])
@pytest.mark.parametrize("required", [False, True])
def test_conditions_over_one_key_may_be_many(number: int, required: bool) -> None:
    schema = tagged(number, required=required)
    guard, valid = Guard.json_schema(schema, BYTES, limits=PATIENT), Draft202012Validator(schema)
    names = [f"x{index}" for index in range(number)]
    values: list[dict[str, Any]] = [
        {}, {"kind": "other"}, {"kind": "k3"}, {"kind": "k3", "x3": 1}, {"kind": "k3", "x3": "1"},
        {"kind": "k3", "x4": 1},
        {"kind": "k4", "x3": None, "x4": 1}, {"kind": 4}, {"x3": 5}, dict.fromkeys(names, 1),
        {**dict.fromkeys(names, 1), "y": 2},
        {"kind": "other", "x3": "1"}, dict.fromkeys(names[1:], 1),
    ]  # fmt: skip
    assert [valid.is_valid(value) for value in values] == [guard.accepts(json.dumps(value)) for value in values]


PAIRS: dict[str, dict[str, Any]] = {
    "dependentRequired": {"dependentRequired": {f"a{index}": [f"b{index}"] for index in range(30)}},
    "dependentRequired that all name one": {"dependentRequired": {f"a{index}": ["b0"] for index in range(30)}},
    "dependentSchemas": {
        "dependentSchemas": {f"a{index}": {"properties": {f"b{index}": INTEGER}} for index in range(30)}
    },
    "one of two": {
        "allOf": [{"anyOf": [{"required": [f"a{index}"]}, {"required": [f"b{index}"]}]} for index in range(12)]
    },
    "exactly one of two": {
        "allOf": [{"oneOf": [{"required": [f"a{index}"]}, {"required": [f"b{index}"]}]} for index in range(12)]
    },
    "not both": {"allOf": [{"not": {"required": [f"a{index}", f"b{index}"]}} for index in range(30)]},
    "not one of many pairs": {"not": {"anyOf": [{"required": [f"a{index}", f"b{index}"]} for index in range(30)]}},
    "either a value or another key": {
        "allOf": [
            {"anyOf": [{"properties": {f"a{index}": {"const": 1}}}, {"required": [f"b{index}"]}]} for index in range(12)
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_names_may_be_many(name: str) -> None:
    schema = {"type": "object", **PAIRS[name]}
    guard, valid = Guard.json_schema(schema, BYTES, limits=PATIENT), Draft202012Validator(schema)
    chance = Random(5)
    found = []
    for _ in range(60):
        mostly = chance.choice(["", "a", "b", "ba"])
        pairs = [
            [
                f"{letter}{index}"
                for letter in (mostly if chance.random() < 0.95 else chance.choice(["", "a", "b", "ba"]))
            ]
            for index in range(12)
        ]
        value = {key: chance.choice([1, 1, 1, 1, "x"]) for pair in pairs for key in pair}
        orders = ({key: value[key] for key in order} for order in _orders(pairs))
        found.append(valid.is_valid(value))
        assert found[-1] == any(guard.accepts(json.dumps(each)) for each in orders), value
    assert {True, False} == set(found)


def _orders(pairs: list[list[str]]) -> list[list[str]]:
    """Names pair by pair, a first or b first, and all of one letter first; one they all depend on before them."""
    flat = [key for pair in pairs for key in pair]
    swapped = [key for pair in pairs for key in pair[::-1]]
    return [flat, swapped, sorted(flat, key=lambda key: (key != "b0", key[0]))]


NAMES = ["a", "b", "c"]


def _part(chance: Random) -> dict[str, Any]:
    """What may be asked of properties by name."""
    found: dict[str, Any] = {}
    if chance.random() < 0.6:
        found["required"] = chance.sample(NAMES, chance.randint(1, 2))
    if chance.random() < 0.7 or not found:
        asked: list[Any] = [
            {"const": 0},
            {"const": "x"},
            {"enum": [0, "x"]},
            INTEGER,
            False,
            {"minimum": 1},
            {"not": {"const": 0}},
        ]
        found["properties"] = {name: chance.choice(asked) for name in chance.sample(NAMES, chance.randint(1, 2))}
    return found


def _condition(chance: Random) -> dict[str, Any]:
    kinds: list[Callable[[], dict[str, Any]]] = [
        lambda: {"anyOf": [_part(chance) for _ in range(chance.randint(2, 3))]},
        lambda: {"if": _part(chance), "then": _part(chance)},
        lambda: {"if": _part(chance), "then": _part(chance), "else": _part(chance)},
        lambda: {"not": _part(chance)},
        lambda: {"dependentRequired": {chance.choice(NAMES): chance.sample(NAMES, 2)}},
        lambda: {"oneOf": [_part(chance), _part(chance)]},
    ]
    return chance.choice(kinds)()


def nothing(text: str) -> bool:
    """What a schema accepts that no value fits."""
    return False


VALUES = [
    dict(zip(names, values, strict=True))
    for length in range(4)
    for names in combinations(NAMES, length)
    for values in product([0, 1, "x"], repeat=length)
]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_any_conditions_by_name_are_enforced(seed: int) -> None:
    chance = Random(seed)
    schema: dict[str, Any] = {"type": "object", "allOf": [_condition(chance) for _ in range(chance.randint(4, 12))]}
    if chance.random() < 0.5:
        schema["properties"] = {name: {} for name in chance.sample(NAMES, 3)}
    if chance.random() < 0.3:
        schema |= {
            "minProperties": chance.randint(0, 2),
            "maxProperties": chance.randint(2, 3),
            "additionalProperties": False,
        }
        schema["properties"] = {name: {} for name in NAMES}
    valid = Draft202012Validator(schema)
    try:
        accepts: Callable[[str], bool] = Guard.json_schema(schema, BYTES, limits=PATIENT).accepts
    except UnsupportedError:
        reject()
    except GuardError as error:
        if "must leave something to generate" not in str(error):
            raise
        accepts = nothing
    for value in VALUES:
        orders = ({name: value[name] for name in order} for order in permutations(value))
        assert valid.is_valid(value) == any(accepts(json.dumps(each)) for each in orders), (schema, value)


def test_names_that_depend_on_one_another_are_to_be_declared_next_to_one_another() -> None:
    names = [[f"a{index}" for index in range(30)], [f"b{index}" for index in range(30)]]
    pairs = {"dependentRequired": {one: [other] for one, other in zip(*names, strict=True)}}
    apart = {"properties": {name: {} for name in (*names[0], *names[1])}, **pairs}
    with pytest.raises(UnsupportedError, match=r"'dependentRequired' at /dependentRequired .* next to one another"):
        Guard.json_schema(apart, BYTES, limits=PATIENT)
    beside = {"properties": {name: {} for pair in zip(*names, strict=True) for name in pair}, **pairs}
    assert Guard.json_schema(beside, BYTES, limits=PATIENT).accepts('{"a1":0,"b1":0}')
