"""Keywords that few enforce, said in those that all do, wherever the meaning stays exactly the same.

What cannot be said otherwise stays, and is refused by name later on (`enforcing.py`).
"""

from collections.abc import Callable

from ngramspec.guards.schemas.arrays import with_listed_arrays
from ngramspec.guards.schemas.node import Node, Schema, mapped
from ngramspec.guards.schemas.logic import with_choices, without_conditions, without_not
from ngramspec.guards.schemas.objects import with_counted_properties, with_named_properties, without_dependencies

Rule = Callable[[Node, Callable[[str], Schema]], Schema]

RULES: tuple[Rule, ...] = (
    without_dependencies,
    without_conditions,
    without_not,
    with_choices,
    with_named_properties,
    with_counted_properties,
    with_listed_arrays,
)


class Rewriter:
    """Rewrites the schemas that share a set of definitions."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._read = definitions
        self._rewritten: dict[str, Schema] = {}

    def rewritten(self, schema: Schema) -> Schema:
        """A schema for the same values; the schemas inside of it come first."""
        if isinstance(schema, bool):
            return schema
        node: Schema = mapped(schema, self.rewritten)
        for rule in RULES:
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
