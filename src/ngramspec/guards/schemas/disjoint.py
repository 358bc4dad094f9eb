"""Whether two schemas provably have no value in common. False says that no proof was found."""

from collections.abc import Iterator
from typing import Any

from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import TYPES, key_of, type_of, types_of, values_of

MAX_DEPTH = 6
"""How deep two schemas are compared; what lies deeper may be endless."""


def are_disjoint(first: Schema, second: Schema, resolve: Resolve, depth: int = 0) -> bool:
    """Whether no value is valid in both."""
    if first is False or second is False:
        return True
    if first is True or second is True or depth > MAX_DEPTH:
        return False
    for one, other in ((first, second), (second, first)):
        for part in parts_of(one, resolve):
            if "anyOf" in part and all(are_disjoint(way, other, resolve, depth + 1) for way in part["anyOf"]):
                return True
    ours, theirs = list(parts_of(first, resolve)), list(parts_of(second, resolve))
    common = _types(ours) & _types(theirs)
    return all(_differ(kind, ours, theirs, resolve, depth + 1) for kind in common)


def parts_of(schema: Schema, resolve: Resolve, depth: int = 0) -> Iterator[Node]:
    """Schemas that a value of `schema` is valid in, all of them: itself, and what it names and combines."""
    if isinstance(schema, bool) or depth > MAX_DEPTH:
        return
    yield schema
    if "$ref" in schema:
        yield from parts_of(resolve(named(schema)), resolve, depth + 1)
    for child in schema.get("allOf", ()):
        yield from parts_of(child, resolve, depth + 1)


def _types(parts: list[Node]) -> set[str]:
    found = set(TYPES)
    for part in parts:
        found &= types_of(part)
        values = values_of(part)
        if values is not None:
            found &= {type_of(value) for value in values}
    return found


def _differ(kind: str, ours: list[Node], theirs: list[Node], resolve: Resolve, depth: int) -> bool:
    """Whether no value of type `kind` fits both."""
    both = [*ours, *theirs]
    lists = [{key_of(value) for value in values} for values in map(values_of, both) if values is not None]
    if lists and not any(key[0] == kind for key in set.intersection(*lists)):
        return True
    if kind == "number":
        return _is_empty(both, "minimum", "maximum") or _is_empty_range(both)
    if kind == "string":
        return _is_empty(both, "minLength", "maxLength")
    if kind == "array":
        return _is_empty(both, "minItems", "maxItems") or _some_item_differs(ours, theirs, resolve, depth)
    if kind == "object":
        return _is_empty(both, "minProperties", "maxProperties") or _some_property_differs(ours, theirs, resolve, depth)
    return False


def _is_empty(parts: list[Node], least: str, most: str) -> bool:
    lows = [part[least] for part in parts if least in part]
    highs = [part[most] for part in parts if most in part]
    return bool(lows and highs) and max(lows) > min(highs)


def _is_empty_range(parts: list[Node]) -> bool:
    lows = [
        (part[keyword], keyword) for keyword in ("minimum", "exclusiveMinimum") for part in parts if keyword in part
    ]
    highs = [
        (part[keyword], keyword) for keyword in ("maximum", "exclusiveMaximum") for part in parts if keyword in part
    ]
    return any(
        low > high or (low == high and (least, most) != ("minimum", "maximum"))
        for low, least in lows
        for high, most in highs
    )


def _some_item_differs(ours: list[Node], theirs: list[Node], resolve: Resolve, depth: int) -> bool:
    least = max((part.get("minItems", 0) for part in (*ours, *theirs)), default=0)
    return any(
        are_disjoint(one, other, resolve, depth)
        for index in range(min(least, 8))
        for one in _items(ours, index)
        for other in _items(theirs, index)
    )


def _items(parts: list[Node], index: int) -> list[Schema]:
    return [
        part["prefixItems"][index] if index < len(part.get("prefixItems", ())) else part.get("items", True)
        for part in parts
    ]


def _some_property_differs(ours: list[Node], theirs: list[Node], resolve: Resolve, depth: int) -> bool:
    """Whether a property that one of them requires cannot fit both."""
    required = dict.fromkeys(name for part in (*ours, *theirs) for name in part.get("required", ()))
    return any(
        are_disjoint(one, other, resolve, depth)
        for name in required
        for one in (_property(part, name) for part in (*ours, *theirs))
        for other in (_property(part, name) for part in (*ours, *theirs))
        if one is not other or one is False
    )


def _property(part: Node, name: str) -> Any:
    """The schema that `part` has for property `name`; true where it may depend on a pattern."""
    if name in part.get("properties", ()):
        return part["properties"][name]
    return True if part.get("patternProperties") else part.get("additionalProperties", True)
