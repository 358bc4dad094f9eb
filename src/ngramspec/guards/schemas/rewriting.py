"""Keywords that few enforce, said in those that all do, wherever the meaning stays exactly the same.

What cannot be said otherwise stays, and is refused by name later on (`enforcing.py`).
"""

from collections.abc import Callable, Sequence

from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, mapped

Rule = Callable[[Node, Resolve], Schema]
"""Says one keyword of a schema in others, or leaves it as it is."""


class Rewriter:
    """Rewrites the schemas that share a set of definitions."""

    def __init__(self, definitions: dict[str, Schema], rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._read = definitions
        self._rewritten: dict[str, Schema] = {}

    def rewritten(self, schema: Schema) -> Schema:
        """A schema for the same values; the schemas inside of it come first."""
        if isinstance(schema, bool):
            return schema
        node: Schema = mapped(schema, self.rewritten)
        for rule in self._rules:
            if isinstance(node, bool):
                break
            node = rule(node, self.definition)
        return node

    def definition(self, name: str) -> Schema:
        """A definition, rewritten; while that is under way, as it was read."""
        if name not in self._rewritten:
            self._rewritten[name] = self._read[name]
            self._rewritten[name] = self.rewritten(self._read[name])
        return self._rewritten[name]
