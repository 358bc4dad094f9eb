"""JSON values: their types, their equality, and the values that a schema allows if they are few."""

from typing import Any

from ngramspec.guards.schemas.node import Node

TYPES = ("null", "boolean", "object", "array", "number", "string")
"""Every value has one of these; an integer is a number."""


def type_of(value: Any) -> str:
    """The one of TYPES that `value` has."""
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (dict, "object"), (list, "array"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "number"


def key_of(value: Any) -> Any:
    """A hashable key that is equal for equal values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, key_of(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(key_of, value))
    return type_of(value), value


def common(one: list[Any], other: list[Any]) -> list[Any]:
    """The values of `one` that are in `other` too."""
    keys = {key_of(value) for value in other}
    return [value for value in one if key_of(value) in keys]


def constant(node: Node) -> list[Any]:
    """The `const` of `node`, unless an `enum` beside it excludes it."""
    return common([node["const"]], node.get("enum", [node["const"]]))


def types_of(node: Node) -> set[str]:
    """The TYPES that the `type` of `node` allows; all if there is none. An integer counts as a number."""
    declared = node.get("type", list(TYPES))
    names = [declared] if isinstance(declared, str) else declared
    return {"number" if name == "integer" else name for name in names}


def has_type(node: Node, value: Any) -> bool:
    """Whether the `type` of `node` allows `value`; 2.0 is an integer, 0.5 is not."""
    declared = node.get("type", list(TYPES))
    names = [declared] if isinstance(declared, str) else declared
    kind = type_of(value)
    return kind in names or (kind == "number" and "integer" in names and value == int(value))


def values_of(node: Node) -> list[Any] | None:
    """The values that `const`, `enum` or `type` allow, each once; None if they cannot be listed."""
    if "const" in node:
        listed = constant(node)
    elif "enum" in node:
        listed = list({key_of(value): value for value in node["enum"]}.values())
    elif "type" in node and types_of(node) <= {"null", "boolean"}:
        listed = [None, True, False]
    else:
        return None
    return [value for value in listed if has_type(node, value)]
