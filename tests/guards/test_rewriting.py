"""The schema rewritten for xgrammar means the same: `jsonschema` finds the same instances valid in both."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from benchmarks.schemas import DEFAULT_SCHEMAS, read_rows
from ngramspec.errors import GuardError, UnsupportedError
from ngramspec.guards.schemas import for_xgrammar, prepared, work
from ngramspec.guards.schemas.drafts import URIS, draft_of
from ngramspec.guards.schemas.reading import read

NAMES = st.sampled_from(["a", "b", "ab", "c", 'a"b', "\n", "é"])
SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from([0.5, 2.5]) | st.text("abc", max_size=3)
INSTANCES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)
TYPES = st.sampled_from(["null", "boolean", "object", "array", "number", "string", "integer"])
COUNTS = st.integers(0, 3)
PATTERNS = st.sampled_from(["^a", "b$", "^[ab]*$", "c"])


def keywords(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few keywords, with values that mean something."""
    lists = st.lists(schemas, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, schemas, max_size=2)
    names = st.lists(NAMES, max_size=2, unique=True)
    values = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "const": INSTANCES,
        "enum": st.lists(INSTANCES, min_size=1, max_size=4),
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], st.integers(-1, 3)),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"], COUNTS),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "pattern": PATTERNS,
        **dict.fromkeys(["allOf", "anyOf", "oneOf", "prefixItems"], lists),
        **dict.fromkeys(["not", "if", "then", "else", "items", "contains", "additionalProperties"], schemas),
        "propertyNames": schemas,
        "properties": named,
        "patternProperties": st.dictionaries(PATTERNS, schemas, max_size=2),
        "dependentSchemas": named,
        "required": names,
        "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
        "uniqueItems": st.booleans(),
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
    }
    some = st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4, unique=True)
    return some.flatmap(lambda chosen: st.fixed_dictionaries({name: values[name] for name in chosen}))


LEAVES = (
    st.booleans()
    | TYPES.map(lambda name: {"type": name})
    | st.lists(SCALARS, min_size=1).map(lambda values: {"enum": values})
)
SCHEMAS = st.recursive(LEAVES, keywords, max_leaves=6)
CHANCES = st.integers(0, 2**32).map(Random)
APART = SCHEMAS.filter(lambda schema: "/one" not in json.dumps(schema))
RECURSIVE = {"type": "object", "properties": {"a": {"$ref": "#/$defs/two"}}, "required": ["b"]}


# What pydantic, zod and function calls write.
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
DEFINITIONS = {
    "closed": CLOSED,
    "node": {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}, "b": {"type": "integer"}}},
    "color": {"enum": ["a", "b", None]},
    "small": {"minimum": 1, "maximum": 2},
}
GROUPED: list[dict[str, Any]] = [
    {"additionalProperties": False}, {"properties": {"a": {"type": "string"}}}, {"properties": {"a": {}, "b": {}}},
    {"prefixItems": [{"type": "integer"}, {}]}, {"items": {"type": "string"}}, {"items": False},
]  # fmt: skip
"""Keywords that mean something else beside others."""
REFERENCES = st.sampled_from([{"$ref": f"#/$defs/{name}"} for name in DEFINITIONS])
LETTERS = st.sampled_from(["a", "b", "ab", "c", "é"])
SINGLE = (
    st.sampled_from(
        [
            {"type": "string"}, {"type": "boolean"}, {"type": "null"}, {"type": ["integer", "null"]}, True, {},
            {"type": "string", "pattern": "^a"}, {"type": "string", "minLength": 1, "maxLength": 2},
            {"type": "integer", "minimum": 1.0, "exclusiveMaximum": 2.5}, {"minimum": 1, "maximum": 2},
            {"type": "array", "items": {"type": "integer"}, "minItems": 1}, {"type": "array", "prefixItems": [{}]},
        ]
    )
    | SCALARS.map(lambda value: {"const": value})
    | st.lists(SCALARS, min_size=1).map(lambda values: {"type": ["string", "number"], "enum": values})
    | REFERENCES
)  # fmt: skip


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    """An object, with a tag perhaps, with alternatives beside it perhaps."""
    found: dict[str, Any] = {"properties": draw(st.dictionaries(LETTERS, inner, max_size=3))}
    if draw(st.booleans()):
        found["type"] = "object"
    if draw(st.booleans()):
        found["properties"]["a"] = {"const": draw(st.sampled_from(["a", "b", 1]))}
    if draw(st.booleans()):
        found["required"] = draw(st.lists(LETTERS, max_size=2, unique=True))
    if draw(st.booleans()):
        found["additionalProperties"] = draw(inner | st.just(False))
    keyword = draw(st.sampled_from(["anyOf", "oneOf", "allOf", None, None, None]))
    if keyword is not None:
        parts = LETTERS.map(lambda name: {"required": [name]}) | st.just({"type": "object"}) | inner
        found[keyword] = draw(st.lists(parts, min_size=1, max_size=2))
    return found


