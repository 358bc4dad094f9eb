"""`uniqueItems` as a list of all arrays, if they are few."""

from itertools import permutations
from math import perm
from typing import Any

from ngramspec.guards.schemas.complement import Resolve, resolved
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.values import key_of, types_of, values_of

MAX_ARRAYS = 400


def with_listed_arrays(node: Node, resolve: Resolve) -> Schema:
    """`uniqueItems` over items that can be listed, as an enumeration of all such arrays."""
    if "uniqueItems" not in node or types_of(node) != {"array"} or "items" not in node:
        return node
    if not node.keys() <= {"type", "items", "uniqueItems", "minItems", "maxItems"}:
        return node
    values = _values(node["items"], resolve)
    if values is None:
        return node
    least, most = node.get("minItems", 0), min(node.get("maxItems", len(values)), len(values))
    if len(values) > MAX_ARRAYS or sum(perm(len(values), length) for length in range(least, most + 1)) > MAX_ARRAYS:
        return node
    arrays = [list(items) for length in range(least, most + 1) for items in permutations(values, length)]
    return node.made({"enum": arrays}, "uniqueItems")


def _values(items: Schema, resolve: Resolve) -> list[Any] | None:
    items = resolved(items, resolve)
    if isinstance(items, bool):
        return None if items else []
    if not items.keys() <= {"const", "enum", "type"}:
        return None
    values = values_of(items)
    return None if values is None else list({key_of(value): value for value in values}.values())
