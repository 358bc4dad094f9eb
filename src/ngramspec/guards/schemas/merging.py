"""Merges two schemas for one value into one, keyword by keyword, as far as possible."""

from typing import Any

from ngramspec.guards.schemas.complement import both
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.values import common

LEAST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
MOST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
OF_OBJECTS = {"properties", "patternProperties", "additionalProperties"}
OF_ARRAYS = {"prefixItems", "items"}
MAX_WAYS = 64


class MergeError(Exception):
    """Two schemas for one value cannot be merged without another `allOf`."""


def merged(first: Node, second: Node) -> Schema:
    """A schema for the values of both; neither has `$ref` or `allOf`. Raises MergeError, which names the obstacle."""
    found = Node({}, first.location, second.names | first.names)
    for keyword in dict.fromkeys((*first, *second)):
        if keyword in OF_OBJECTS or keyword in OF_ARRAYS:
            continue
        if keyword not in first or keyword not in second:
            found[keyword] = first.get(keyword, second.get(keyword))
        else:
            found[keyword] = _both(first, keyword, first[keyword], second[keyword])
    if "const" in found and "enum" in found:
        found["enum"] = common([found.pop("const")], found["enum"])
    if [] in (found.get("type"), found.get("enum")):
        return False
    found.update(_properties(first, second) if OF_OBJECTS & (first.keys() | second.keys()) else {})
    found.update(_items(first, second) if OF_ARRAYS & (first.keys() | second.keys()) else {})
    return found


def _both(node: Node, keyword: str, one: Any, other: Any) -> Any:
    if keyword in LEAST or keyword in MOST:
        return max(one, other) if keyword in LEAST else min(one, other)
    if keyword == "type":
        return _common_types(one, other)
    if keyword == "enum":
        return common(one, other)
    if keyword == "required":
        return list(dict.fromkeys([*one, *other]))
    if keyword == "anyOf" and len(one) * len(other) <= MAX_WAYS:
        return [both(node, [way, another]) for way in one for another in other]
    if one == other:
        return one
    raise MergeError(f"two of {keyword!r}")


def _common_types(one: str | list[str], other: str | list[str]) -> list[str]:
    ours, theirs = ({name} if isinstance(name, str) else set(name) for name in (one, other))
    found = ours & theirs
    for some, others in ((ours, theirs), (theirs, ours)):
        found |= {"integer"} if "integer" in some and "number" in others else set()
    return sorted(found - {"integer"} if "number" in found else found)


def _properties(first: Node, second: Node) -> dict[str, Any]:
    for one, other in ((first, second), (second, first)):
        is_open = one.get("additionalProperties", True) is True
        if other.get("patternProperties") and ("properties" in one or not is_open or "patternProperties" in one):
            raise MergeError("'patternProperties'")
    names = dict.fromkeys((*first.get("properties", ()), *second.get("properties", ())))
    known = {name: both(first, [_property(side, name) for side in (first, second)]) for name in names}
    rest = both(first, [side.get("additionalProperties", True) for side in (first, second)])
    found: dict[str, Any] = {"properties": known} if known else {}
    patterns = first.get("patternProperties") or second.get("patternProperties")
    found |= {"patternProperties": patterns} if patterns else {}
    return found | ({} if rest is True else {"additionalProperties": rest})


def _property(side: Node, name: str) -> Schema:
    known: Schema = side.get("properties", {}).get(name, side.get("additionalProperties", True))
    return known


def _items(first: Node, second: Node) -> dict[str, Any]:
    lists = [side.get("prefixItems", []) for side in (first, second)]
    rests = [side.get("items", True) for side in (first, second)]
    heads = [
        both(first, [items[index] if index < len(items) else rest for items, rest in zip(lists, rests, strict=True)])
        for index in range(max(map(len, lists)))
    ]
    rest = both(first, rests)
    return ({"prefixItems": heads} if heads else {}) | ({} if rest is True else {"items": rest})
