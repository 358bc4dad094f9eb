"""Arrays as rules: items by position, and automata that count items."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ngramspec.guards.schemas.lark.context import Context, TooLargeError
from ngramspec.guards.schemas.lark.grammar import Body, Repeated, Rule
from ngramspec.guards.schemas.lark.shapes import Contains, Goal, Items

MAX_STEPS = 2000
"""Most steps of an automaton that counts items."""

State = tuple[int, tuple[int, ...]]
"""Items so far, and how many fit each counted goal, as far as it matters."""


def bodies_of(shape: Items, context: Context) -> Iterator[Body]:
    """Bodies of an array of `shape`, ignoring `unique`. Raises TooLargeError."""
    return _Counter(shape, context).bodies() if shape.contains else _by_position(shape, context)


def _by_position(shape: Items, context: Context) -> Iterator[Body]:
    grammar = context.grammar
    length = len(shape.prefix) if shape.most is None else min(len(shape.prefix), shape.most)
    left = None if shape.most is None else shape.most - length
    another = grammar.rule([(context.signs.comma, context.value(shape.rest))])
    tail: Body = () if left == 0 else (Repeated(another, max(shape.least - length, 0), left),)
    if not shape.least:
        yield context.signs.open_array, context.signs.close_array
    if not length and left != 0:
        least = max(shape.least - 1, 0)
        rest = Repeated(another, least, None if left is None else left - 1)
        yield context.signs.open_array, context.value(shape.rest), rest, context.signs.close_array
    for index in reversed(range(1, length)):
        ways: list[Body] = [()] if index >= shape.least else []
        tail = (grammar.rule([*ways, (context.signs.comma, context.value(shape.prefix[index]), *tail)]),)
    if length:
        yield context.signs.open_array, context.value(shape.prefix[0]), *tail, context.signs.close_array


class _Counter:
    """An automaton over the items: the arrays that end in a state are those of a state before it with one more item."""

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
            yield self._context.signs.open_array, self._context.signs.close_array
        steps = list(self._walk(start))
        self._ends = {after: self._context.grammar.open() for _, _, after in steps}
        ways: dict[State, list[Body]] = {state: [] for state in self._ends}
        for before, goal, after in steps:
            item = self._context.value(goal)
            if before == start:
                ways[after].append((item,))
            if before in self._ends:
                ways[after].append((self._ends[before], self._context.signs.comma, item))
        for state, bodies in ways.items():
            self._context.grammar.close(self._ends[state], bodies)
            if self._may_end(state):
                yield self._context.signs.open_array, self._ends[state], self._context.signs.close_array

    def _walk(self, start: State) -> Iterator[tuple[State, Goal, State]]:
        waiting, seen, number = [start], {start}, 0
        while waiting:
            state = waiting.pop()
            for goal, after in self._steps(state):
                number += 1
                if number > MAX_STEPS:
                    reason = f"counting the items would take more than {MAX_STEPS} steps"
                    raise TooLargeError(reason, "use smaller bounds, or fewer contains beside one another")
                yield state, goal, after
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)

    def _steps(self, state: State) -> Iterator[tuple[Goal, State]]:
        """The possible next items, and the states after them."""
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
    """Whether the item at `index` fits (None: it does not matter), and the count after it."""
    if index < contains.start or (contains.most is None and count >= contains.least):
        yield None, count
        return
    yield (None if contains.most is None else False), count
    if contains.most is None or count < contains.most:
        yield True, count + 1
