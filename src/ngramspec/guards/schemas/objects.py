"""Keywords of objects, rewritten with `properties`, `required`, `patternProperties` and `anyOf`."""

from ngramspec.guards.schemas.complement import Resolve, both, either, resolved
from ngramspec.guards.schemas.logic import also
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.values import types_of, values_of


def without_dependencies(node: Node, resolve: Resolve) -> Schema:
    """Dependencies as alternatives: the property is absent, or all that depends on it holds."""
    found: Schema = node
    for keyword in ("dependentRequired", "dependentSchemas"):
        for name, needed in node.get(keyword, {}).items():
            absent = Node({"properties": {name: False}}, node.location)
            present = Node({"type": "object", "required": [name]}, node.location)
            if keyword == "dependentRequired":
                present["required"] = list(dict.fromkeys([*needed, name]))  # the needed names first
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
    """`propertyNames` as the allowed properties, or as the one pattern of their names."""
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
    """The regex of all names that `names` allows, if it is one pattern or a length."""
    if "string" not in types_of(names):
        return None
    rest = names.keys() - {"type"}
    if rest == {"pattern"}:
        return str(names["pattern"])
    if rest and rest <= {"minLength", "maxLength"}:
        return f"^[\\s\\S]{{{names.get('minLength', 0)},{names.get('maxLength', '')}}}$"
    return None
