"""The complement of a schema: what is valid in it is what is invalid in the other, as far as schemas can say that.

Each keyword allows all values of other types, so the complement of one is a schema of its own type, and that of
several is any of theirs.
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
    """What a schema that is nothing but a reference leads to."""
    while isinstance(schema, Node) and list(schema) == ["$ref"]:
        schema = resolve(named(schema))
    return schema


MAX_DEPTH = 12
"""References that are followed into one another; what lies deeper may be endless."""


MAX_TEXT = 200
"""Letters of a text: the pattern of all others has a group inside of a group for each, and regexes bound that."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known of all values that a complement is asked for.

    names: all properties that the objects among them may have, where that is known.
    is_whole: whether the numbers among them are integers.
    """

    names: tuple[str, ...] | None = None
    is_whole: bool = False


ANYTHING = Frame()


class NoComplementError(Exception):
    """What holds where this keyword does not, no schema of ours can say."""


def complement(schema: Schema, resolve: Resolve, frame: Frame = ANYTHING, depth: int = 0) -> Schema:
    """The schema of all other values in `frame`; `schema` is rewritten.

    Raises NoComplementError where there is none.
    """
    if isinstance(schema, bool):
        return not schema
    if depth > MAX_DEPTH:
        raise NoComplementError("a schema that names itself")
    return either(schema, chain.from_iterable(_Opposites(schema, resolve, frame, depth).of(word) for word in schema))


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


class _Opposites:
    """For each keyword of a schema, schemas of which one holds for each value that it does not hold for."""

    def __init__(self, node: Node, resolve: Resolve, frame: Frame, depth: int) -> None:
        self._node = node
        self._resolve = resolve
        self._frame = frame
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
                return [_other_types(self._node, self._frame)]
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
        if value is False and self._frame.names is not None and not patterns:
            return [self._made(type="object", required=[name]) for name in self._frame.names if name not in known]
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
        return Node(keywords, self._node.place)

    def _same(self, schema: Schema) -> Schema:
        return complement(schema, self._resolve, self._frame, self._depth + 1)

    def _inner(self, schema: Schema) -> Schema:
        return complement(schema, self._resolve, ANYTHING, self._depth + 1)


def _other_types(node: Node, frame: Frame) -> Schema:
    declared = node["type"]
    if "integer" in declared and "number" not in declared and not frame.is_whole:
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
        if max(map(len, texts)) > MAX_TEXT:
            raise NoComplementError("an enumeration of long texts")
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
