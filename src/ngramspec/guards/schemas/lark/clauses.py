"""Clauses of objects, followed name by name: of several options one must hold, and names decide which still can.

Written out, ten clauses of two options are a thousand objects, and most of them differ in names that come much later.
So a clause is a set of options that can still hold, and each name removes some: a missing name those that require it, a
value those that need another one. Where options constrain one value differently, each constraint holds or does not, and
combinations that no value fits are dropped: n constants leave n + 1 cases, not 2^n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ngramspec.errors import shortened
from ngramspec.guards.schemas.lark.context import Context, TooLargeError
from ngramspec.guards.schemas.lark.numbering import FALSE
from ngramspec.guards.schemas.lark.shapes import ANYTHING, Clause, Goal, Members

MAX_CASES = 1_000
"""Most cases of the constraints that a value fits, at one name."""

Open = frozenset[frozenset[int]]
"""For each clause of which no option holds yet, the numbers of the options that can still hold.

Options with equal constraints on later names share a number, so clauses with equal options are one.
"""


class Clauses:
    """The clauses of an object whose names come in a given order."""

    def __init__(self, clauses: Sequence[Clause], names: Sequence[str], context: Context) -> None:
        self._context = context
        self._names = names
        self._position = {name: index for index, name in enumerate(names)}
        self._options = [option for clause in clauses for option in clause]
        self._goals = list(map(_goals_of, self._options))
        self._last = [self._last_of(option) for option in self._options]
        numbers = iter(range(len(self._options)))
        self._clauses = frozenset(frozenset(next(numbers) for _ in clause) for clause in clauses)
        self._numbers: dict[object, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._options_about: dict[tuple[int, str], frozenset[int]] = {}

    @property
    def start(self) -> Open:
        """All clauses."""
        return self._unsettled(self._clauses, -1)

    def without(self, index: int, before: Open) -> Open | None:
        """The open clauses if the name at `index` is missing; None if it must not be."""
        name = self._names[index]
        found = frozenset(
            frozenset(option for option in options if name not in self._options[option].required) for options in before
        )
        return self._unsettled(found, index) if all(found) else None

    def with_(self, index: int, before: Open, goal: Goal) -> Iterator[tuple[Goal, Open]]:
        """The goals that the value of the name at `index` may fit beside `goal`, and the open clauses after each.

        Raises TooLargeError if there are too many cases.
        """
        name = self._names[index]
        numbers = sorted(
            {number for option in self._mentioning(name, before) for number, _ in self._goals[option][name]}
        )
        cases = [(goal, before)]
        for number in numbers:
            cases = [more for case in cases for more in self._split(number, name, case)]
            if len(cases) > MAX_CASES:
                reason = f"conditions on {shortened(name)} would be more than {MAX_CASES} cases"
                raise TooLargeError(reason, "require one const or enum of it in each, so that no two hold together")
        for found, open_ in cases:
            yield found, self._unsettled(open_, index)

    def may_end(self, index: int, before: Open) -> bool:
        """Whether all names from `index` on may be missing."""
        later = self._position
        return all(
            any(all(later[name] < index for name in self._options[option].required) for option in options)
            for options in before
        )

    def _mentioning(self, name: str, before: Open) -> Iterator[int]:
        """The options that constrain the value of `name`."""
        return (option for options in before for option in options if name in self._goals[option])

    def _split(self, number: int, name: str, case: tuple[Goal, Open]) -> Iterator[tuple[Goal, Open]]:
        """The case in which the value also fits the schema with `number`, and the one in which it does not."""
        goal, before = case
        about = self._about(number, name)
        touched = {options for options in before if not about.isdisjoint(options)}
        if not touched:
            yield case
            return
        for fits in (False,) if number == FALSE else (False, True):
            against = (number, not fits)
            left = {
                frozenset(option for option in options if against not in self._goals[option].get(name, ()))
                for options in touched
            }
            found = goal if number == FALSE else self._context.ways.grown(goal, number, fits)
            if all(left) and not self._context.ways.is_empty(found):
                yield found, before - touched | left

    def _about(self, number: int, name: str) -> frozenset[int]:
        """The options by which the value of `name` must, or must not, fit the schema with `number`."""
        if (number, name) not in self._options_about:
            either = {(number, True), (number, False)}
            options = (option for option, goals in enumerate(self._goals) if not either.isdisjoint(goals.get(name, ())))
            self._options_about[number, name] = frozenset(options)
        return self._options_about[number, name]

    def _unsettled(self, before: Open, index: int) -> Open:
        """The clauses without an option that already holds, whatever comes after `index`."""
        return frozenset(
            frozenset(self._number(option, index) for option in options)
            for options in before
            if not any(self._last[option] <= index for option in options)
        )

    def _number(self, option: int, index: int) -> int:
        """The first option seen with the same constraints on the names after `index`."""
        if (option, index) not in self._known:
            required = frozenset(name for name in self._options[option].required if self._position[name] > index)
            goals = frozenset(
                (name, goal) for name, goal in self._goals[option].items() if self._position[name] > index
            )
            self._known[option, index] = self._numbers.setdefault((index, required, goals), option)
        return self._known[option, index]

    def _last_of(self, option: Members) -> int:
        """Index of the last name that an option constrains."""
        names = [*option.required, *_goals_of(option)]
        return max((self._position[name] for name in names), default=-1)


def _goals_of(option: Members) -> dict[str, Goal]:
    """The goals of the values, by name."""
    goals: dict[str, Goal] = {}
    for names, goal in option.rules:
        assert names.only is not None
        goals[names.only] = goals.get(names.only, ANYTHING) | goal
    return goals
