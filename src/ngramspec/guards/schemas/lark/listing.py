"""Enumerates the values that fit a goal, if they are few."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from ngramspec.guards.schemas.lark.shapes import ANYTHING, UNITS, Constants, Goal, Items, Members, Numbers, Shape, Texts
from ngramspec.guards.schemas.node import Node
from ngramspec.guards.schemas.terminals.numbers import common
from ngramspec.guards.schemas.values import key_of

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.alternatives import Alternatives

MAX_DEPTH = 4


def listed(ways: Alternatives, goal: Goal, most: int, depth: int = MAX_DEPTH) -> list[Any] | None:
    """Each value that fits `goal`, once; None if there are more than `most` or they cannot be listed."""
    if goal == ANYTHING or not depth:
        return None
    found: dict[Any, Any] = {}
    for kind in UNITS:
        for shape in ways.of(goal, kind):
            values = _of_shape(ways, shape, most, depth)
            if values is None:
                return None
            for value in values:
                found[key_of(value)] = value
                if len(found) > most:
                    return None
    return list(found.values())


def _of_shape(ways: Alternatives, shape: Shape, most: int, depth: int) -> Iterator[Any] | None:
    if isinstance(shape, Constants | Texts):
        return None if shape.values is None else iter(shape.values)
    if isinstance(shape, Numbers):
        return _numbers(shape, most)
    if isinstance(shape, Items):
        return _arrays(ways, shape, most, depth)
    return _objects(ways, shape, most, depth)


def _numbers(shape: Numbers, most: int) -> Iterator[Fraction] | None:
    """The listed numbers, or the multiples between two bounds."""
    if shape.values is not None:
        return iter(sorted(shape.values))
    steps = [*shape.steps, *([Fraction(1)] if shape.whole else [])]
    if shape.low is None or shape.high is None or not steps:
        return None
    step = common(steps)
    first, last = ceil(shape.low[0] / step), floor(shape.high[0] / step)
    if last - first > most + len(shape.excluded) + 1:
        return None
    return (count * step for count in range(first, last + 1) if shape.holds(count * step))


def _arrays(ways: Alternatives, shape: Items, most: int, depth: int) -> Iterator[list[Any]] | None:
    if shape.least != shape.most or shape.contains or shape.unique is not None or shape.least > most:
        return None
    items = [listed(ways, shape.item(index), most, depth - 1) for index in range(shape.least)]
    known = [values for values in items if values is not None]
    return map(list, product(*known)) if len(known) == len(items) else None


def _objects(ways: Alternatives, shape: Members, most: int, depth: int) -> Iterator[dict[str, Any]] | None:
    """The objects with all required members and no others."""
    is_closed = any(
        names.is_others and names.listed <= set(shape.required) and not names.patterns and ways.is_empty(goal)
        for names, goal in shape.rules
    )
    if not is_closed or shape.some or shape.clauses or shape.least > len(shape.required) or len(shape.required) > most:
        return None
    goals: dict[str, Goal] = dict.fromkeys(shape.required, ANYTHING)
    for names, goal in shape.rules:
        if names.patterns or names.goals:
            return None
        for name in names.surely(set(shape.required)):
            goals[name] |= goal
    values = [listed(ways, goal, most, depth - 1) for goal in goals.values()]
    known = [some for some in values if some is not None]
    if len(known) < len(values):
        return None
    return (dict(zip(goals, members, strict=True)) for members in product(*known))


def exactly(value: Any, location: str = "") -> Node:
    """The schema that only `value` fits; location: in the user's schema."""
    if isinstance(value, list):
        items = [exactly(item, location) for item in value]
        return Node({"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}, location)
    if isinstance(value, dict):
        members = {name: exactly(item, location) for name, item in value.items()}
        keywords = {"properties": members, "required": list(members), "additionalProperties": False}
        return Node({"type": "object", **keywords}, location)
    return Node({"const": value}, location)
