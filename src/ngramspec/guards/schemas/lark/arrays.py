"""Arrays as rules: items by position, and automata where items are counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from ngramspec.guards.schemas.lark.context import CLOSE_ARRAY, OPEN_ARRAY, Context, TooLargeError
from ngramspec.guards.schemas.lark.grammar import Body, Branch, Counting, Repeated, Rule
from ngramspec.guards.schemas.lark.listing import exactly, listed
from ngramspec.guards.schemas.lark.shapes import Contains, Goal, Items
from ngramspec.guards.schemas.values import key_of

MAX_STEPS = 2000
"""Steps of an automaton that counts items."""
MAX_LISTED = 60
"""Values that are told apart, a bit for each."""
MAX_COMPARED = 8
"""Items that are compared pair by pair."""
OPEN_LIST = "whether two items are equal can only be told where the items are listed: list their values in an enum"

State = tuple[int, tuple[int, ...]]
"""Items so far, and how many fit each goal that is counted, as far as it matters."""


def bodies_of(shape: Items, context: Context) -> Iterator[Body]:
    """What an array of `shape` may be. Raises TooLargeError."""
    if shape.unique is not None:
        yield from _of_equality(shape, context)
    elif shape.contains:
        yield from _Counter(shape, context).bodies()
    else:
        yield from _by_position(shape, context)


def _by_position(shape: Items, context: Context) -> Iterator[Body]:
    grammar = context.grammar
    length = len(shape.prefix) if shape.most is None else min(len(shape.prefix), shape.most)
    left = None if shape.most is None else shape.most - length
    another = grammar.rule([(context.comma, context.value(shape.rest))])
    tail: Body = () if left == 0 else (Repeated(another, max(shape.least - length, 0), left),)
    if not shape.least:
        yield OPEN_ARRAY, CLOSE_ARRAY
    if not length and left != 0:
        least = max(shape.least - 1, 0)
        rest = Repeated(another, least, None if left is None else left - 1)
        yield OPEN_ARRAY, context.value(shape.rest), rest, CLOSE_ARRAY
    for index in reversed(range(1, length)):
        ways: list[Body] = [()] if index >= shape.least else []
        tail = (grammar.rule([*ways, (context.comma, context.value(shape.prefix[index]), *tail)]),)
    if length:
        yield OPEN_ARRAY, context.value(shape.prefix[0]), *tail, CLOSE_ARRAY


class _Counter:
    """An automaton over the items: what ends in a state is what ends in one before it, and one more item."""

    def __init__(self, shape: Items, context: Context) -> None:
        self._shape = shape
        self._context = context
        self._contains = sorted(shape.contains, key=repr)
        starts = (contains.start for contains in self._contains)
        self._cap = max(len(shape.prefix), shape.least, *starts) if shape.most is None else shape.most
        self._ends: dict[State, Rule] = {}

    def bodies(self) -> Iterator[Body]:
        start: State = (0, (0,) * len(self._contains))
        if self._may_end(start):
            yield OPEN_ARRAY, CLOSE_ARRAY
        steps = list(self._walk(start))
        self._ends = {after: self._context.grammar.open() for _, _, after in steps}
        ways: dict[State, list[Body]] = {state: [] for state in self._ends}
        for before, goal, after in steps:
            item = self._context.value(goal)
            if before == start:
                ways[after].append((item,))
            if before in self._ends:
                ways[after].append((self._ends[before], self._context.comma, item))
        for state, bodies in ways.items():
            self._context.grammar.close(self._ends[state], bodies)
            if self._may_end(state):
                yield OPEN_ARRAY, self._ends[state], CLOSE_ARRAY

    def _walk(self, start: State) -> Iterator[tuple[State, Goal, State]]:
        waiting, seen, number = [start], {start}, 0
        while waiting:
            state = waiting.pop()
            for goal, after in self._steps(state):
                number += 1
                if number > MAX_STEPS:
                    raise TooLargeError
                yield state, goal, after
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)

    def _steps(self, state: State) -> Iterator[tuple[Goal, State]]:
        """What the next item may be, and the state after it."""
        index, counts = state
        if self._shape.most is not None and index >= self._shape.most:
            return
        base = self._shape.item(index)
        choices = [_counted(contains, index, count) for contains, count in zip(self._contains, counts, strict=True)]
        for chosen in product(*choices):
            goal = base
            for contains, (fits, _) in zip(self._contains, chosen, strict=True):
                if fits is not None:
                    goal |= contains.goal if fits else self._context.ways.opposite(contains.goal)
            if not self._context.ways.is_empty(goal):
                yield goal, (min(index + 1, self._cap), tuple(count for _, count in chosen))

    def _may_end(self, state: State) -> bool:
        index, counts = state
        enough = all(count >= contains.least for contains, count in zip(self._contains, counts, strict=True))
        return enough and index >= self._shape.least


def _counted(contains: Contains, index: int, count: int) -> Iterator[tuple[bool | None, int]]:
    """Whether the item at `index` fits, or is not asked, and the count after it."""
    if index < contains.start or (contains.most is None and count >= contains.least):
        yield None, count
        return
    yield (None if contains.most is None else False), count
    if contains.most is None or count < contains.most:
        yield True, count + 1


def _of_equality(shape: Items, context: Context) -> Iterator[Body]:
    """Arrays whose items all differ, or of which two are equal."""
    free = replace(shape, unique=None)
    if shape.unique and _surely_differ(shape, context):
        yield from bodies_of(free, context)
        return
    values = _values(shape, context)
    if values is None or (shape.unique and shape.contains):
        assert shape.asked is not None
        context.refuse(*shape.asked, OPEN_LIST)
        yield from bodies_of(free, context)
    elif shape.unique:
        yield from _without_equal(shape, values, context)
    else:
        for value in values:
            twice = Items(contains=frozenset([Contains(_only(value, context), least=2)]), least=2)
            both = free.both(twice)
            if both is not None:
                yield from bodies_of(both, context)


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
    """The values that items may have; None where they are too many or not listed."""
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
    """Each value has a bit, which is set once it is there; how many are set is how many items there are."""
    items = [context.value(_only(value, context)) for value in values]
    places = [list(_places(shape, value, context)) for value in values]
    more = [
        Branch((context.comma, item), f"and(bit_clear({bit}), {place})", f"set_bit({bit})")
        for bit, (item, where) in enumerate(zip(items, places, strict=True))
        for place in where
    ]
    rest = context.grammar.counting([Branch((), f"bit_count_ge(_, {shape.least})"), *more])
    if not shape.least:
        yield OPEN_ARRAY, CLOSE_ARRAY
    for bit, (value, item) in enumerate(zip(values, items, strict=True)):
        if shape.most != 0 and _fits(value, shape.item(0), context):
            yield OPEN_ARRAY, item, Counting(rest, 1 << bit), CLOSE_ARRAY


def _places(shape: Items, value: Any, context: Context) -> Iterator[str]:
    """Conditions on the number of items before, under which `value` may come; not as the first one."""
    most = MAX_LISTED if shape.most is None else shape.most
    length = len(shape.prefix)
    for index in range(1, min(length, most)):
        if _fits(value, shape.prefix[index], context):
            yield f"bit_count_eq(_, {index})"
    if most > length and _fits(value, shape.rest, context):
        yield f"and(bit_count_ge(_, {length}), bit_count_lt(_, {most}))"


def _fits(value: Any, goal: Goal, context: Context) -> bool:
    return not context.ways.is_empty(goal | _only(value, context))
