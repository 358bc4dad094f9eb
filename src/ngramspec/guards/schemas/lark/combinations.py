"""Keywords that combine schemas of the same value: `allOf`, `anyOf`, `oneOf`, `not`, `if`, references, dependencies."""

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


def narrowed(ways: Alternatives, node: Node, kind: str, shapes: Sequence[Shape]) -> list[Shape]:
    """Those of `shapes` where all that `node` combines holds as well."""
    found = ways.all_of(shapes, _conjuncts(ways, node, kind))
    return _exactly_one(ways, node["oneOf"], kind, found) if "oneOf" in node and found else found


def _conjuncts(ways: Alternatives, node: Node, kind: str) -> Iterator[list[Shape]]:
    """Lists of shapes of each of which `node` asks for one, by all keywords that combine schemas but `oneOf`."""
    for schema in _all(ways, node, kind):
        yield ways.of_schema(schema, True, kind)
    for schemas in _any(node, kind):
        yield _united(ways, schemas, kind)
    if "not" in node:
        yield ways.of_schema(node["not"], False, kind)
    if "if" in node:
        yield _conditional(ways, node, kind, True)


def opposites(ways: Alternatives, node: Node, kind: str) -> list[Shape]:
    """Shapes of which one holds where something that `node` combines does not."""
    found: list[Shape] = []
    for schema in _all(ways, node, kind):
        found += ways.of_schema(schema, False, kind)
    for schemas in _any(node, kind):
        found += _none(ways, schemas, kind)
    if "not" in node:
        found += ways.of_schema(node["not"], True, kind)
    if "if" in node:
        found += _conditional(ways, node, kind, False)
    if "oneOf" in node:
        alternatives = [ways.of_schema(schema, True, kind) for schema in node["oneOf"]]
        found += _none(ways, node["oneOf"], kind)
        for one, other in pairs_of(alternatives, 2):
            found += ways.both(one, other)
    return found


def _all(ways: Alternatives, node: Node, kind: str) -> Iterator[Schema]:
    """Schemas that `node` asks for, all of them."""
    yield from node.get("allOf", ())
    if "$ref" in node:
        yield ways.resolve(named(node))
    if kind == "object" and "unevaluatedProperties" in node:
        yield ways.closing(node, "unevaluatedProperties")
    if kind == "array" and "unevaluatedItems" in node:
        yield ways.closing(node, "unevaluatedItems")


def _any(node: Node, kind: str) -> Iterator[list[Schema]]:
    """Lists of schemas of each of which `node` asks for one."""
    if "anyOf" in node:
        yield node["anyOf"]
    if kind in ("array", "object"):
        for keyword in ("const", "enum"):
            if keyword in node:
                values = [node["const"]] if keyword == "const" else node["enum"]
                yield [exactly(value, node.place) for value in values if type_of(value) == kind]
    if kind == "object":
        yield from _dependencies(node)


def _dependencies(node: Node) -> Iterator[list[Schema]]:
    """What depends on a property is: all that depends on it holds, or the property is not there."""
    for name, needed in node.get("dependentRequired", {}).items():
        names = list(dict.fromkeys([*needed, name]))  # what it needs, before it
        yield [Node({"required": names}, node.place), Node({"properties": {name: False}}, node.place)]
    for name, schema in node.get("dependentSchemas", {}).items():
        absent = Node({"properties": {name: False}}, node.place)
        yield [Node({"required": [name], "allOf": [schema]}, node.place), absent]


def _united(ways: Alternatives, schemas: Sequence[Schema], kind: str) -> list[Shape]:
    return ways.united(kind, (shape for schema in schemas for shape in ways.of_schema(schema, True, kind)))


def _none(ways: Alternatives, schemas: Sequence[Schema], kind: str) -> list[Shape]:
    return ways.all_of([UNITS[kind]], (ways.of_schema(schema, False, kind) for schema in schemas))


def _conditional(ways: Alternatives, node: Node, kind: str, is_positive: bool) -> list[Shape]:
    """`if` C `then` T `else` E: C and T, or not C and E; the opposite has the opposites of T and E."""
    condition, then, otherwise = node["if"], node.get("then", True), node.get("else", True)
    holds = ways.of_schema(then, is_positive, kind)
    fails = ways.both(ways.of_schema(condition, False, kind), ways.of_schema(otherwise, is_positive, kind))
    if otherwise is True and is_positive:  # T alone will do, wherever C does not hold; names of C come first
        return ways.united(kind, [*fails, *holds])
    return ways.united(kind, [*ways.both(ways.of_schema(condition, True, kind), holds), *fails])


def _exactly_one(ways: Alternatives, schemas: Sequence[Schema], kind: str, shapes: Sequence[Shape]) -> list[Shape]:
    """Those of `shapes` where one of `schemas` holds, and none of the others."""
    alternatives = [ways.both(shapes, ways.of_schema(schema, True, kind)) for schema in schemas]
    found: list[Shape] = []
    for index, others in enumerate(rivals(ways, alternatives)):
        left = alternatives[index]
        for other in others:
            left = ways.without(left, schemas[other], kind) if left else []
        found += left
    return ways.united(kind, found)
