"""Schemas without references and `allOf` beside other keywords: one list of keywords, or alternatives of such."""

import json
from collections.abc import Callable

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.complement import both, either
from ngramspec.guards.schemas.merging import MergeError, merged
from ngramspec.guards.schemas.node import Node, Schema, mapped, named

Schemas = dict[str, Schema]
"""The root, by the name "", and the definitions."""

MAX_DEPTH = 16
"""Combinations of references inside of one another."""


def flattened(schemas: Schemas, finish: Callable[[Node], Schema] = lambda node: node) -> Schemas:
    """The same schemas; finish: says each list of keywords in another way.

    What cannot be one list stays as it is. Raises GuardError where that would have no end.
    """
    return _Flattener(schemas, finish).all()


class _Flattener:
    def __init__(self, schemas: Schemas, finish: Callable[[Node], Schema]) -> None:
        self._schemas = schemas
        self._finish = finish
        self._done: Schemas = {}
        self._expanded: dict[str, str] = {}
        self._depth = 0

    def all(self) -> Schemas:
        for name, schema in self._schemas.items():
            self._done[name] = self._flattened(schema)
        return self._done

    def _flattened(self, schema: Schema) -> Schema:
        if isinstance(schema, bool) or list(schema) == ["$ref"]:
            return schema
        return self._expansion(schema) if "$ref" in schema else self._one(schema)

    def _expansion(self, node: Node) -> Schema:
        """A reference with something beside it, as a definition of its own, for it may lead to itself."""
        key = json.dumps(node, sort_keys=True)
        if key not in self._expanded:
            if self._depth >= MAX_DEPTH:
                raise GuardError(
                    "references must come to an end when they are combined with what stands beside them,"
                    f" got one that does not at {node.pointer('$ref')}"
                )
            name = f"x{len(self._expanded)}"
            self._expanded[key] = name
            self._done[name] = True
            self._depth += 1
            self._done[name] = self._one(node)
            self._depth -= 1
        return Node({"$ref": f"#/$defs/{self._expanded[key]}"}, node.place)

    def _one(self, node: Node) -> Schema:
        try:
            flat = self._merged(node)
        except MergeError:
            return mapped(node, self._flattened)
        if isinstance(flat, bool):
            return flat
        if "anyOf" in flat:
            rest = flat.with_({}, without=("anyOf",))
            return either(flat, [self._flattened(both(flat, [rest, way]) if rest else way) for way in flat["anyOf"]])
        found = self._finish(flat)
        return mapped(found, self._flattened) if isinstance(found, Node) else found

    def _merged(self, node: Node) -> Schema:
        """`node` and all that it names and combines."""
        found: Schema = node.with_({}, without=("$ref", "allOf"))
        for part in [*node.get("allOf", []), *([self._schemas[named(node)]] if "$ref" in node else [])]:
            flat = part if isinstance(part, bool) else self._merged(part)
            if found is False or flat is False:
                return False
            if isinstance(flat, Node):
                found = merged(found, flat) if isinstance(found, Node) else flat
        return found
