"""The complement of a schema: what is valid in it is what is invalid in the other, as far as schemas can say that.

Each keyword allows all values of other types, so the complement of one is a schema of its own type, and that of
several is any of theirs.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import TYPES, key_of, type_of, types_of

Resolve = Callable[[str], Schema]
"""A definition by its name."""


def resolved(schema: Schema, resolve: Resolve) -> Schema:
    """What a schema that is nothing but a reference leads to."""
    while isinstance(schema, Node) and list(schema) == ["$ref"]:
        schema = resolve(named(schema))
    return schema


MAX_DEPTH = 12
"""References that are followed into one another; what lies deeper may be endless."""


class NoComplementError(Exception):
    """What holds where this keyword does not, no schema of ours can say."""


def complement(schema: Schema, resolve: Resolve, names: Iterable[str] | None = None, depth: int = 0) -> Schema:
    """The schema of all other values; `schema` is rewritten. Raises NoComplementError where there is none.

    names: where the complement is only to hold for objects with no other properties than these.
    """
    if isinstance(schema, bool):
        return not schema
    if depth > MAX_DEPTH:
        raise NoComplementError("a schema that names itself")

    def opposite(child: Schema, *, same_value: bool = False) -> Schema:
        return complement(child, resolve, names if same_value else None, depth + 1)

    found: list[Schema] = []
    for keyword, value in schema.items():
        found += _opposites(schema, keyword, value, opposite, resolve, names)
    return either(schema, found)


def either(node: Node, schemas: Iterable[Schema]) -> Schema:
    """Any of `schemas`, as a schema that stands for `node`."""
    possible = [schema for schema in schemas if schema is not False]
    if any(schema is True for schema in possible):
        return True
    if len(possible) < 2:
        return possible[0] if possible else False
    return Node({"anyOf": possible}, node.place)


def both(node: Node, schemas: Iterable[Schema]) -> Schema:
    """All of `schemas`, as a schema that stands for `node`."""
    binding: list[Schema] = []
    for schema in schemas:
        if schema is not True and schema not in binding:
            binding.append(schema)
    if any(schema is False for schema in binding):
        return False
    if len(binding) < 2:
        return binding[0] if binding else True
    return Node({"allOf": binding}, node.place)


BOUNDS = {  # the bound, its type, and what the opposite says with which step
    "minimum": ("number", "exclusiveMaximum", 0),
    "maximum": ("number", "exclusiveMinimum", 0),
    "exclusiveMinimum": ("number", "maximum", 0),
    "exclusiveMaximum": ("number", "minimum", 0),
    "minLength": ("string", "maxLength", -1),
    "maxLength": ("string", "minLength", 1),
    "minItems": ("array", "maxItems", -1),
    "maxItems": ("array", "minItems", 1),
    "minProperties": ("object", "maxProperties", -1),
    "maxProperties": ("object", "minProperties", 1),
}


def _opposites(
    node: Node,
    keyword: str,
    value: Any,
    opposite: Callable[..., Schema],
    resolve: Resolve,
    names: Iterable[str] | None,
) -> list[Schema]:
    """Schemas that hold where `keyword` does not: one of them does for each such value."""

    def made(**keywords: Any) -> Node:
        return Node(keywords, node.place)

    match keyword:
        case "type":
            return [_other_types(node)]
        case "const" | "enum":
            return _other_values(node, [value] if keyword == "const" else value)
        case _ if keyword in BOUNDS:
            kind, bound, step = BOUNDS[keyword]
            return [made(type=kind, **{bound: value + step})] if value + step >= 0 or kind == "number" else []
        case "required":
            return [made(type="object", properties={name: False}) for name in value]
        case "properties":
            others = {name: opposite(child) for name, child in value.items()}
            return [
                made(type="object", required=[name], properties={name: other})
                for name, other in others.items()
                if other is not False
            ]
        case "additionalProperties" if value is True:
            return []
        case "additionalProperties" if value is False and not (node.get("properties") or node.get("patternProperties")):
            return [made(type="object", minProperties=1)]
        case "additionalProperties" if value is False and names is not None and "patternProperties" not in node:
            return [made(type="object", required=[name]) for name in names if name not in node.get("properties", ())]
        case "prefixItems":
            return [
                made(type="array", minItems=index + 1, prefixItems=[*[True] * index, opposite(child)])
                for index, child in enumerate(value)
            ]
        case "items" if value is True:
            return []
        case "items" if value is False:
            return [made(type="array", minItems=len(node.get("prefixItems", [])) + 1)]
        case "contains" if not {"minContains", "maxContains"} & node.keys():
            return [made(type="array", items=opposite(value))]
        case "anyOf":
            return [both(node, [opposite(child, same_value=True) for child in value])]
        case "allOf":
            return [opposite(child, same_value=True) for child in value]
        case "not":
            return [value]
        case "$ref":
            return [opposite(resolve(named(node)), same_value=True)]
    raise NoComplementError(node.said(keyword))


def _other_types(node: Node) -> Schema:
    declared = node["type"]
    if "integer" in declared and "number" not in declared:
        raise NoComplementError("type integer")
    others = [name for name in TYPES if name not in types_of(node)]
    return Node({"type": others}, node.place) if others else False


def _other_values(node: Node, values: list[Any]) -> list[Schema]:
    """Values of other types, and the others of the types that occur."""
    kinds = {type_of(value) for value in values}
    if kinds & {"object", "array"}:
        raise NoComplementError("an enumeration of objects or arrays")
    others = [name for name in TYPES if name not in kinds]
    found: list[Schema] = [Node({"type": others}, node.place)]
    if "boolean" in kinds:
        left = [value for value in (True, False) if key_of(value) not in set(map(key_of, values))]
        found += [Node({"enum": left}, node.place)] if left else []
    if "string" in kinds:
        texts = [value for value in values if isinstance(value, str)]
        found.append(Node({"type": "string", "pattern": pattern_of_others(texts)}, node.place))
    numbers = sorted({value for value in values if type_of(value) == "number"})
    if numbers:
        bounds = [None, *numbers, None]
        for low, high in itertools.pairwise(bounds):
            above = {} if low is None else {"exclusiveMinimum": low}
            below = {} if high is None else {"exclusiveMaximum": high}
            found.append(Node({"type": "number", **above, **below}, node.place))
    return found


def quoted(text: str) -> str:
    """A regex that is `text`, in ECMA's and in Rust's dialect."""
    return "".join(f"\\{letter}" if letter in "][(){}.*+?^$|\\/-" else letter for letter in text)


def pattern_of_others(texts: list[str]) -> str:
    """A regex for all texts but `texts`: a tree of their beginnings, left where a letter differs, or ended early."""

    def others(endings: list[str]) -> str:
        heads = sorted({ending[0] for ending in endings if ending})
        ways = [] if "" in endings else [""]
        ways.append(f"[^{''.join(map(quoted, heads))}][\\s\\S]*" if heads else "[\\s\\S]+")
        for head in heads:
            ways.append(quoted(head) + others([ending[1:] for ending in endings if ending[:1] == head]))
        return f"(?:{'|'.join(ways)})"

    return f"^{others(texts)}$"
