"""Keywords of objects, said with `properties`, `required`, `patternProperties` and `anyOf`."""

from itertools import combinations
from math import comb

from ngramspec.guards.schemas.complement import Resolve, both, either, resolved
from ngramspec.guards.schemas.logic import also
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.values import types_of, values_of

MAX_WAYS = 64
"""Alternatives that one keyword may become."""


def without_dependencies(node: Node, resolve: Resolve) -> Schema:
    """What depends on a property is: the property is not there, or all that depends on it holds."""
    found: Schema = node
    for keyword in ("dependentRequired", "dependentSchemas"):
        for name, needed in node.get(keyword, {}).items():
            absent = Node({"properties": {name: False}}, node.place)
            present = Node({"type": "object", "required": [name]}, node.place)
            if keyword == "dependentRequired":
                present["required"] = list(dict.fromkeys([*needed, name]))  # what it needs, before it
                holds: Schema = present
            else:
                holds = both(node, [present, needed])
            if isinstance(found, Node):
                said = node.said(keyword)
                found = also(found, either(node, [absent, holds]), without=(), said=said)
        if isinstance(found, Node):
            found = found.with_({}, without=(keyword,))
    return found


def with_named_properties(node: Node, resolve: Resolve) -> Schema:
    """`propertyNames` as the properties that may be there, or as the one pattern of their names."""
    if "propertyNames" not in node:
        return node
    names = resolved(node["propertyNames"], resolve)
    if names is True:
        return node.with_({}, without=("propertyNames",))
    if names is False:
        return node.with_({"maxProperties": 0}, without=("propertyNames",), said="propertyNames")
    if "patternProperties" in node:
        return node
    additional = node.get("additionalProperties", True)
    properties = node.get("properties", {})
    listed = values_of(names) if set(names) <= {"const", "enum", "type"} else None
    if listed is not None:
        allowed = [name for name in listed if isinstance(name, str)]
        known = {name: properties.get(name, additional) for name in (*properties, *allowed) if name in allowed}
        changes = {"properties": known, "additionalProperties": False}
        return node.with_(changes, without=("propertyNames",), said="propertyNames")
    pattern = _pattern(names)
    if pattern is None or properties:
        return node
    changes = {"patternProperties": {pattern: additional}, "additionalProperties": False}
    return node.with_(changes, without=("propertyNames",), said="propertyNames")


def _pattern(names: Node) -> str | None:
    """The regex of all texts that `names` allows, where it is one pattern or a length."""
    if "string" not in types_of(names):
        return None
    rest = names.keys() - {"type"}
    if rest == {"pattern"}:
        return str(names["pattern"])
    if rest and rest <= {"minLength", "maxLength"}:
        return f"^[\\s\\S]{{{names.get('minLength', 0)},{names.get('maxLength', '')}}}$"
    return None


def with_counted_properties(node: Node, resolve: Resolve) -> Schema:
    """`minProperties` and `maxProperties` beside optional properties: which of them there are."""
    required = set(node.get("required", ()))
    optional = [
        name for name, child in node.get("properties", {}).items() if name not in required and child is not False
    ]
    least, most = node.get("minProperties", 0), node.get("maxProperties")
    if not optional or (not least and most is None):
        return node
    if least <= len(required) and most is None:
        return node.with_({}, without=("minProperties",))
    if node.get("additionalProperties") is not False or node.get("patternProperties"):
        return _with_one_of(node, optional) if most is None and least == 1 else node
    return _counted(node, optional, least - len(required), most)


def _with_one_of(node: Node, optional: list[str]) -> Schema:
    """At least one property: one of those with a name, or none of them and another one."""
    other = Node({"properties": dict.fromkeys(optional, False), "minProperties": 1}, node.place)
    some = [Node({"required": [name]}, node.place) for name in optional]
    not_an_object = Node({"type": ["null", "boolean", "array", "number", "string"]}, node.place)
    ways = either(node, [*some, other, *([] if types_of(node) == {"object"} else [not_an_object])])
    return also(node, ways, without=("minProperties",), said="minProperties")


def _counted(node: Node, optional: list[str], least: int, most: int | None) -> Schema:
    """At least and at most so many of the optional properties; there are no others."""
    found: Schema = node.with_({}, without=("minProperties", "maxProperties"))
    num_required = len(node.get("required", ()))
    bounds = [("minProperties", least, len(optional))] if least > 0 else []
    bounds += [("maxProperties", most - num_required, len(optional))] if most is not None else []
    for keyword, number, total in bounds:
        if number > total and keyword == "maxProperties":
            continue
        if number < 0 or number > total:
            return node
        if comb(total, number) > MAX_WAYS:
            return node
        if keyword == "minProperties":
            ways = [Node({"required": list(names)}, node.place) for names in combinations(optional, number)]
        else:
            ways = [
                Node({"properties": dict.fromkeys((name for name in optional if name not in names), False)}, node.place)
                for names in combinations(optional, number)
            ]
        if isinstance(found, Node):
            found = also(found, either(node, ways), without=(), said=keyword)
    return found