def combinations(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas of `inner` ones: objects, arrays, choices, a reference with something beside it."""
    some = st.lists(objects(inner) | inner, min_size=1, max_size=3)
    beside = st.sampled_from([{}, {"type": "object"}, {"type": "integer"}, {"minimum": 1}, *GROUPED])
    return (
        objects(inner)
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda rest, word, ways: {**rest, word: ways}, beside, st.sampled_from(["anyOf", "oneOf"]), some)
        | st.builds(lambda parts: {"allOf": parts}, st.lists(inner | beside, min_size=1, max_size=3))
        | st.builds(lambda rest, reference: {**rest, **reference}, beside, REFERENCES)
    )


EVERYDAY = st.recursive(SINGLE, combinations, max_leaves=6).filter(lambda schema: isinstance(schema, dict))
EVERYDAY_INSTANCES = st.lists(
    INSTANCES | st.dictionaries(LETTERS, SCALARS | st.sampled_from(["a", "b", {"b": 1}, {"b": "x"}]), max_size=3),
    min_size=1,
    max_size=12,
)


def turned(value: Any, chance: Random) -> Any:
    """`value` with the keys of all its objects in another order, which means the same."""
    if isinstance(value, list):
        return [turned(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    items = [(key, turned(item, chance)) for key, item in value.items()]
    chance.shuffle(items)
    return dict(items)


def given_to_xgrammar(schema: dict[str, Any], *, lenient: bool = False) -> dict[str, Any]:
    """The document itself; what xgrammar would not enforce is an UnsupportedError, or left out."""
    document = json.loads(prepared(json.dumps(schema), "xgrammar", lenient)[0])
    return document if isinstance(document, dict) else {"allOf": [document]}


def combined(schema: dict[str, Any]) -> dict[str, Any]:
    """All of a schema, before anything is refused and before the dialect of patterns, as one more JSON schema."""
    root, definitions = read(schema)
    found = for_xgrammar.adapted({"": root} | definitions)
    rest = {name: found[name] for name in found if name}
    return {"$defs": rest, "allOf": [found[""]]}


def assert_same(before: dict[str, Any], after: dict[str, Any], instances: list[Any]) -> None:
    ours, theirs = Draft202012Validator(after), Draft202012Validator(before)
    for instance in instances:
        assert theirs.is_valid(instance) == ours.is_valid(instance), (json.dumps(before), instance)


@given(schema=keywords(SCHEMAS), one=APART, instances=st.lists(INSTANCES, min_size=1, max_size=8), chance=CHANCES)
@settings(max_examples=300)
@example(
    schema={"oneOf": [{"type": "object", "required": ["a"]}, {"required": ["b"]}]},
    one=True,
    instances=[{"a": 1}, 3],
    chance=Random(0),
)
@example(
    schema={"$ref": "#/$defs/two", "properties": {"c": False}},
    one=True,
    instances=[{"b": 1, "a": {"b": 1}}],
    chance=Random(0),
)
@example(schema={"enum": [[]], "const": None, "$ref": "#/$defs/one"}, one=True, instances=[None, []], chance=Random(0))
@example(
    schema={"type": "object", "properties": {"a": True}, "allOf": [{"additionalProperties": False}]},
    one=True,
    instances=[{"a": 1}, {}],
    chance=Random(0),
)
@example(
    schema={"type": "array", "items": False, "anyOf": [{"prefixItems": [True]}, {"maxItems": 1}]},
    one=True,
    instances=[[1], []],
    chance=Random(0),
)
@example(schema={"enum": [1, None], "const": 1}, one=True, instances=[None, 1], chance=Random(0))
@example(schema={"const": 1, "allOf": [{"const": True}]}, one=True, instances=[True, 1], chance=Random(0))
@example(schema={"$ref": "#/$defs/one", "const": 1}, one={"const": True}, instances=[True, 1], chance=Random(0))
def test_a_combined_schema_has_the_same_valid_instances(
    schema: dict[str, Any], one: Any, instances: list[Any], chance: Random
) -> None:
    document = turned({**schema, "$defs": {"one": one, "two": RECURSIVE}}, chance)
    try:
        after = combined(document)
    except GuardError:  # a reference in a circle
        reject()
    assert_same(document, after, instances)


@given(schema=EVERYDAY, instances=EVERYDAY_INSTANCES, chance=CHANCES)
@settings(max_examples=500)
@example(
    schema={"type": ["null", "integer"], "enum": [0.5, 2.0], "pattern": "a"},
    instances=[0.5, 2],
    chance=Random(0),
)
@example(
    schema={"$ref": "#/$defs/closed", "additionalProperties": False, "$defs": {"closed": CLOSED}},
    instances=[{"a": "x"}, {}],
    chance=Random(0),
)
def test_the_document_that_xgrammar_is_given_has_the_same_valid_instances(
    schema: dict[str, Any], instances: list[Any], chance: Random
) -> None:
    document = turned({"$defs": DEFINITIONS, **schema}, chance)
    try:
        after = given_to_xgrammar(document)
    except UnsupportedError:
        reject()
    assert_same(document, after, instances)


def test_of_the_schemas_drawn_above_more_than_a_third_are_given_to_xgrammar() -> None:
    taken: list[bool] = []

    @given(schema=EVERYDAY)
    @settings(max_examples=200, database=None, derandomize=True)
    def count(schema: dict[str, Any]) -> None:
        with suppress(UnsupportedError):
            given_to_xgrammar({"$defs": DEFINITIONS, **schema})
            taken.append(True)
            return
        taken.append(False)

    count()
    assert sum(taken) > len(taken) / 3


@given(schema=keywords(SCHEMAS), one=APART, instances=st.lists(INSTANCES, min_size=1, max_size=8), chance=CHANCES)
@settings(max_examples=300)
@example(
    schema={"properties": {'a"b': True}, "additionalProperties": False},
    one=True,
    instances=[{'a"b': 1}],
    chance=Random(0),
)
@example(
    schema={"patternProperties": {"^a": True}, "properties": {"b": True}, "additionalProperties": False},
    one=True,
    instances=[{"ab": 1}],
    chance=Random(0),
)
@example(schema={"prefixItems": [True, False], "items": False}, one=True, instances=[[1]], chance=Random(0))
def test_lenient_leaves_nothing_out_that_makes_a_valid_instance_invalid(
    schema: dict[str, Any], one: Any, instances: list[Any], chance: Random
) -> None:
    document = turned({**schema, "$defs": {"one": one, "two": RECURSIVE}}, chance)
    before = Draft202012Validator(document)
    try:
        after = Draft202012Validator(given_to_xgrammar(document, lenient=True))
    except GuardError:  # a reference in a circle
        reject()
    for instance in instances:
        assert after.is_valid(instance) or not before.is_valid(instance), (json.dumps(document), instance)


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 300))
@settings(max_examples=50)
def test_combining_ends_with_its_budget(seed: int, steps: int) -> None:
    chance = Random(seed)
    schema: dict[str, Any] = {"minimum": 3}
    for level in range(6):
        ways: list[dict[str, Any]] = [
            {"anyOf": [schema, {"type": "string"}], "maximum": level},
            {"allOf": [schema, {"anyOf": [{"minLength": level}, {"minItems": level}]}]},
            {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"a": schema}}]},
        ]
        schema = chance.choice(ways)
    with work.budget(steps=10**9) as left:
        combined(schema)
    needed = 10**9 - left.steps
    with work.budget(steps=needed):
        combined(schema)
    with work.budget(steps=min(steps, needed - 1)), pytest.raises(GuardError, match="must be rewritten in at most"):
        combined(schema)


def test_alternatives_that_multiply_are_an_error() -> None:
    schema = {"allOf": [{"anyOf": [{"minimum": 1}, {"type": "string"}]} for _ in range(40)]}
    with pytest.raises(GuardError, match="must be rewritten in at most 500_000 steps"):
        prepared(json.dumps(schema), "xgrammar", lenient=False)


RECORDED = DEFAULT_SCHEMAS / "jsonschemabench.jsonl.gz"


@pytest.mark.skipif(not RECORDED.exists(), reason="needs recorded schemas beside the repository")
def test_combined_recorded_schemas_have_the_same_valid_instances() -> None:
    num_compared = 0
    for row in list(read_rows(RECORDED, None))[::8]:
        before = validator_for({"$schema": URIS[draft_of(row["schema"])]})(row["schema"])
        after = Draft202012Validator(combined(row["schema"]))
        for instance in [*row["valid"], *row["invalid"]]:
            assert before.is_valid(instance) == after.is_valid(instance), (row["id"], instance)
            num_compared += 1
    assert num_compared > 300
