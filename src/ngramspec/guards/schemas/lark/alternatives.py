"""Schemas as alternatives: for each type, shapes of which one holds if and only if the value fits."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ngramspec.guards.schemas.lark import combinations
from ngramspec.guards.schemas.lark.evaluated import Keyword
from ngramspec.guards.schemas.lark.joining import joined
from ngramspec.guards.schemas.lark.keywords import Demand
from ngramspec.guards.schemas.lark.numbering import FALSE, TRUE, Numbering
from ngramspec.guards.schemas.lark.shapes import (
    ANYTHING,
    NOTHING,
    UNITS,
    Clause,
    Goal,
    Items,
    Members,
    Shape,
    Texts,
    all_of,
    both,
)
from ngramspec.guards.schemas.node import Node, Schema

MAX_ALTERNATIVES = 1000
"""Most shapes that one schema may become, for values of one type."""
MAX_WRITTEN = 64
"""Most alternative objects that are written out where clauses could express them."""
MAX_STEPS = 200_000
"""Most rules, in pairs of shapes that are combined, for a whole schema; each takes some microseconds. Of 397 real
schemas, those that can be expressed take at most 2 016."""
MAX_DEPTH = 4
"""Depth of members and items to which emptiness is checked."""
MAX_LOOKS = 8
"""Nesting of such checks, each caused by the shapes that another one combines."""


_EVERYTHING = frozenset(UNITS.values())


class TooManyError(Exception):
    """A schema has too many alternatives."""

    def __init__(self) -> None:
        super().__init__(f"written out it would be more than {MAX_ALTERNATIVES} alternatives")
        self.instead = "write fewer anyOf, oneOf, if and not beside one another, or make them differ in a const"


class _CircleError(Exception):
    """The alternatives depend on themselves."""


class Alternatives:
    """The alternatives of goals.

    resolve: a definition by its name. demands: the constraints of a schema on values of a type, by keywords that do not
    combine schemas. has: whether a text passes some tests and fails others. has_none: whether certainly no text does.
    closing: the constraints on unevaluated properties and items, in other keywords.
    """

    def __init__(
        self,
        resolve: Callable[[str], Schema],
        demands: Callable[[Node, str], list[Demand]],
        has: Callable[[Texts, str], bool],
        has_none: Callable[[Texts], bool],
        closing: Callable[[Node, Keyword], Schema],
    ) -> None:
        self.resolve = resolve
        self._demands = demands
        self._has = has
        self._has_none = has_none
        self.closing = closing
        self._numbering = Numbering()
        self._found: dict[tuple[int, bool, str], list[Shape]] = {}
        self._of_goal: dict[tuple[Goal, str], list[Shape]] = {}
        self._grown: dict[Goal, tuple[Goal, list[tuple[int, bool]]]] = {}
        self._empty: dict[Goal, bool] = {}
        self._active: set[tuple[int, bool, str]] = set()
        self._failed: set[tuple[int, bool, str]] = set()
        self._steps = 0
        self._num_looks = 0

    def goal(self, schema: Schema, is_positive: bool = True) -> Goal:
        """The goal that a value fits `schema`, or does not."""
        number = self._numbering.of(schema)
        if number in (FALSE, TRUE):
            return ANYTHING if (number == TRUE) is is_positive else NOTHING
        return frozenset([(number, is_positive)])

    def grown(self, goal: Goal, number: int, is_positive: bool) -> Goal:
        """`goal` with one more schema that a value must fit, or not; it is computed from what is known of `goal`."""
        part = (number, is_positive)
        found = goal | {part}
        if part not in goal:
            self._grown[found] = (goal, [part])
        return found

    def opposite(self, goal: Goal) -> Goal:
        """The goal of all values that do not fit `goal`, which has one schema."""
        if goal == ANYTHING:
            return NOTHING
        ((number, is_positive),) = goal
        return frozenset([(number, not is_positive)])

    def node(self, goal: Goal) -> Node | None:
        """A schema that `goal` comes from."""
        nodes = (self._numbering[number] for number, _ in sorted(goal))
        return next((node for node in nodes if isinstance(node, Node)), None)

    def of(self, goal: Goal, json_type: str) -> list[Shape]:
        """Shapes whose union is the values of type `json_type` that fit `goal`.

        Raises TooManyError if they would be too many.
        """
        key = (goal, json_type)
        if key not in self._of_goal:
            before, parts = self._grown.get(goal, (goal, sorted(goal)))
            known = self._of_goal.get((before, json_type))
            found: list[Shape] = [UNITS[json_type]] if known is None else known
            for number, is_positive in sorted(goal) if known is None else parts:
                found = self.both(found, self._one(number, is_positive, json_type))
            self._of_goal[key] = found
        return self._of_goal[key]

    def of_or_none(self, goal: Goal, json_type: str) -> list[Shape] | None:
        """As `of`; None if they depend on a goal that is being computed, or are too many."""
        try:
            return self.of(goal, json_type)
        except (_CircleError, TooManyError):
            return None

    def of_schema(self, schema: Schema, is_positive: bool, json_type: str) -> list[Shape]:
        """The alternatives of one schema, or of its complement."""
        return self._one(self._numbering.of(schema), is_positive, json_type)

    def _one(self, number: int, is_positive: bool, json_type: str) -> list[Shape]:
        key = (number, is_positive, json_type)
        if key in self._found:
            return self._found[key]
        if key in self._active:
            raise _CircleError
        if key in self._failed:
            raise TooManyError
        node = self._numbering[number]
        if isinstance(node, bool):
            return [UNITS[json_type]] if node is is_positive else []
        self._active.add(key)
        try:
            self._found[key] = self._fitting(node, json_type) if is_positive else self._failing(node, json_type)
        except TooManyError:
            self._failed.add(key)
            raise
        finally:
            self._active.remove(key)
        return self._found[key]

    def _fitting(self, node: Node, json_type: str) -> list[Shape]:
        shapes = [UNITS[json_type]]
        for wanted, _ in self._demands(node, json_type):
            if not wanted:
                return []
            shapes += wanted
        shape = all_of(shapes)
        return (
            []
            if shape is None
            else combinations.narrowed(self, node, json_type, self.united(json_type, self._checked(shape)))
        )

    def _failing(self, node: Node, json_type: str) -> list[Shape]:
        opposites = [shape for _, unwanted in self._demands(node, json_type) for shape in unwanted]
        return joined(self.united(json_type, [*opposites, *combinations.opposites(self, node, json_type)]))

    def is_empty(self, goal: Goal, depth: int = MAX_DEPTH) -> bool:
        """Whether nothing fits `goal`, as far as that shows within `depth`."""
        if goal in self._empty or not depth or self._num_looks == MAX_LOOKS:
            return self._empty.get(goal, False)
        self._empty[goal] = False  # while it is computed, because it may refer to itself
        self._num_looks += 1
        try:
            self._empty[goal] = all(
                self.is_void(shape, depth - 1) for json_type in UNITS for shape in self.of(goal, json_type)
            )
        except _CircleError:
            del self._empty[goal]
            return False
        except TooManyError:  # unknown; it is reported where the alternatives are needed
            return False
        finally:
            self._num_looks -= 1
        return self._empty[goal]

    def is_void(self, shape: Shape, depth: int = MAX_DEPTH) -> bool:
        """Whether `shape` holds for no value, as far as that shows within `depth`."""
        if isinstance(shape, Items):
            num_items = min(shape.least, len(shape.prefix) + 1)
            return any(self.is_empty(shape.item(index), depth) for index in range(num_items))
        if isinstance(shape, Texts):
            return len(shape.passed | shape.failed) > 1 and self._has_none(shape)
        if not isinstance(shape, Members) or not shape.required:
            return False
        required = set(shape.required)
        goals: dict[str, Goal] = {}
        for names, goal in shape.rules:
            for name in names.surely(required) if goal else ():
                goals[name] = goals.get(name, ANYTHING) | goal
        return any(self.is_empty(goal, depth) for goal in goals.values())

    def all_of(self, shapes: Sequence[Shape], conjuncts: Iterable[Sequence[Shape]]) -> list[Shape]:
        """The alternatives where one of `shapes` holds, and one of each of `conjuncts`.

        Those of objects that would multiply too much stay separate, as clauses.
        """
        clauses: list[Clause] = []
        apart = list(shapes)
        found: list[Shape] | None = apart
        for shapes_ in conjuncts if apart else ():
            clause = tuple(shape for shape in shapes_ if isinstance(shape, Members) and shape.is_by_name)
            if 1 < len(clause) == len(shapes_):
                clauses.append(clause)
            else:
                apart = self.both(apart, shapes_)
            if found is not None:
                found = self._few(found, shapes_) if clauses else apart
            if not apart or found == []:
                return []
        if found is not None:
            return found
        return [replace(shape, clauses=(*shape.clauses, *clauses)) for shape in apart if isinstance(shape, Members)]

    def _few(self, ones: Sequence[Shape], others: Sequence[Shape]) -> list[Shape] | None:
        """The alternatives where one of `ones` and one of `others` holds; None if they are many."""
        try:
            return self.both(ones, others, MAX_WRITTEN)
        except TooManyError:
            return None

    def both(self, ones: Sequence[Shape], others: Sequence[Shape], most: int = MAX_ALTERNATIVES) -> list[Shape]:
        """The alternatives where one of `ones` and one of `others` holds. Raises TooManyError beyond `most`."""
        for some, rest in ((ones, others), (others, ones)):
            if len(some) == 1 and some[0] in _EVERYTHING:
                return list(rest)
        self._steps += len(ones) * sum(map(_size, others)) + len(others) * sum(map(_size, ones))
        if self._steps > MAX_STEPS:
            raise TooManyError
        found: dict[Shape, None] = {}
        for one in ones:
            for other in others:
                shape = both(one, other)
                for checked in () if shape is None else self._checked(shape):
                    if not self.is_void(checked):
                        found[checked] = None
                        if len(found) > most:
                            raise TooManyError
        return list(found)

    def united(self, json_type: str, shapes: Iterable[Shape]) -> list[Shape]:
        """The alternatives where any of `shapes` holds."""
        found = list(dict.fromkeys(shapes))
        if len(found) > MAX_ALTERNATIVES:
            raise TooManyError
        return [UNITS[json_type]] if UNITS[json_type] in found else found

    def without(self, shapes: Sequence[Shape], schema: Schema, json_type: str) -> list[Shape]:
        """`shapes` without the values of `schema`; shapes that have none stay as they are."""
        others = self.of_schema(schema, True, json_type)
        found: list[Shape] = []
        for shape in shapes:
            is_met = bool(self.both([shape], others))
            found += self.both([shape], self.of_schema(schema, False, json_type)) if is_met else [shape]
        return self.united(json_type, found)

    def _checked(self, shape: Shape) -> list[Shape]:
        """The shape; for listed strings, only those that match the patterns."""
        if not isinstance(shape, Texts) or shape.values is None or not (shape.passed or shape.failed):
            return [shape]
        left = tuple(text for text in shape.values if self._has(shape, text))
        return [Texts(left)] if left else []


def _size(shape: Shape) -> int:
    if not isinstance(shape, Members):
        return 1
    return 1 + len(shape.rules) + sum(map(len, shape.clauses))
