"""Shapes: conjunctions of constraints on a value of one type."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from ngramspec.guards.schemas.node import Node

Goal = frozenset[tuple[int, bool]]
"""A conjunction of schemas, by number, that a value must fit (true) or must not fit (false)."""

ANYTHING: Goal = frozenset()
NOTHING: Goal = frozenset([(0, True)])
Test = tuple[Literal["pattern", "format"], str]
"""A pattern that matches in a text, or a format that the text has."""
SchemaKeyword = tuple[Node, str]
"""A schema and its keyword."""
NUMBER = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Constants:
    """The allowed ones of null, true and false."""

    values: tuple[Any, ...]

    def both(self, other: "Constants") -> "Constants | None":
        """What both allow."""
        common = tuple(value for value in self.values if value in other.values)
        return Constants(common) if common else None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in a range that are multiples of some steps and not of others.

    values: the only ones, if listed. low, high: a bound, and whether it is exclusive. whole: True for integers, False
    for numbers that are not, None for both.
    """

    values: frozenset[Fraction] | None = None
    excluded: frozenset[Fraction] = frozenset()
    low: tuple[Fraction, bool] | None = None
    high: tuple[Fraction, bool] | None = None
    whole: bool | None = None
    steps: frozenset[Fraction] = frozenset()
    between: frozenset[Fraction] = frozenset()

    def both(self, other: "Numbers") -> "Numbers | None":
        """What both allow; None for nothing."""
        if None not in (self.whole, other.whole) and self.whole != other.whole:
            return None
        lows = [bound for bound in (self.low, other.low) if bound is not None]
        highs = [(bound, not strict) for bound, strict in filter(None, (self.high, other.high))]
        values = self.values if other.values is None else other.values
        found = Numbers(
            values if self.values is None else self.values & (values or frozenset()),
            self.excluded | other.excluded,
            max(lows, default=None),
            (min(highs)[0], not min(highs)[1]) if highs else None,
            self.whole if other.whole is None else other.whole,
            self.steps | other.steps,
            self.between | other.between,
        )
        return found._checked()

    def holds(self, number: Fraction) -> bool:
        """Whether `number` is in the shape."""
        return (
            (self.values is None or number in self.values)
            and number not in self.excluded
            and (self.low is None or number > self.low[0] or (number == self.low[0] and not self.low[1]))
            and (self.high is None or number < self.high[0] or (number == self.high[0] and not self.high[1]))
            and self.whole in (None, number.denominator == 1)
            and all((number / step).denominator == 1 for step in self.steps)
            and all((number / step).denominator > 1 for step in self.between)
        )

    def _checked(self) -> "Numbers | None":
        if self.values is not None:
            left = frozenset(number for number in self.values if self.holds(number))
            return Numbers(left) if left else None
        if self.low is None or self.high is None or self.low[0] < self.high[0]:
            return self
        if self.low[0] == self.high[0] and self.holds(self.low[0]):
            return Numbers(frozenset([self.low[0]]))
        return None


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings. values: the only ones, if listed, in order. excluded: forbidden ones.

    passed, failed: tests that they must pass, and must fail. least, most: length in code points.
    """

    values: tuple[str, ...] | None = None
    excluded: frozenset[str] = frozenset()
    passed: frozenset[Test] = frozenset()
    failed: frozenset[Test] = frozenset()
    least: int = 0
    most: int | None = None

    def both(self, other: "Texts") -> "Texts | None":
        """What both allow, as far as is known without matching patterns; None for nothing."""
        most = _least_of(self.most, other.most)
        least = max(self.least, other.least)
        passed, failed = self.passed | other.passed, self.failed | other.failed
        if passed & failed or (most is not None and least > most):
            return None
        values = self.values if other.values is None else other.values
        if self.values is not None and other.values is not None:
            values = tuple(text for text in self.values if text in set(other.values))
        excluded = self.excluded | other.excluded
        if most == 0 and "" in excluded:
            return None
        if values is not None:
            values = tuple(
                text
                for text in values
                if text not in excluded and least <= len(text) and (most is None or len(text) <= most)
            )
            if not values:
                return None
            excluded, least, most = frozenset(), 0, None
        return Texts(values, excluded, passed, failed, least, most)


@dataclass(frozen=True, slots=True)
class Contains:
    """From `least` to `most` of the items from `start` on fit `goal`; most: None for any number."""

    goal: Goal
    start: int = 0
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """Arrays. unique: True if all items differ, False if some two are equal, None for both.

    unique_keyword: the one that requires `unique`.
    """

    prefix: tuple[Goal, ...] = ()
    rest: Goal = ANYTHING
    least: int = 0
    most: int | None = None
    contains: frozenset[Contains] = frozenset()
    unique: bool | None = None
    unique_keyword: SchemaKeyword | None = field(default=None, compare=False)

    def both(self, other: "Items") -> "Items | None":
        """What both allow; None for nothing."""
        least, most = max(self.least, other.least), _least_of(self.most, other.most)
        if most is not None and least > most:
            return None
        if None not in (self.unique, other.unique) and self.unique != other.unique:
            return None
        length = max(len(self.prefix), len(other.prefix))
        prefix = tuple(self.item(index) | other.item(index) for index in range(length))
        unique = self.unique if other.unique is None else other.unique
        contains = self.contains | other.contains
        return Items(
            prefix, self.rest | other.rest, least, most, contains, unique, self.unique_keyword or other.unique_keyword
        )

    def item(self, index: int) -> Goal:
        """What the item at `index` must fit."""
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: those listed, those that match a pattern and those that fit a goal; or the complement."""

    listed: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    goals: frozenset[Goal] = frozenset()
    is_others: bool = False

    @property
    def only(self) -> str | None:
        """The name, if the set has exactly one."""
        if self.patterns or self.goals or self.is_others or len(self.listed) != 1:
            return None
        return next(iter(self.listed))

    def surely(self, names: set[str]) -> set[str]:
        """Those of `names` that are in the set, as far as is known without matching patterns."""
        if not self.is_others:
            return names & self.listed
        return set() if self.patterns or self.goals else names - self.listed


