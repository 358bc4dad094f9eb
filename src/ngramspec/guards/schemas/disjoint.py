"""Whether no value fits two of several schemas, without comparing pairs: by types, by listed values, or by a tag.

A tag is a property that all the objects require, each with values of its own; OpenAPI and pydantic call it a
discriminator. It tells hundreds of alternatives apart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import key_of, types_of, values_of

MAX_TAGS = 100
"""Most required properties that are tried as a tag."""
MAX_LINKS = 50
"""Longest chain of references that is followed."""


def are_disjoint(ways: Sequence[Schema], definitions: Mapping[str, Schema]) -> bool:
    """Whether it is certain that no value is valid in two of `ways`; definitions: the targets of their references."""
    nodes = [resolved(way, definitions) for way in ways if way is not False]
    found = [node for node in nodes if isinstance(node, Node)]
    if len(found) < len(nodes):
        return len(nodes) < 2
    objects = [node for node in found if types_of(node) == {"object"} and values_of(node) is None]
    required = objects[0].get("required", ()) if objects else ()
    return any(_differ(found, tag, definitions) for tag in [None, *islice(required, MAX_TAGS)])


def _differ(nodes: list[Node], tag: str | None, definitions: Mapping[str, Schema]) -> bool:
    """Whether no value fits two of `nodes`: their types differ, or the values listed for them or for their `tag`."""
    whole: Counter[str] = Counter()
    listed: Counter[Any] = Counter()
    for node in nodes:
        values = _scalars(node)
        if values is None and tag is not None and types_of(node) == {"object"}:
            of_tag = _values_of_tag(node, tag, definitions)
            values = None if of_tag is None else {("object", key) for key in of_tag}
        if values is None:
            whole.update(types_of(node))
        else:
            listed.update(values)
    kinds_listed = {kind for kind, _ in listed}
    return max(listed.values(), default=1) == 1 and all(
        count == 1 and kind not in kinds_listed for kind, count in whole.items()
    )


def _scalars(node: Node) -> set[Any] | None:
    """The values that `node` lists, as keys; None if it lists none, or objects or arrays."""
    values = values_of(node)
    if values is None or any(isinstance(value, dict | list) for value in values):
        return None
    return set(map(key_of, values))


def _values_of_tag(node: Node, tag: str, definitions: Mapping[str, Schema]) -> set[Any] | None:
    if tag not in node.get("required", ()):
        return None
    known = resolved(node.get("properties", {}).get(tag, True), definitions)
    return _scalars(known) if isinstance(known, Node) else None


def resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The target of a schema that is nothing but a reference."""
    for _ in range(MAX_LINKS):
        if isinstance(schema, bool) or list(schema) != ["$ref"]:
            break
        schema = definitions[named(schema)]
    return schema
