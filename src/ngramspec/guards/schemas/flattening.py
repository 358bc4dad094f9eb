"""Flattens references and `allOf` beside other keywords into one set of keywords, or alternatives of such."""

import json
from collections.abc import Callable, Iterator

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.complement import both, either
from ngramspec.guards.schemas.merging import MergeError, merged
from ngramspec.guards.schemas.node import Node, Schema, mapped, named

Schemas = dict[str, Schema]
"""The root, under the name "", and the definitions."""

MAX_DEPTH = 16
"""Depth of nested combinations of references."""


def flattened(schemas: Schemas, finish: Callable[[Node], Schema] = lambda node: node) -> Schemas:
    """The same schemas, flattened; finish: rewrites each set of keywords.

    What cannot be one set stays as it is. Raises EndlessError if flattening would not end.
    """
    return _Flattener(schemas, finish).all()


class EndlessError(GuardError):
    """References that never end when they are combined with the keywords beside them."""


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
        if isinstance(schema, bool):
            return schema
        if list(schema) == ["$ref"]:
            return schema if self._schemas[named(schema)] is not False else False
        parts = {json.dumps(part, sort_keys=True) for part in _parts(schema)}
        has_reference = any(part.startswith('{"$ref": ') for part in parts)
        return self._expansion(schema, json.dumps(sorted(parts))) if has_reference else self._one(schema)

    def _expansion(self, node: Node, key: str) -> Schema:
        """A reference with keywords beside it, as a definition of its own, because it may refer to itself."""
        if key not in self._expanded:
            if self._depth >= MAX_DEPTH:
                raise EndlessError(
                    "references must come to an end when they are combined with what stands beside them,"
                    f" got some that do not at {node.location or 'the root'}"
                )
            name = f"x{len(self._expanded)}"
            self._expanded[key] = name
            self._done[name] = True
            self._depth += 1
            self._done[name] = self._one(node)
            self._depth -= 1
        known = self._done[self._expanded[key]]
        if known is False:
            return False
        return Node({"$ref": f"#/$defs/{self._expanded[key]}"}, node.location)

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
        """`node` merged with all that it refers to and combines."""
        found: Schema = node.with_({}, without=("$ref", "allOf"))
        for part in [*node.get("allOf", []), *([self._schemas[named(node)]] if "$ref" in node else [])]:
            flat = part if isinstance(part, bool) else self._merged(part)
            if found is False or flat is False:
                return False
            if isinstance(flat, Node):
                found = merged(found, flat) if isinstance(found, Node) else flat
        return found


def _parts(schema: Schema) -> Iterator[Schema]:
    """The parts that a schema combines: references, and sets of keywords."""
    if isinstance(schema, bool):
        yield schema
        return
    if "$ref" in schema:
        yield Node({"$ref": schema["$ref"]}, schema.location)
    rest = schema.with_({}, without=("$ref", "allOf"))
    if rest:
        yield rest
    for part in schema.get("allOf", ()):
        yield from _parts(part)