Clause: TypeAlias = "tuple[Members, ...]"
"""A clause: options, of which one must hold."""


@dataclass(frozen=True, slots=True)
class Members:
    """Objects. rules: goals of the values whose names are in a set. some: sets and goals that some member must fit.

    Rules come in the order in which names are declared. clauses: each has options of which one must hold; they are
    followed name by name (`objects.py`) if they would be too many written out. least_keyword, some_keyword: those that
    require `least`, and `some`.
    """

    rules: tuple[tuple[Names, Goal], ...] = ()
    required: tuple[str, ...] = ()
    some: frozenset[tuple[Names, Goal]] = frozenset()
    least: int = 0
    most: int | None = None
    clauses: "tuple[Clause, ...]" = ()
    least_keyword: SchemaKeyword | None = field(default=None, compare=False)
    some_keyword: SchemaKeyword | None = field(default=None, compare=False)

    @classmethod
    def without(cls, name: str) -> "Members":
        """The objects without property `name`."""
        return cls(((Names(frozenset([name])), NOTHING),))

    def both(self, other: "Members") -> "Members | None":
        """What both allow; None for nothing."""
        least, most = max(self.least, other.least), _least_of(self.most, other.most)
        required = tuple(dict.fromkeys((*self.required, *other.required)))
        if most is not None and max(least, len(required)) > most:
            return None
        rules = tuple(dict.fromkeys((*self.rules, *other.rules)))
        some = self.some | other.some
        least_keyword = self.least_keyword or other.least_keyword
        some_keyword = self.some_keyword or other.some_keyword
        clauses = tuple(dict.fromkeys((*self.clauses, *other.clauses)))
        return Members(rules, required, some, least, most, clauses, least_keyword, some_keyword)

    @property
    def is_by_name(self) -> bool:
        """Whether all constraints are on properties with listed names, so that it can be an option of a clause."""
        is_listed = all(names.only is not None for names, _ in self.rules)
        return is_listed and not (self.some or self.least or self.clauses) and self.most is None


Shape = Constants | Numbers | Texts | Items | Members

UNITS: dict[str, Shape] = {
    "null": Constants((None,)),
    "boolean": Constants((True, False)),
    "number": Numbers(),
    "string": Texts(),
    "array": Items(),
    "object": Members(),
}
"""All values of each type."""


def both(one: Shape, other: Shape) -> Shape | None:
    """The intersection of two shapes of one type; None for nothing."""
    assert type(one) is type(other)
    return one.both(other)  # type: ignore[arg-type]


def all_of(shapes: list[Shape]) -> Shape | None:
    """The intersection of `shapes`, computed as a balanced tree, because a shape grows with its content."""
    while len(shapes) > 1:
        pairs = [
            both(*shapes[index : index + 2]) if index + 1 < len(shapes) else shapes[index]
            for index in range(0, len(shapes), 2)
        ]
        if None in pairs:
            return None
        shapes = [shape for shape in pairs if shape is not None]
    return shapes[0]


def exact(number: NUMBER) -> Fraction:
    """A number of a schema, exactly."""
    return Fraction(str(number)) if isinstance(number, float) else Fraction(number)


def _least_of(one: int | None, other: int | None) -> int | None:
    bounds = [bound for bound in (one, other) if bound is not None]
    return min(bounds, default=None)
