"""Rewrites keywords that few backends enforce into ones that all do, wherever the meaning stays exactly the same.

What cannot be rewritten stays, and is refused by name later (`refusing.py`).
"""

from collections.abc import Callable, Sequence

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, children, mapped

Rule = Callable[[Node, Resolve], Schema]
"""Rewrites one keyword of a schema into others, or leaves it as it is."""

MAX_PARTS = 20_000
"""Most schemas inside one schema, itself included, after rewriting."""
MAX_DEPTH = 120
"""Deepest nesting of schemas; each level takes several stack frames of a recursive walk."""
MAX_CHAIN = 8
"""Definitions that are rewritten recursively; a longer chain is rewritten link by link, later."""


def _check_size(schema: Schema, location: str) -> None:
    """Raise GuardError if `schema` contains too many schemas, itself included, or is nested too deeply."""
    number, waiting = 0, [(schema, 1)]
    while waiting:
        current, depth = waiting.pop()
        number += 1
        if number > MAX_PARTS or depth > MAX_DEPTH:
            limit = f"at most {MAX_PARTS} parts" if number > MAX_PARTS else f"parts at most {MAX_DEPTH} deep"
            raise GuardError(
                f"a schema must have {limit} once its conditions are written out, got more at {location or 'the root'}:"
                " nest fewer of them"
            )
        if isinstance(current, Node):
            waiting += [(child, depth + 1) for _, child in children(current)]


class Rewriter:
    """Rewrites the schemas that share a set of definitions."""

    def __init__(self, definitions: dict[str, Schema], rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._read = definitions
        self._rewritten: dict[str, Schema] = {}
        self._chain = 0

    def rewritten(self, schema: Schema) -> Schema:
        """A schema for the same values; inner schemas are rewritten first.

        Raises GuardError if it becomes too large: an `if` inside an `if` is copied several times.
        """
        if isinstance(schema, bool):
            return schema
        node: Schema = mapped(schema, self.rewritten)
        for rule in self._rules:
            if isinstance(node, bool):
                break
            before = node
            node = rule(node, self.definition)
            if node is not before:
                _check_size(node, before.location)
        return node

    def definition(self, name: str) -> Schema:
        """A definition, rewritten; as it was read while that is in progress, or at the end of a long chain."""
        if name in self._rewritten:
            return self._rewritten[name]
        if self._chain >= MAX_CHAIN:
            return self._read[name]
        self._chain += 1
        self._rewritten[name] = self._read[name]
        self._rewritten[name] = self.rewritten(self._read[name])
        self._chain -= 1
        return self._rewritten[name]
