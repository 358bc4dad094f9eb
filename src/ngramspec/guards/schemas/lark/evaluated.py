"""`unevaluatedProperties` and `unevaluatedItems`: cases by which parts hold, each with what these evaluate.

A part that may or may not hold splits a case in two, and each case says which it is. So what is evaluated is known
there, and the rest gets its schema by `additionalProperties` or `items`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from ngramspec.guards.schemas.node import Node, Schema, named

Keyword = Literal["unevaluatedProperties", "unevaluatedItems"]
Resolve = Callable[[str], Schema]

MAX_CASES = 64
EVALUATING = {
    "unevaluatedProperties": ("properties", "patternProperties", "additionalProperties"),
    "unevaluatedItems": ("prefixItems", "items", "contains"),
}
COMBINING = ("allOf", "anyOf", "oneOf", "if", "dependentSchemas", "$ref", "$dynamicRef", "$recursiveRef")


class NotKnownError(Exception):
    """Which parts are evaluated is not known in advance, or there are too many cases."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Schemas that hold in it; what is evaluated: names, patterns, a number of first items, or all."""

    holds: tuple[Schema, ...] = ()
    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    num_items: int = 0
    is_all: bool = False

    def with_(self, other: "_Case") -> "_Case":
        return _Case(
            (*self.holds, *other.holds),
            self.names | other.names,
            self.patterns | other.patterns,
            max(self.num_items, other.num_items),
            self.is_all or other.is_all,
        )


def closing(node: Node, keyword: Keyword, resolve: Resolve) -> Schema:
    """The constraint of `keyword` on the values of `node`, in other keywords. Raises NotKnownError."""
    rest = node.with_({}, without=(keyword,))
    ways = [_closed(case, node, keyword) for case in _Finder(keyword, resolve).cases(rest)]
    return Node({"anyOf": ways}, node.location, {"anyOf": keyword})


def _closed(case: _Case, node: Node, keyword: Keyword) -> Schema:
    if case.is_all:
        return Node({"allOf": list(case.holds)}, node.location)
    if keyword == "unevaluatedItems":
        items = [True] * case.num_items
        end = Node({"prefixItems": items, "items": node[keyword]}, node.location, {"items": keyword})
    else:
        names = dict.fromkeys(sorted(case.names), True)
        patterns = dict.fromkeys(sorted(case.patterns), True)
        keywords = {"properties": names, "patternProperties": patterns, "additionalProperties": node[keyword]}
        end = Node(keywords, node.location, {"additionalProperties": keyword})
    return Node({"allOf": [*case.holds, end]}, node.location)


class _Finder:
    def __init__(self, keyword: Keyword, resolve: Resolve) -> None:
        self._keyword = keyword
        self._resolve = resolve

    def cases(self, schema: Schema) -> list[_Case]:
        """The cases in which `schema` holds: at least one, and mutually exclusive."""
        if isinstance(schema, bool) or not self._evaluates(schema):
            return [_Case()]
        found = [self._own(schema)]
        for choice in self._choices(schema):
            found = [case.with_(more) for case, more in product(found, choice)]
            if len(found) > MAX_CASES:
                raise NotKnownError(f"which parts are evaluated depends on more than {MAX_CASES} cases")
        return found

    def _evaluates(self, schema: Schema) -> bool:
        """Whether `schema` evaluates anything, itself or in a part."""
        if isinstance(schema, bool):
            return False
        if any(keyword in schema for keyword in (self._keyword, *EVALUATING[self._keyword])):
            return True
        return any(map(self._evaluates, self._parts(schema)))

    def _parts(self, node: Node) -> Iterator[Schema]:
        if "$dynamicRef" in node or "$recursiveRef" in node:
            raise NotKnownError("what a dynamic reference evaluates depends on the references that lead to it")
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from node.get(keyword, ())
        yield from (node[keyword] for keyword in ("if", "then", "else") if keyword in node)
        yield from node.get("dependentSchemas", {}).values()
        if "$ref" in node:
            yield self._resolve(named(node))

    def _own(self, node: Node) -> _Case:
        if self._keyword == "unevaluatedItems":
            if "contains" in node:
                raise NotKnownError("whether an item that is counted is evaluated differs between the drafts")
            is_all = "items" in node or self._keyword in node
            return _Case(num_items=len(node.get("prefixItems", ())), is_all=is_all)
        is_all = "additionalProperties" in node or self._keyword in node
        names, patterns = node.get("properties", ()), node.get("patternProperties", ())
        return _Case(names=frozenset(names), patterns=frozenset(patterns), is_all=is_all)

    def _choices(self, node: Node) -> Iterator[list[_Case]]:
        """For each keyword that combines schemas, its cases."""
        for child in node.get("allOf", ()):
            yield self._held(child)
        if "$ref" in node:
            yield self._held(self._resolve(named(node)))
        for keyword in ("anyOf", "oneOf"):
            for child in node.get(keyword, ()):
                if self._evaluates(child):
                    yield [*self._held(child), self._missed(child, node)]
        if "if" in node:
            yield [
                *(one.with_(other) for one in self._held(node["if"]) for other in self._held(node.get("then", True))),
                *(self._missed(node["if"], node).with_(case) for case in self._held(node.get("else", True))),
            ]
        for name, child in node.get("dependentSchemas", {}).items():
            there = Node({"required": [name], "type": "object"}, node.location)
            yield [*(case.with_(_Case((there,))) for case in self._held(child)), self._missed(there, node)]

    def _held(self, schema: Schema) -> list[_Case]:
        return [_Case((schema,)).with_(case) for case in self.cases(schema)]

    def _missed(self, schema: Schema, node: Node) -> _Case:
        return _Case((Node({"not": schema}, node.location),))
