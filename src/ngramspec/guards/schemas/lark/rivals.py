"""Finds the schemas of a list that may hold for the same value; those that differ in a tag do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ngramspec.guards.schemas.lark.shapes import ANYTHING, UNITS, Constants, Goal, Members, Numbers, Shape, Texts

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.alternatives import Alternatives

Tags = frozenset[Any]


def rivals(ways: Alternatives, alternatives: Sequence[Sequence[Shape]]) -> Iterator[list[int]]:
    """For each entry, the others that may share a value with it."""
    tags = _tags(ways, alternatives)
    if tags is None:
        for index, shapes in enumerate(alternatives):
            yield [other for other in range(len(alternatives)) if other != index and shapes and alternatives[other]]
        return
    having: dict[Any, list[int]] = defaultdict(list)
    for index, own in enumerate(tags):
        for tag in own:
            having[tag].append(index)
    for index, own in enumerate(tags):
        yield sorted({other for tag in own for other in having[tag]} - {index})


def _tags(ways: Alternatives, alternatives: Sequence[Sequence[Shape]]) -> list[Tags] | None:
    """The values that each entry allows, or allows in a property that all require; None if they are not listed."""
    shapes = [shape for some in alternatives for shape in some]
    if not shapes:
        return None
    if all(_listed(shape) is not None for shape in shapes):
        return [frozenset().union(*(_listed(shape) or () for shape in some)) for some in alternatives]
    if not all(isinstance(shape, Members) for shape in shapes):
        return None
    names = [set(shape.required) for shape in shapes if isinstance(shape, Members)]
    for name in sorted(set.intersection(*names)):
        tags = [_tags_of(ways, some, name) for some in alternatives]
        if None not in tags:
            return [own for own in tags if own is not None]
    return None


def _tags_of(ways: Alternatives, shapes: Sequence[Shape], name: str) -> Tags | None:
    found: Tags = frozenset()
    for shape in shapes:
        assert isinstance(shape, Members)
        goals = [goal for names, goal in shape.rules if names.only == name]
        values = _values(ways, frozenset().union(*goals)) if goals else None
        if values is None:
            return None
        found |= values
    return found


def _values(ways: Alternatives, goal: Goal) -> Tags | None:
    """The values that fit `goal`, if they are listed."""
    if goal == ANYTHING:
        return None
    found: Tags = frozenset()
    for kind in UNITS:
        shapes = ways.of_or_none(goal, kind)
        if shapes is None:
            return None
        for shape in shapes:
            listed = _listed(shape)
            if listed is None:
                return None
            found |= listed
    return found


def _listed(shape: Shape) -> Tags | None:
    if isinstance(shape, Constants | Numbers | Texts) and shape.values is not None:
        return frozenset((type(shape).__name__, type(value).__name__, value) for value in shape.values)
    return None
