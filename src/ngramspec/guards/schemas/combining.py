"""`allOf`, `oneOf`, and `anyOf` or `$ref` beside other keywords, as one set of keywords or as alternatives.

xgrammar looks at one of these keywords alone. Common schemas are rewritten for that: an `allOf` whose parts constrain
different things, alternatives beside a common part, a `oneOf` of types or of objects with a tag. Anything else stays as
it is, and is refused by name.
"""

from collections.abc import Iterable
from typing import Any

from ngramspec.guards.schemas.disjoint import are_disjoint
from ngramspec.guards.schemas.node import Node, Schema, mapped, named
from ngramspec.guards.schemas.values import key_of

Schemas = dict[str, Schema]
"""The root, under the name "", and the definitions."""

COMBINATIONS = ("$ref", "allOf", "anyOf", "oneOf")
TOGETHER = ({"properties", "patternProperties", "additionalProperties"}, {"prefixItems", "items"})
"""Keywords whose meaning depends on each other: two schemas that both use keywords of one set are not combined."""


def combined(schemas: Schemas) -> Schemas:
    """Schemas for the same values, in which a combination stands alone wherever that can be expressed."""
    combiner = _Combiner(schemas)
    return {name: combiner.combined(schema) for name, schema in schemas.items()}


def either(node: Node, schemas: Iterable[Schema], user_keyword: str) -> Schema:
    """The union of `schemas`, as a schema that replaces `node`; user_keyword: the one that the user wrote for it."""
    possible = [schema for schema in schemas if schema is not False]
    if any(schema is True for schema in possible):
        return True
    if len(possible) < 2:
        return possible[0] if possible else False
    return node.replaced({"anyOf": possible}, user_keyword)


class _Combiner:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def combined(self, schema: Schema) -> Schema:
        """`schema` with its inner schemas combined, then its own keywords; unchanged where they cannot be."""
        if isinstance(schema, bool):
            return schema
        if list(schema) == ["$ref"]:
            target = self._schemas[named(schema)]
            return target if isinstance(target, bool) else schema
        node = mapped(schema, self.combined)
        if "oneOf" in node and "anyOf" not in node and self._are_disjoint(node):
            node = node.with_({"anyOf": node["oneOf"]}, without=("oneOf",), user_keyword="oneOf")
        rest = node.with_({}, without=("$ref", "allOf", "anyOf"))
        parts: list[Schema] = [rest] if rest else []
        parts += [node.replaced({"$ref": node["$ref"]}, node.user_keyword("$ref"))] if "$ref" in node else []
        parts += node.get("allOf", [])
        parts += [either(node, node["anyOf"], node.user_keyword("anyOf"))] if "anyOf" in node else []
        found: Schema | None = True
        for part in parts:
            found = None if found is None else self._both(found, part)
        return node if found is None else found

    def _are_disjoint(self, node: Node) -> bool:
        """Whether at most one schema of the `oneOf` can hold, given the keywords beside it."""
        rest = node.with_({}, without=("oneOf",))
        return are_disjoint([self._both(rest, way) or way for way in node["oneOf"]], self._schemas)

    def _both(self, one: Schema, other: Schema) -> Schema | None:
        """The values of both as one schema; None if this module cannot express it."""
        if isinstance(one, bool):
            return other if one else False
        if isinstance(other, bool):
            return one if other else False
        for this, that in ((one, other), (other, one)):
            if list(this) == ["anyOf"]:
                return self._each(this, that)
            if list(this) == ["$ref"]:
                return this if self._is_implied(that, this) else None
        return _merged(one, other)

    def _each(self, ways: Node, common: Node) -> Schema | None:
        found = [self._both(common, way) for way in ways["anyOf"]]
        known = [way for way in found if way is not None]
        return either(ways, known, ways.user_keyword("anyOf")) if len(known) == len(found) else None

    def _is_implied(self, node: Node, reference: Node) -> bool:
        """Whether the target of `reference` requires all that `node` requires, such as its type."""
        target = self._schemas[named(reference)]
        if isinstance(target, bool) or any(keywords & node.keys() for keywords in TOGETHER):
            return False
        return all(keyword in target and _is_same(target[keyword], value) for keyword, value in node.items())


def _is_same(one: Any, other: Any) -> bool:
    return bool(key_of(one) == key_of(other))


def _merged(one: Node, other: Node) -> Node | None:
    """The keywords of both; None if two of them cannot be merged."""
    if any(keywords & one.keys() and keywords & other.keys() for keywords in TOGETHER):
        return None
    shared = (one.keys() & other.keys()) - {"required"}
    if any(keyword in COMBINATIONS or not _is_same(one[keyword], other[keyword]) for keyword in shared):
        return None
    found = Node({**one, **other}, one.location, other.names | one.names)
    if "required" in found:
        found["required"] = list(dict.fromkeys([*one.get("required", ()), *other.get("required", ())]))
    return found
