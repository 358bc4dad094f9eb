"""The complement of a schema: it accepts exactly the values that the schema rejects, as far as schemas can express it.

Each keyword allows all values of other types, so the complement of one is a schema of its own type, and that of
several is the union of theirs.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import TYPES, key_of, type_of, types_of

Resolve = Callable[[str], Schema]
"""A definition by its name."""


def resolved(schema: Schema, resolve: Resolve) -> Schema:
    """The target of a schema that is nothing but a reference."""
    while isinstance(schema, Node) and list(schema) == ["$ref"]:
        schema = resolve(named(schema))
    return schema


MAX_DEPTH = 12
"""References that are followed in a chain; a longer one may be endless."""


MAX_TEXT = 200
"""Longest excluded text, in characters: the pattern of all other texts nests one group per character."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The set of values in which a complement is taken.

    names: all properties that its objects may have, if known.
    is_whole: whether its numbers are integers.
    """

    names: tuple[str, ...] | None = None
    is_whole: bool = False


ANYTHING = Domain()


class NoComplementError(Exception):
    """No schema of ours expresses the complement of this keyword."""


def complement(schema: Schema, resolve: Resolve, domain: Domain = ANYTHING, depth: int = 0) -> Schema:
    """The schema of all other values in `domain`; `schema` has been rewritten.

    Raises NoComplementError if no schema expresses it.
    """
    if isinstance(schema, bool):
        return not schema
    if depth > MAX_DEPTH:
        raise NoComplementError("a schema that names itself")
    return either(schema, chain.from_iterable(_Opposites(schema, resolve, domain, depth).of(word) for word in schema))


def either(node: Node, schemas: Iterable[Schema]) -> Schema:
    """The union of `schemas`, as a schema that replaces `node`."""
    possible = [schema for schema in schemas if schema is not False]
    if any(schema is True for schema in possible):
        return True
    if len(possible) < 2:
        return possible[0] if possible else False
    return Node({"anyOf": possible}, node.location)


def both(node: Node, schemas: Iterable[Schema]) -> Schema:
    """The intersection of `schemas`, as a schema that replaces `node`."""
    binding: list[Schema] = []
    for schema in schemas:
        if schema is not True and schema not in binding:
            binding.append(schema)
    if any(schema is False for schema in binding):
        return False
    if len(binding) < 2:
        return binding[0] if binding else True
    return Node({"allOf": binding}, node.location)


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


class _Opposites:
    """For each keyword of a schema, schemas whose union is its complement."""

    def __init__(self, node: Node, resolve: Resolve, domain: Domain, depth: int) -> None:
        self._node = node
        self._resolve = resolve
        self._domain = domain
        self._depth = depth

    def of(self, keyword: str) -> list[Schema]:
        value = self._node[keyword]
        if keyword in BOUNDS:
            return self._of_bound(keyword, value)
        if keyword in ("const", "enum"):
            return _other_values(self._node, [value] if keyword == "const" else value)
        if keyword in ("properties", "required", "additionalProperties"):
            return self._of_properties(keyword, value)
        if keyword in ("prefixItems", "items", "contains"):
            return self._of_items(keyword, value)
        return self._of_combination(keyword, value)

    def _of_combination(self, keyword: str, value: Any) -> list[Schema]:
        match keyword:
            case "type":
                return [_other_types(self._node, self._domain)]
            case "anyOf":
                return [both(self._node, map(self._same, value))]
            case "allOf":
                return list(map(self._same, value))
            case "not":
                return [value]
            case "$ref":
                return [self._same(self._resolve(named(self._node)))]
        raise NoComplementError(self._node.said(keyword))

    def _of_bound(self, keyword: str, value: Any) -> list[Schema]:
        kind, bound, step = BOUNDS[keyword]
        return [self._made(type=kind, **{bound: value + step})] if kind == "number" or value + step >= 0 else []

    def _of_properties(self, keyword: str, value: Any) -> list[Schema]:
        known, patterns = self._node.get("properties", {}), self._node.get("patternProperties")
        if keyword == "required":
            return [self._made(type="object", properties={name: False}) for name in value]
        if keyword == "properties":
            others = {name: self._inner(child) for name, child in value.items()}
            return [
                self._made(type="object", required=[name], properties={name: other})
                for name, other in others.items()
                if other is not False
            ]
        if value is True:
            return []
        if value is False and not known and not patterns:
            return [self._made(type="object", minProperties=1)]
        if value is False and self._domain.names is not None and not patterns:
            return [self._made(type="object", required=[name]) for name in self._domain.names if name not in known]
        raise NoComplementError(keyword)

    def _of_items(self, keyword: str, value: Any) -> list[Schema]:
        if keyword == "prefixItems":
            return [
                self._made(type="array", minItems=index + 1, prefixItems=[*[True] * index, self._inner(child)])
                for index, child in enumerate(value)
            ]
        if keyword == "contains" and not {"minContains", "maxContains"} & self._node.keys():
            return [self._made(type="array", items=self._inner(value))]
        if keyword == "items" and value is True:
            return []
        if keyword == "items" and value is False:
            return [self._made(type="array", minItems=len(self._node.get("prefixItems", [])) + 1)]
        raise NoComplementError(keyword)

    def _made(self, **keywords: Any) -> Node:
        return Node(keywords, self._node.location)

    def _same(self, schema: Schema) -> Schema:
        return complement(schema, self._resolve, self._domain, self._depth + 1)

    def _inner(self, schema: Schema) -> Schema:
        return complement(schema, self._resolve, ANYTHING, self._depth + 1)


def _other_types(node: Node, domain: Domain) -> Schema:
    declared = node["type"]
    if "integer" in declared and "number" not in declared and not domain.is_whole:
        raise NoComplementError("type integer")
    others = [name for name in TYPES if name not in types_of(node)]
    return Node({"type": others}, node.location) if others else False


def _other_values(node: Node, values: list[Any]) -> list[Schema]:
    """The values of other types, and the remaining values of the types that occur."""
    kinds = {type_of(value) for value in values}
    if kinds & {"object", "array"}:
        raise NoComplementError("an enumeration of objects or arrays")
    others = [name for name in TYPES if name not in kinds]
    found: list[Schema] = [Node({"type": others}, node.location)]
    if "boolean" in kinds:
        left = [value for value in (True, False) if key_of(value) not in set(map(key_of, values))]
        found += [Node({"enum": left}, node.location)] if left else []
    if "string" in kinds:
        texts = [value for value in values if isinstance(value, str)]
        if max(map(len, texts)) > MAX_TEXT:
            raise NoComplementError("an enumeration of long texts")
        found.append(Node({"type": "string", "pattern": pattern_of_others(texts)}, node.location))
    numbers = sorted({value for value in values if type_of(value) == "number"})
    if numbers:
        bounds = [None, *numbers, None]
        for low, high in itertools.pairwise(bounds):
            above = {} if low is None else {"exclusiveMinimum": low}
            below = {} if high is None else {"exclusiveMaximum": high}
            found.append(Node({"type": "number", **above, **below}, node.location))
    return found


def quoted(text: str) -> str:
    """A regex that matches `text`, in the dialects of ECMA and Rust."""
    return "".join(f"\\{letter}" if letter in "][(){}.*+?^$|\\/-" else letter for letter in text)


def pattern_of_others(texts: list[str]) -> str:
    """A regex for all texts but `texts`: a prefix tree, left where a character differs or the text ends early."""

    def others(endings: list[str]) -> str:
        heads = sorted({ending[0] for ending in endings if ending})
        ways = [] if "" in endings else [""]
        ways.append(f"[^{''.join(map(quoted, heads))}][\\s\\S]*" if heads else "[\\s\\S]+")
        for head in heads:
            ways.append(quoted(head) + others([ending[1:] for ending in endings if ending[:1] == head]))
        return f"(?:{'|'.join(ways)})"

    return f"^{others(texts)}$"
