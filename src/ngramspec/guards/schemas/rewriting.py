"""Keywords that few enforce, said in those that all do, wherever the meaning stays exactly the same.

What cannot be said otherwise stays, and is refused by name later on (`refusing.py`).
"""

from collections.abc import Callable, Sequence

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, children, mapped

Rule = Callable[[Node, Resolve], Schema]
"""Says one keyword of a schema in others, or leaves it as it is."""

MAX_PARTS = 20_000
"""Schemas inside of one another that rewriting may lead to."""
MAX_DEPTH = 120
"""Schemas inside of one another along one way; each takes several frames of whatever goes down into them."""
MAX_CHAIN = 8
"""Definitions that are rewritten inside of one another; a chain of more is rewritten link by link, later."""


def _check_size(schema: Schema, location: str) -> None:
    """Raise GuardError where `schema` has too many schemas inside of it, itself included, or lies too deep."""
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
        """A schema for the same values; the schemas inside of it come first.

        Raises GuardError where it becomes too large: each `if` inside of an `if` stands there several times.
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
        """A definition, rewritten; as it was read while that is under way, or is asked for along a long chain."""
        if name in self._rewritten:
            return self._rewritten[name]
        if self._chain >= MAX_CHAIN:
            return self._read[name]
        self._chain += 1
        self._rewritten[name] = self._read[name]
        self._rewritten[name] = self.rewritten(self._read[name])
        self._chain -= 1
        return self._rewritten[name]
