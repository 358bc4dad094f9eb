"""Two schemas that are proved to have no value in common have none, and the search for proofs is bounded."""

from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ngramspec.errors import GuardError
from ngramspec.guards.schemas import for_xgrammar, work
from ngramspec.guards.schemas.disjoint import are_disjoint, are_told_apart
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.reading import read
from ngramspec.guards.schemas.rewriting import Rewriter
from tests.guards.test_rewriting import APART, INSTANCES, RECURSIVE, SCHEMAS, keywords

ANY_SCHEMA = keywords(SCHEMAS) | SCHEMAS
TAGS = st.sampled_from(["x", "y", 1, True, None])
TAGGED = st.builds(
    lambda tag, names: {"type": "object", "properties": {"a": {"const": tag}}, "required": ["a", *names]},
    TAGS, st.lists(st.sampled_from(["b", "c"]), max_size=1),
)  # fmt: skip


def parts(schemas: list[Any], one: Any) -> tuple[list[Schema], Any, list[Any]]:
    """The schemas as they are read, what resolves their references, and their validators."""
    definitions = {"one": one, "two": RECURSIVE}
    root, found = read({"$defs": definitions, "prefixItems": schemas})
    validators = [Draft202012Validator({"$defs": definitions, "allOf": [schema]}) for schema in schemas]
    assert isinstance(root, Node)
    return root["prefixItems"], found.__getitem__, validators


@given(pair=st.tuples(ANY_SCHEMA, ANY_SCHEMA), one=APART, instances=st.lists(INSTANCES, min_size=5, max_size=30))
@settings(max_examples=500)
def test_disjoint_schemas_have_no_value_in_common(pair: tuple[Any, Any], one: Any, instances: list[Any]) -> None:
    try:
        (first, second), resolve, validators = parts([*pair], one)
    except GuardError:  # a reference in a circle
        assume(False)
    if are_disjoint(first, second, resolve):
        assert [] == [instance for instance in instances if all(each.is_valid(instance) for each in validators)]


@given(ways=st.lists(TAGGED | SCHEMAS, min_size=2, max_size=4), one=APART, instances=st.lists(INSTANCES, min_size=9))
@settings(max_examples=500)
def test_alternatives_that_are_told_apart_have_no_value_in_common(
    ways: list[Any], one: Any, instances: list[Any]
) -> None:
    tags = ("x", "y", 1, True, None)
    instances = [*instances, *({"a": tag, "b": 0, "c": 0} for tag in tags), *tags, {"a": "x"}]
    try:
        read_ways, resolve, validators = parts(ways, one)
    except GuardError:
        assume(False)
    if are_told_apart(read_ways, resolve):
        assert all(sum(each.is_valid(instance) for each in validators) <= 1 for instance in instances)


def rewritten(document: dict[str, Any]) -> Schema:
    root, definitions = read(document)
    return Rewriter(definitions, for_xgrammar.RULES).rewritten(root)


@pytest.mark.parametrize("count", [29, 500])
def test_alternatives_with_a_tag_are_told_apart_however_many_there_are(count: int) -> None:
    ways = [{"type": "object", "properties": {"k": {"const": n}}, "required": ["k"]} for n in range(count)]
    with work.budget() as left:
        found = rewritten({"oneOf": [*ways, {"type": "null"}]})
    assert isinstance(found, Node)
    assert count + 1 == len(found["anyOf"])
    assert work.MAX_COMPARISONS == left.comparisons


def names_to_the_fifth(count: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(count)]

    def object_of(target: str) -> dict[str, Any]:
        return {
            "type": "object",
            "required": names,
            "properties": {key: {"$ref": f"#/$defs/{target}"} for key in names},
        }

    ways = [{"$ref": "#/$defs/D"}, {"$ref": "#/$defs/E"}]
    return {"$defs": {"D": object_of("D"), "E": object_of("E")}, "oneOf": ways}


def test_each_pair_is_compared_once_however_many_names_lead_to_it() -> None:
    with work.budget() as left:
        rewritten(names_to_the_fifth(30))
    assert 0 < work.MAX_COMPARISONS - left.comparisons < 100


def test_where_the_budget_of_comparisons_is_used_up_no_proof_is_found() -> None:
    kinds = ("null", "array")
    pair = [{"properties": {"a": {"type": kind}}, "required": ["a"], "type": "object"} for kind in kinds]
    (first, second), resolve, _ = parts(pair, True)
    assert are_disjoint(first, second, resolve)
    with work.budget(comparisons=1):
        assert not are_disjoint(first, second, resolve)


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 300))
@settings(max_examples=50)
def test_rewriting_ends_with_its_budget(seed: int, steps: int) -> None:
    chance = Random(seed)
    schema: dict[str, Any] = {"minimum": 3}
    for level in range(6):
        ways: list[dict[str, Any]] = [
            {"if": schema, "then": {"maximum": level}},
            {"not": schema},
            {"oneOf": [schema, {"type": "string"}]},
        ]
        schema = chance.choice(ways)
    with work.budget(steps=10**9) as left:
        rewritten(schema)
    needed = 10**9 - left.steps
    with work.budget(steps=needed):
        rewritten(schema)
    with work.budget(steps=min(steps, needed - 1)), pytest.raises(GuardError, match="must be rewritten in at most"):
        rewritten(schema)
