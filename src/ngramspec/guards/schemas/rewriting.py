"""Keywords that few enforce, said in those that all do, wherever the meaning stays exactly the same.

What cannot be said otherwise stays, and is refused by name later on (`enforcing.py`).
"""

from collections.abc import Callable, Sequence

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, children, mapped

Rule = Callable[[Node, Resolve], Schema]
"""Says one keyword of a schema in others, or leaves it as it is."""

MAX_PARTS = 20_000
"""Schemas inside of one another that rewriting may lead to."""


def _num_parts(schema: Schema, limit: int) -> int:
    """How many schemas are inside of `schema`, itself included; counted up to a little more than `limit`."""
    number, waiting = 0, [schema]
    while waiting and number <= limit:
        number += 1
        current = waiting.pop()
        if isinstance(current, Node):
            waiting += [child for _, child in children(current)]
    return number


class Rewriter:
    """Rewrites the schemas that share a set of definitions."""

    def __init__(self, definitions: dict[str, Schema], rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._read = definitions
        self._rewritten: dict[str, Schema] = {}

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
            if node is not before and _num_parts(node, MAX_PARTS) > MAX_PARTS:
                raise GuardError(
                    f"a schema must have at most {MAX_PARTS} parts once its conditions are written out, got more at"
                    f" {before.place or 'the root'}: nest fewer of them"
                )
        return node

    def definition(self, name: str) -> Schema:
        """A definition, rewritten; while that is under way, as it was read."""
        if name not in self._rewritten:
            self._rewritten[name] = self._read[name]
            self._rewritten[name] = self.rewritten(self._read[name])
        return self._rewritten[name]
