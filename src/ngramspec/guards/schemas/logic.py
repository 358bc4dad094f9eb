"""`not`, `oneOf` and `if`, rewritten with `anyOf`, `allOf` and complements."""

from collections.abc import Sequence

from ngramspec.guards.schemas.complement import Domain, NoComplementError, Resolve, both, complement, either
from ngramspec.guards.schemas.disjoint import are_disjoint, are_told_apart, parts_of
from ngramspec.guards.schemas.node import Node, Schema

CONDITION = ("if", "then", "else")
MAX_PAIRS = 400
"""Most pairs of branches of a `oneOf` that are compared."""


def also(node: Node, schema: Schema, *, without: tuple[str, ...], said: str) -> Schema:
    """`node` without some keywords, combined with `schema`; said: the keyword that the user wrote for it."""
    rest = node.with_({}, without=without)
    if schema is True:
        return rest
    if isinstance(schema, bool) or not rest:
        return schema
    if "anyOf" not in rest and list(schema) == ["anyOf"]:
        return rest.with_(schema, said=said)
    return rest.with_({"allOf": [*rest.get("allOf", []), schema]}, said=rest.said("allOf") if "allOf" in rest else said)


def without_not(node: Node, resolve: Resolve) -> Schema:
    """`not` as the complement, if there is one."""
    if "not" not in node:
        return node
    try:
        return also(
            node,
            complement(node["not"], resolve, _domain(node.with_({}, without=("not",)), resolve)),
            without=("not",),
            said="not",
        )
    except NoComplementError:
        return node


def without_conditions(node: Node, resolve: Resolve) -> Schema:
    """`if` C `then` T `else` E as (C and T) or (not C and E)."""
    if "if" not in node:
        return node
    condition = node["if"]
    try:
        otherwise = complement(condition, resolve, _domain(node.with_({}, without=CONDITION), resolve))
    except NoComplementError:
        return node
    ways = [both(node, [condition, node.get("then", True)]), both(node, [otherwise, node.get("else", True)])]
    if "else" not in node:  # cheaper, if only T depends on C
        ways[0] = node.get("then", True)
    elif "then" not in node:
        ways[1] = node["else"]
        ways[0] = condition
    return also(node, either(node, ways), without=CONDITION, said="if")


def with_choices(node: Node, resolve: Resolve) -> Schema:
    """`oneOf` as `anyOf`, if at most one can hold, or once each branch excludes the others."""
    if "oneOf" not in node:
        return node
    ways: Sequence[Schema] = [way for way in node["oneOf"] if way is not False]
    if are_told_apart(ways, resolve):
        return also(node, either(node, ways), without=("oneOf",), said="oneOf")
    if len(ways) ** 2 > MAX_PAIRS * 2:
        return node
    try:
        apart = [both(node, [way, *_others(node, ways, index, resolve)]) for index, way in enumerate(ways)]
    except NoComplementError:
        return node
    return also(node, either(node, apart), without=("oneOf",), said="oneOf")


def _others(node: Node, ways: Sequence[Schema], index: int, resolve: Resolve) -> list[Schema]:
    """The complements of all branches that may hold together with the one at `index`."""
    rest = node.with_({}, without=("oneOf",))
    way = both(node, [ways[index], rest])
    return [
        complement(other, resolve, _domain(way, resolve))
        for position, other in enumerate(ways)
        if position != index and not are_disjoint(way, both(node, [other, rest]), resolve)
    ]


def _domain(schema: Schema, resolve: Resolve) -> Domain:
    """The domain of the values of `schema`, as far as it is known."""
    names: tuple[str, ...] | None = None
    is_whole = False
    for part in parts_of(schema, resolve):
        if part.get("additionalProperties") is False and not part.get("patternProperties"):
            names = tuple(part.get("properties", ()))
        is_whole |= "type" in part and "number" not in part["type"]
    return Domain(names, is_whole)
