"""A rewritten schema says the same: `jsonschema` finds the same instances valid in both."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from benchmarks.schemas import DEFAULT_SCHEMAS, read_rows
from ngramspec.errors import GuardError
from ngramspec.guards.schemas import for_xgrammar, prepared
from ngramspec.guards.schemas.drafts import URIS, draft_of
from ngramspec.guards.schemas.reading import read
from ngramspec.guards.schemas.rewriting import Rewriter

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


def turned(value: Any, chance: Random) -> Any:
    """`value` with the keys of all its objects in another order, which means the same."""
    if isinstance(value, list):
        return [turned(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    items = [(key, turned(item, chance)) for key, item in value.items()]
    chance.shuffle(items)
    return dict(items)


def given_to_xgrammar(schema: dict[str, Any]) -> dict[str, Any]:
    """The document itself; what xgrammar would not enforce is an UnsupportedError."""
    document = json.loads(prepared(json.dumps(schema), "xgrammar", lenient=False)[0])
    return document if isinstance(document, dict) else {"allOf": [document]}


def rewritten(schema: dict[str, Any]) -> dict[str, Any]:
    """What is handed to xgrammar, before its dialect of patterns, as one more JSON schema."""
    root, definitions = read(schema)
    rewriter = Rewriter(definitions, for_xgrammar.RULES)
    schemas = {"": rewriter.rewritten(root)} | {name: rewriter.definition(name) for name in definitions}
    found = for_xgrammar.adapted(schemas)
    rest = {name: found[name] for name in found if name}
    return {"$defs": rest, "allOf": [found[""]]}


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
@example(schema={"enum": [1, None], "const": 1}, one=True, instances=[None, 1], chance=Random(0))
def test_a_rewritten_schema_has_the_same_valid_instances(
    schema: dict[str, Any], one: Any, instances: list[Any], chance: Random
) -> None:
    document = turned({**schema, "$defs": {"one": one, "two": RECURSIVE}}, chance)
    before = Draft202012Validator(document)
    try:
        after = Draft202012Validator(rewritten(document))
    except GuardError:  # combined references without an end
        reject()
    for instance in instances:
        assert before.is_valid(instance) == after.is_valid(instance), (json.dumps(document), instance)


@given(schema=keywords(SCHEMAS), one=APART, instances=st.lists(INSTANCES, min_size=1, max_size=8), chance=CHANCES)
@settings(max_examples=300)
@example(
    schema={"type": ["null", "integer"], "enum": [0.5, 2.0], "pattern": "a"},
    one=True,
    instances=[0.5, 2],
    chance=Random(0),
)
@example(
    schema={"items": {"type": "integer", "enum": [0.5, 1]}, "uniqueItems": True, "type": "array"},
    one=True,
    instances=[[0.5], [1]],
    chance=Random(0),
)
def test_the_document_that_xgrammar_is_given_has_the_same_valid_instances(
    schema: dict[str, Any], one: Any, instances: list[Any], chance: Random
) -> None:
    document = turned({**schema, "$defs": {"one": one, "two": RECURSIVE}}, chance)
    before = Draft202012Validator(document)
    try:
        after = Draft202012Validator(given_to_xgrammar(document))
    except GuardError:  # something that xgrammar would not enforce
        reject()
    for instance in instances:
        assert before.is_valid(instance) == after.is_valid(instance), (json.dumps(document), instance)


RECORDED = DEFAULT_SCHEMAS / "jsonschemabench.jsonl.gz"


@pytest.mark.skipif(not RECORDED.exists(), reason="needs recorded schemas beside the repository")
def test_rewritten_recorded_schemas_have_the_same_valid_instances() -> None:
    num_compared = 0
    for row in list(read_rows(RECORDED, None))[::8]:
        before = validator_for({"$schema": URIS[draft_of(row["schema"])]})(row["schema"])
        try:
            after = Draft202012Validator(rewritten(row["schema"]))
        except GuardError:  # combined references without an end
            continue
        for instance in [*row["valid"], *row["invalid"]]:
            assert before.is_valid(instance) == after.is_valid(instance), (row["id"], instance)
            num_compared += 1
    assert num_compared > 300
