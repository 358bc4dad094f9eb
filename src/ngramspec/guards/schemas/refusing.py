"""Finds the keywords that a backend would not enforce, names them, and leaves them out on request."""

from collections.abc import Callable
from dataclasses import dataclass

from ngramspec.errors import UnsupportedError
from ngramspec.guards.schemas.node import Node, Schema, mapped

Reason = Callable[[Node, str], str | None]
"""Why a backend would not enforce a keyword of a schema; None if it would."""

ALONG = {
    "contains": ("minContains", "maxContains"),
    "if": ("then", "else"),
    "properties": ("additionalProperties",),
    "patternProperties": ("additionalProperties",),
    "prefixItems": ("items",),
}
"""Keywords that have no effect, or forbid more, without another one."""
DEPENDENT = {keyword for keywords in ALONG.values() for keyword in keywords}

INSTEAD = {
    "uniqueItems": "list the items in an enum, bound their number, or check the generated text for repetitions",
    "contains": "require it of a position with prefixItems, or of all items",
    "not": "state what is allowed: an enum, a pattern, other types",
    "oneOf": "write anyOf if no value fits two of them, or give each a property with a const of its own",
    "if": "write anyOf with a const of the property that decides",
    "then": "write anyOf with a const of the property that decides",
    "else": "write anyOf with a const of the property that decides",
    "propertyNames": "write patternProperties, and additionalProperties false",
    "patternProperties": "use patterns such that no name fits two",
    "unevaluatedProperties": "write all properties into one schema, and additionalProperties false",
    "unevaluatedItems": "write all items into one schema with prefixItems, and items false",
    "$dynamicRef": "write $ref",
    "$recursiveRef": "write $ref",
    "format": "write a pattern",
}
"""What to write instead of a refused keyword."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A keyword that a backend does not enforce, its location, and the reason.

    instead: what to write there; by default, the usual advice for this keyword.
    """

    keyword: str
    location: str
    reason: str
    instead: str | None = None

    def __str__(self) -> str:
        """The text for errors and warnings, with what to write instead if that is known."""
        instead = self.instead or INSTEAD.get(self.keyword)
        return f"{self.keyword!r} at {self.location} ({self.reason})" + ("" if instead is None else f": {instead}")


class Refuser:
    """Removes from schemas what a backend does not enforce, and records it."""

    def __init__(self, backend: str, reason: Reason) -> None:
        self.refusals: list[Refusal] = []
        self._backend = backend
        self._reason = reason

    def enforced(self, schema: Schema) -> Schema:
        """The part of `schema` that the backend enforces."""
        if isinstance(schema, bool):
            return schema
        node = schema
        for keyword in sorted(schema, key=DEPENDENT.__contains__):
            reason = self._reason(schema, keyword) if keyword in node else None
            if reason is not None:
                self.refuse(schema, keyword, reason)
                node = without(node, keyword)
        return mapped(node, self.enforced)

    def refuse(self, node: Node, keyword: str, reason: str, instead: str | None = None) -> None:
        """Note that `keyword` is not enforced."""
        self.refusals.append(Refusal(node.user_keyword(keyword), node.pointer(keyword), reason, instead))

    def error(self, way_out: str = "") -> UnsupportedError:
        """The error that names the first refusal; way_out: the advice that comes before `lenient`."""
        more = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
        return UnsupportedError(
            f"every keyword of a schema must be enforced, got with {self._backend}: {self.refusals[0]}{more}."
            f" {way_out}lenient=True leaves it out, with a warning"
        )


def without(node: Node, keyword: str) -> Node:
    """`node` without `keyword` and the keywords that need it; a `oneOf` that stands alone is weakened to `anyOf`."""
    if list(node) == ["oneOf"]:
        return node.replaced({"anyOf": node["oneOf"]}, "oneOf")
    return node.with_({}, without=(keyword, *ALONG.get(keyword, ())))
