"""`multipleOf` bounded: a finite automaton needs a state per remainder, and nothing else bounds its time."""

from collections.abc import Iterator
from decimal import Decimal
from math import lcm

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.node import Node, Schema, children, named

MAX_STEPS = 100_000
"""Remainders that are told apart: some 0.2 s and 20 MB for llguidance."""

TOO_LARGE = 10**9
"""From here on llguidance 1.9.1 finds no multiples at all."""

IN_PLACE = ("allOf", "anyOf")
MAX_DEPTH = 8


def check_steps(schemas: dict[str, Schema]) -> None:
    """Raise GuardError where the steps that may be asked of one number have too many remainders together."""
    for schema in schemas.values():
        for node in _nodes(schema):
            steps = set(_steps(node, schemas, MAX_DEPTH))
            if lcm(*map(_coefficient, steps)) > MAX_STEPS or max(steps, default=0) >= TOO_LARGE:
                raise GuardError(
                    f"multipleOf must be below {TOO_LARGE:_}, and tell at most {MAX_STEPS:_} remainders apart, powers"
                    f" of ten aside, got {', '.join(map(str, sorted(steps)))} at {node.place or 'the root'}: check it"
                    " behind the guard"
                )


def _nodes(schema: Schema) -> Iterator[Node]:
    if isinstance(schema, Node):
        yield schema
        for _, child in children(schema):
            yield from _nodes(child)


def _steps(schema: Schema, schemas: dict[str, Schema], depth: int) -> Iterator[float]:
    """The values of `multipleOf` that hold for a number at this place, as far down as they are combined."""
    if isinstance(schema, bool) or not depth:
        return
    if "multipleOf" in schema:
        yield schema["multipleOf"]
    for keyword, child in children(schema):
        if keyword in IN_PLACE:
            yield from _steps(child, schemas, depth - 1)
    if "$ref" in schema:
        yield from _steps(schemas.get(named(schema), True), schemas, depth - 1)


def _coefficient(step: float) -> int:
    """The digits of a step: powers of ten only move the point."""
    return int("".join(map(str, Decimal(str(step)).normalize().as_tuple().digits)))
