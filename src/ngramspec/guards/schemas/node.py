"""`Node`: a schema in normal form, which remembers its location in the user's schema.

The normal form is draft 2020-12 without annotations, identifiers and anchors; a `$ref` names one of the `$defs` that
accompany the root.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ngramspec.guards.schemas.work import spend

ONE = (
    "not", "if", "then", "else", "items", "contains", "propertyNames", "additionalProperties",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "dependentSchemas")


class Node(dict[str, Any]):
    """A schema that is an object: its keywords, and their locations in the user's schema."""

    def __init__(self, keywords: Mapping[str, Any], location: str, names: Mapping[str, str] | None = None) -> None:
        """location: a JSON pointer. names: the keyword that the user wrote, if it was another one."""
        super().__init__(keywords)
        spend(1 + sum(len(value) for value in keywords.values() if isinstance(value, dict | list)), location)
        self.location = location
        self.names = dict(names or {})

    def with_(
        self, changes: Mapping[str, Any], *, without: tuple[str, ...] = (), user_keyword: str | None = None
    ) -> "Node":
        """This schema with other keywords; user_keyword: the one that the user wrote for those that change."""
        kept = {keyword: value for keyword, value in self.items() if keyword not in without}
        names = self.names | (dict.fromkeys(changes, user_keyword) if user_keyword is not None else {})
        return Node(kept | dict(changes), self.location, names)

    def replaced(self, keywords: Mapping[str, Any], user_keyword: str) -> "Node":
        """Another schema in place of this one's keyword `user_keyword`."""
        return Node(keywords, self.location, dict.fromkeys(keywords, user_keyword))

    def user_keyword(self, keyword: str) -> str:
        """The keyword that the user wrote for `keyword`."""
        return self.names.get(keyword, keyword)

    def pointer(self, keyword: str) -> str:
        """The location of `keyword` in the user's schema."""
        return stepped(self.location, self.user_keyword(keyword))


MAX_STEP, MAX_LOCATION = 100, 500
"""Longest step and location, in characters: a location is read by people, and a hostile schema could make it huge."""


def escaped(name: str) -> str:
    """`name` as a step of a JSON pointer (RFC 6901); of a long one, the beginning."""
    shown = name if len(name) <= MAX_STEP else f"{name[:MAX_STEP]}…"
    return shown.replace("~", "~0").replace("/", "~1")


def stepped(location: str, *steps: str | int) -> str:
    """The location that `steps` lead to from `location`; of a long one, the beginning."""
    for step in steps:
        if len(location) > MAX_LOCATION:
            return location if location.endswith("/…") else f"{location}/…"
        location = f"{location}/{escaped(str(step))}"
    return location


def children(node: Node) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside `node`, each with its keyword."""
    for keyword, value in node.items():
        if keyword in ONE:
            yield keyword, value
        elif keyword in MANY:
            yield from ((keyword, child) for child in value)
        elif keyword in NAMED:
            yield from ((keyword, child) for child in value.values())


def mapped(node: Node, change: Callable[[Any], Any]) -> Node:
    """`node` with `change` applied to each schema directly inside it."""

    def changed(keyword: str, value: Any) -> Any:
        if keyword in ONE:
            return change(value)
        if keyword in MANY:
            return [change(child) for child in value]
        if keyword in NAMED:
            return {name: change(child) for name, child in value.items()}
        return value

    return Node({keyword: changed(keyword, value) for keyword, value in node.items()}, node.location, node.names)


def named(node: Node) -> str:
    """The definition that the `$ref` of `node` names."""
    reference: str = node["$ref"]
    return reference.removeprefix("#/$defs/")


Schema = Node | bool
