"""Arrays whose items all differ, or of which two are equal; each listed item has a bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from ngramspec.guards.schemas.lark import arrays
from ngramspec.guards.schemas.lark.context import Context
from ngramspec.guards.schemas.lark.grammar import Body, Branch, Counting
from ngramspec.guards.schemas.lark.listing import exactly, listed
from ngramspec.guards.schemas.lark.shapes import Contains, Goal, Items
from ngramspec.guards.schemas.values import key_of

MAX_LISTED = 60
"""Most values that are distinguished."""
MAX_COMPARED = 8
"""Most items that are compared pairwise."""
UNLIKE = "with items of several kinds, no value may be left for one of them"
OPEN_LIST = f"equal items can be recognised among at most {MAX_LISTED} values"
COUNTED = "beside contains, items are kept different only if all fit the same schema, and only one contains counts them"
FEWER = (
    f"allow at most {MAX_LISTED} values, by enum or by bounds of integers, or check the generated text for repetitions"
)
ALIKE = "let all items fit the same schema, or check the generated text for repetitions"
ONE_COUNT = "leave out prefixItems and all but one contains, or check the generated text for repetitions"


def bodies_of(shape: Items, context: Context) -> Iterator[Body]:
    """Bodies of an array of `shape`. Raises TooLargeError."""
    if shape.unique is None:
        yield from arrays.bodies_of(shape, context)
        return
    free = replace(shape, unique=None)
    if shape.unique and _surely_differ(shape, context):
        yield from arrays.bodies_of(free, context)
        return
    values = _values(shape, context)
    if values is None:
        yield from _refused(free, shape, OPEN_LIST, FEWER, context)
    elif shape.unique and shape.contains:
        if shape.prefix or len(shape.contains) > 1 or min(shape.contains, key=repr).start:
            yield from _refused(free, shape, COUNTED, ONE_COUNT, context)
        else:
            yield from _without_equal_but_so_many(shape, values, context)
    elif shape.unique:
        allowed = [_allowed(shape, index, values, context) for index in range(min(shape.least, len(values) + 1))]
        if _lasts(allowed):
            yield from _without_equal(shape, values, context)
        elif len(set(allowed)) > 1:
            yield from _refused(free, shape, UNLIKE, ALIKE, context)
    else:
        for value in values:
            twice = Items(contains=frozenset([Contains(_only(value, context), least=2)]), least=2)
            both = free.both(twice)
            if both is not None:
                yield from arrays.bodies_of(both, context)


def _refused(free: Items, shape: Items, reason: str, instead: str, context: Context) -> Iterator[Body]:
    """The arrays of `shape` with items that may be equal, after noting that `uniqueItems` is not enforced."""
    assert shape.unique_keyword is not None
    context.refuse(*shape.unique_keyword, reason, instead)
    yield from arrays.bodies_of(free, context)


def _surely_differ(shape: Items, context: Context) -> bool:
    """Whether each position has values of its own."""
    length = shape.most
    if context.ways.is_empty(shape.rest):
        length = len(shape.prefix) if length is None else min(length, len(shape.prefix))
    if length is None or length > MAX_COMPARED:
        return False
    return all(
        context.ways.is_empty(shape.item(one) | shape.item(other)) for one, other in combinations(range(length), 2)
    )


def _values(shape: Items, context: Context) -> list[Any] | None:
    """The values that items may have; None if they are too many or cannot be listed."""
    found: dict[Any, Any] = {}
    for goal in {*shape.prefix, shape.rest} if shape.most is None or shape.most > len(shape.prefix) else shape.prefix:
        values = listed(context.ways, goal, MAX_LISTED)
        if values is None:
            return None
        found |= {key_of(value): value for value in values}
    return list(found.values()) if len(found) <= MAX_LISTED else None


def _only(value: Any, context: Context) -> Goal:
    return context.ways.goal(exactly(value))


def _without_equal(shape: Items, values: list[Any], context: Context) -> Iterator[Body]:
    """Each value has a bit, which is set once the value has come; the number of set bits is the number of items."""
    items = [context.value(_only(value, context)) for value in values]
    tests = [list(_tests(shape, value, context)) for value in values]
    more = [
        Branch((context.signs.comma, item), f"and(bit_clear({bit}), {test})", f"set_bit({bit})")
        for bit, (item, where) in enumerate(zip(items, tests, strict=True))
        for test in where
    ]
    rest = context.grammar.counting([Branch((), f"bit_count_ge(_, {shape.least})"), *more])
    if not shape.least:
        yield context.signs.open_array, context.signs.close_array
    for bit, (value, item) in enumerate(zip(values, items, strict=True)):
        if shape.most != 0 and _fits(value, shape.item(0), context):
            yield context.signs.open_array, item, Counting(rest, 1 << bit), context.signs.close_array


def _without_equal_but_so_many(shape: Items, values: list[Any], context: Context) -> Iterator[Body]:
    """As `_without_equal`, with a bound on how many of the values fit `contains`; their bits come first.

    The number of other values is bounded so that the required fitting ones still have room; then the array can always
    be completed.
    """
    (counted,) = shape.contains
    fitting = [value for value in values if _fits(value, counted.goal, context)]
    others = [value for value in values if not _fits(value, counted.goal, context)]
    length = min(len(values), MAX_LISTED if shape.most is None else shape.most)
    most = len(fitting) if counted.most is None else min(len(fitting), counted.most)
    num_others = min(len(others), length - counted.least)
    if counted.least > most or num_others < 0 or shape.least > most + num_others:
        return
    items = [context.value(_only(value, context)) for value in (*fitting, *others)]
    split, end = len(fitting), len(values)
    parts = [(0, split, most)] * split + [(split, end, num_others)] * len(others)
    rest_branches = [
        Branch(
            (context.signs.comma, item),
            f"and(bit_clear({bit}), and(bit_count_lt(_, {length}), bit_count_lt([{first}:{last}], {bound})))",
            f"set_bit({bit})",
        )
        for bit, (item, (first, last, bound)) in enumerate(zip(items, parts, strict=True))
    ]
    is_whole = f"bit_count_ge(_, {shape.least})"
    if counted.least:
        is_whole = f"and({is_whole}, bit_count_ge([0:{split}], {counted.least}))"
    rest = context.grammar.counting([Branch((), is_whole), *rest_branches])
    if not shape.least and not counted.least:
        yield context.signs.open_array, context.signs.close_array
    for bit, (item, (_, _, bound)) in enumerate(zip(items, parts, strict=True)):
        if bound and length:
            yield context.signs.open_array, item, Counting(rest, 1 << bit), context.signs.close_array


def _allowed(shape: Items, index: int, values: list[Any], context: Context) -> frozenset[int]:
    """Which of the values may come at `index`."""
    return frozenset(bit for bit, value in enumerate(values) if _fits(value, shape.item(index), context))


def _lasts(allowed: list[frozenset[int]]) -> bool:
    """Whether a value is left for each required item, whatever came before it.

    False may also mean that the check failed to prove it; if all items allow the same values it never does.
    """
    return all(
        len(own) > sum(not own.isdisjoint(other) for other in allowed[:index]) for index, own in enumerate(allowed)
    )


def _tests(shape: Items, value: Any, context: Context) -> Iterator[str]:
    """Conditions on the number of earlier items under which `value` may come; not as the first item."""
    most = MAX_LISTED if shape.most is None else shape.most
    length = len(shape.prefix)
    for index in range(1, min(length, most)):
        if _fits(value, shape.prefix[index], context):
            yield f"bit_count_eq(_, {index})"
    if most > length and _fits(value, shape.rest, context):
        yield f"and(bit_count_ge(_, {length}), bit_count_lt(_, {most}))"


def _fits(value: Any, goal: Goal, context: Context) -> bool:
    return not context.ways.is_empty(goal | _only(value, context))
