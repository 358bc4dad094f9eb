"""Keywords that combine schemas at the same value: `allOf`, `anyOf`, `oneOf`, `not`, `if`, references, dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations as pairs_of
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.listing import exactly
from ngramspec.guards.schemas.lark.rivals import rivals
from ngramspec.guards.schemas.lark.shapes import UNITS, Shape
from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import type_of

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.alternatives import Alternatives


def narrowed(ways: Alternatives, node: Node, json_type: str, shapes: Sequence[Shape]) -> list[Shape]:
    """`shapes` narrowed by all that `node` combines."""
    found = ways.all_of(shapes, _conjuncts(ways, node, json_type))
    return _exactly_one(ways, node["oneOf"], json_type, found) if "oneOf" in node and found else found


def _conjuncts(ways: Alternatives, node: Node, json_type: str) -> Iterator[list[Shape]]:
    """Lists of shapes of which `node` requires one each, by all combining keywords except `oneOf`."""
    for schema in _all(ways, node, json_type):
        yield ways.of_schema(schema, True, json_type)
    for schemas in _any(node, json_type):
        yield _united(ways, schemas, json_type)
    if "not" in node:
        yield ways.of_schema(node["not"], False, json_type)
    if "if" in node:
        yield _conditional(ways, node, json_type, True)


def opposites(ways: Alternatives, node: Node, json_type: str) -> list[Shape]:
    """Shapes whose union is the values for which something that `node` combines does not hold."""
    found: list[Shape] = []
    for schema in _all(ways, node, json_type):
        found += ways.of_schema(schema, False, json_type)
    for schemas in _any(node, json_type):
        found += _none(ways, schemas, json_type)
    if "not" in node:
        found += ways.of_schema(node["not"], True, json_type)
    if "if" in node:
        found += _conditional(ways, node, json_type, False)
    if "oneOf" in node:
        alternatives = [ways.of_schema(schema, True, json_type) for schema in node["oneOf"]]
        found += _none(ways, node["oneOf"], json_type)
        for one, other in pairs_of(alternatives, 2):
            found += ways.both(one, other)
    return found


def _all(ways: Alternatives, node: Node, json_type: str) -> Iterator[Schema]:
    """Schemas that `node` requires, all of them."""
    yield from node.get("allOf", ())
    if "$ref" in node:
        yield ways.resolve(named(node))
    if json_type == "object" and "unevaluatedProperties" in node:
        yield ways.closing(node, "unevaluatedProperties")
    if json_type == "array" and "unevaluatedItems" in node:
        yield ways.closing(node, "unevaluatedItems")


def _any(node: Node, json_type: str) -> Iterator[list[Schema]]:
    """Lists of schemas of which `node` requires one each."""
    if "anyOf" in node:
        yield node["anyOf"]
    if json_type in ("array", "object"):
        for keyword in ("const", "enum"):
            if keyword in node:
                values = [node["const"]] if keyword == "const" else node["enum"]
                yield [exactly(value, node.location) for value in values if type_of(value) == json_type]
    if json_type == "object":
        yield from _dependencies(node)


def _dependencies(node: Node) -> Iterator[list[Schema]]:
    """Dependencies: either all that depends on a property holds, or the property is absent."""
    for name, needed in node.get("dependentRequired", {}).items():
        names = list(dict.fromkeys([*needed, name]))  # the needed names first
        yield [Node({"required": names}, node.location), Node({"properties": {name: False}}, node.location)]
    for name, schema in node.get("dependentSchemas", {}).items():
        absent = Node({"properties": {name: False}}, node.location)
        yield [Node({"required": [name], "allOf": [schema]}, node.location), absent]


def _united(ways: Alternatives, schemas: Sequence[Schema], json_type: str) -> list[Shape]:
    return ways.united(json_type, (shape for schema in schemas for shape in ways.of_schema(schema, True, json_type)))


def _none(ways: Alternatives, schemas: Sequence[Schema], json_type: str) -> list[Shape]:
    return ways.all_of([UNITS[json_type]], (ways.of_schema(schema, False, json_type) for schema in schemas))


def _conditional(ways: Alternatives, node: Node, json_type: str, is_positive: bool) -> list[Shape]:
    """`if` C `then` T `else` E: C and T, or not C and E; the complement has the complements of T and E."""
    condition, then, otherwise = node["if"], node.get("then", True), node.get("else", True)
    holds = ways.of_schema(then, is_positive, json_type)
    fails = ways.both(ways.of_schema(condition, False, json_type), ways.of_schema(otherwise, is_positive, json_type))
    if otherwise is True and is_positive:  # T alone suffices where C does not hold; names of C come first
        return ways.united(json_type, [*fails, *holds])
    return ways.united(json_type, [*ways.both(ways.of_schema(condition, True, json_type), holds), *fails])


def _exactly_one(ways: Alternatives, schemas: Sequence[Schema], json_type: str, shapes: Sequence[Shape]) -> list[Shape]:
    """`shapes` narrowed to where exactly one of `schemas` holds."""
    alternatives = [ways.both(shapes, ways.of_schema(schema, True, json_type)) for schema in schemas]
    found: list[Shape] = []
    for index, others in enumerate(rivals(ways, alternatives)):
        left = alternatives[index]
        for other in others:
            left = ways.without(left, schemas[other], json_type) if left else []
        found += left
    return ways.united(json_type, found)
