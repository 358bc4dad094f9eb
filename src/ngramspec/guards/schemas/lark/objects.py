"""Objects as rules: the declared names in their order, each at most once, and after them all other names.

A chain of rules gives what may come from a declared name on: `first` has at least one member, `tail` a comma and
another `first`, or the end of the object. The end is in each rule: if it came after them, all rules of the chain would
be complete after each member, and each member would cost more than the one before. So after a member two branches are
active, and after a comma two for each remaining name. `first` chooses along a tree of small height, because llguidance
compares each active branch with every other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

from ngramspec.guards.schemas.lark.clauses import Clauses, Open
from ngramspec.guards.schemas.lark.context import Context, TooLargeError
from ngramspec.guards.schemas.lark.grammar import Body, Repeated, Rule
from ngramspec.guards.schemas.lark.leaves import quoted
from ngramspec.guards.schemas.lark.regions import Region, declared_names, is_in, regions_of
from ngramspec.guards.schemas.lark.shapes import ANYTHING, Goal, Members, Names

MAX_NAMES = 4_000
"""Most declared names that may come at one position: llguidance compares them with one another at each key."""
MAX_STATES = 50_000
"""Most states: declared names, times counted members, times sets of open demands."""
MAX_OPEN_STATES = 10_000
"""The same if clauses are open."""
WIDTH = 8
"""Members, or rules for several of them, that are alternatives in one choice."""
REPEATED = "a name that is not listed may come twice, so two members need not be two properties: list the names"
TWO_DEMANDS = "two members with names that are not listed would be required, but they may be one name twice: list them"

NEIGHBOURS = "declare names that depend on one another next to one another in properties"

State = tuple[int, frozenset[int], Open]
"""Members so far, as far as they are counted; the demands on some member, and the clauses, that are still open."""

Choice = tuple[tuple[int, tuple[Body, ...]], ...]
"""Alternative bodies: those of one member or, at a greater height, a rule for several."""


def bodies_of(shape: Members, context: Context) -> Iterator[Body]:
    """Bodies of an object of `shape`. Raises TooLargeError."""
    return _Chain(shape, context).bodies()


class _Chain:
    def __init__(self, shape: Members, context: Context) -> None:
        self._context = context
        self._some = sorted(shape.some, key=repr)
        self._names = list(declared_names(shape, context))
        self._required = set(shape.required)
        self._goals = self._goals_of(shape.rules)
        self._regions = regions_of(shape, self._names, context)
        self._least, self._most = self._bounds(shape)
        self._check_demands(shape)
        self._clauses = Clauses(shape.clauses, self._names, context)
        self._first: list[dict[State, Rule]] = []
        self._known: dict[tuple[int, State], list[tuple[Goal, State]]] = {}
        self._meetings: dict[tuple[frozenset[int], frozenset[int]], Rule] = {}

    def bodies(self) -> Iterator[Body]:
        start: State = (0, frozenset(range(len(self._some))), self._clauses.start)
        self._say(start)
        if self._may_end(0, start):
            yield self._context.signs.open_object, self._context.signs.close_object
        yield self._context.signs.open_object, self._first[0][start]

    def _say(self, start: State) -> None:
        """The rules `first` of all names and states, from the last name on."""
        states = self._states(start)
        grammar = self._context.grammar
        self._first = [{} for _ in states]
        self._first[-1] = {state: self._others(state) for state in states[-1]}
        choices: dict[State, Choice] = {state: ((-1, ((rule,),)),) for state, rule in self._first[-1].items()}
        for index in reversed(range(len(self._names))):
            members = {state: tuple(self._from(index, state)) for state in states[index]}
            without = {state: self._without(index, state) for state in states[index]}
            choices = {
                state: self._more(own, () if left is None else choices[left])
                for (state, own), left in zip(members.items(), without.values(), strict=True)
            }
            bodies = {state: [body for _, some in choice for body in some] for state, choice in choices.items()}
            self._first[index] = {state: grammar.rule(some) for state, some in bodies.items()}

    def _more(self, member: tuple[Body, ...], choice: Choice) -> Choice:
        """`choice` with one more member: WIDTH parts of one height become a rule."""
        choice = ((0, member), *choice)
        while len(choice) >= WIDTH and choice[0][0] == choice[WIDTH - 1][0]:
            rule = self._context.grammar.rule(body for _, bodies in choice[:WIDTH] for body in bodies)
            choice = ((choice[0][0] + 1, ((rule,),)), *choice[WIDTH:])
        return choice

    def _states(self, start: State) -> list[set[State]]:
        """For each declared name, and last for the other names, the states in which they may come."""
        if len(self._names) > MAX_NAMES:
            raise TooLargeError(
                f"an object has more than {MAX_NAMES} names", "declare fewer, or describe them by patterns"
            )
        states = [{start}]
        number, most = 1, MAX_OPEN_STATES if self._clauses.start else MAX_STATES
        for index in range(len(self._names)):
            reached = {after for state in states[-1] for _, after in self._members(index, state)}
            skipped = {after for state in states[-1] if (after := self._without(index, state)) is not None}
            states.append(reached | skipped)
            number += len(states[-1])
            if number > most:
                reason = f"what may still come after each name would be more than {most} cases"
                raise TooLargeError(reason, NEIGHBOURS)
        return states

    def _without(self, index: int, state: State) -> State | None:
        """The state after a missing declared name; None if it is required."""
        count, demands, open_ = state
        left = None if self._names[index] in self._required else self._clauses.without(index, open_)
        return None if left is None else (count, demands, left)

    def _from(self, index: int, state: State) -> Iterator[Body]:
        """A member with a declared name, and what may come after it."""
        context = self._context
        name = context.grammar.token(quoted(self._names[index]))
        for goal, after in self._members(index, state):
            yield name, context.signs.colon, context.value(goal), self._tail(index + 1, after)

    def _tail(self, index: int, state: State) -> Rule:
        bodies: list[Body] = [(self._context.signs.close_object,)] if self._may_end(index, state) else []
        return self._context.grammar.rule([*bodies, (self._context.signs.comma, self._first[index][state])])

    def _members(self, index: int, state: State) -> list[tuple[Goal, State]]:
        """The goals that the value of a declared name may fit, and the state after each."""
        if (index, state) not in self._known:
            self._known[index, state] = list(self._found(index, state))
        return self._known[index, state]

    def _found(self, index: int, state: State) -> Iterator[tuple[Goal, State]]:
        count, demands, open_ = state
        if self._most is not None and count >= self._most:
            return
        possible = [
            demand for demand in sorted(demands) if is_in(self._some[demand][0], self._names[index], self._context)
        ]
        for met in _subsets(possible):
            goal = self._goals[index].union(*(self._some[demand][1] for demand in met))
            if not self._context.ways.is_empty(goal):
                for found, left in self._clauses.with_(index, open_, goal):
                    yield found, (self._counted(count), demands - met, left)

    def _counted(self, count: int) -> int:
        return count + 1 if self._most is not None else min(count + 1, self._least)

    def _may_end(self, index: int, state: State) -> bool:
        count, demands, open_ = state
        if count < self._least or demands or self._required.intersection(self._names[index:]):
            return False
        return self._clauses.may_end(index, open_)

    def _others(self, state: State) -> Rule:
        """One or more members with other names, within the bound, and the end."""
        count, demands, _ = state  # no clause is open after the last name
        if demands:
            return self._meeting(demands)
        more = None if self._most is None else self._most - count
        if more == 0 or count < self._least - 1:
            return self._context.grammar.rule([])
        grammar = self._context.grammar
        member = self._any_of(frozenset())
        if more is None:
            return grammar.rule([(grammar.loop(member, self._context.signs.comma), self._context.signs.close_object)])
        another = grammar.rule([(self._context.signs.comma, member)])
        return grammar.rule([(member, Repeated(another, 0, more - 1), self._context.signs.close_object)])

    def _member(self, region: Region, more: Goal = ANYTHING) -> Body:
        return region.name, self._context.signs.colon, self._context.value(region.goal | more)

    def _meeting(self, demands: frozenset[int], closed: frozenset[int] = frozenset()) -> Rule:
        """One or more members, among them those that meet `demands`, and the end; closed: regions that are full.

        A demand is met by the last member of a region, because a later one of the same name would replace it.
        """
        if (demands, closed) not in self._meetings:
            self._meetings[demands, closed] = self._context.grammar.rule(self._met(demands, closed))
        return self._meetings[demands, closed]

    def _met(self, demands: frozenset[int], closed: frozenset[int]) -> Iterator[Body]:
        grammar, comma = self._context.grammar, self._context.signs.comma
        others = grammar.loop(self._any_of(closed), comma)
        for index, region in enumerate(self._regions):
            for met in _subsets(sorted(demands & region.meets)) if index not in closed else ():
                if met:
                    last = self._member(region, ANYTHING.union(*(self._some[demand][1] for demand in met)))
                    rest = self._after(demands - met, closed | {index})
                    yield *last, rest
                    yield others, comma, *last, rest

    def _after(self, demands: frozenset[int], closed: frozenset[int]) -> Rule:
        grammar, comma = self._context.grammar, self._context.signs.comma
        if demands:
            return grammar.rule([(comma, self._meeting(demands, closed))])
        return grammar.rule(
            [
                (self._context.signs.close_object,),
                (comma, grammar.loop(self._any_of(closed), comma), self._context.signs.close_object),
            ]
        )

    def _any_of(self, closed: frozenset[int]) -> Rule:
        """A member of a region that is not closed."""
        open_ = (region for index, region in enumerate(self._regions) if index not in closed)
        return self._context.grammar.rule(self._member(region) for region in open_)

    def _goals_of(self, rules: tuple[tuple[Names, Goal], ...]) -> list[Goal]:
        """The goal of each declared name's value."""
        goals = dict.fromkeys(self._names, ANYTHING)
        for names, goal in rules:
            held = [names.only] if names.only is not None else self._names if goal else []
            for name in held:
                if name == names.only or is_in(names, name, self._context):
                    goals[name] |= goal
        return list(goals.values())

    def _bounds(self, shape: Members) -> tuple[int, int | None]:
        """The bounds on the number of members; 0 and None if there are none."""
        least = shape.least if shape.least > len(self._required) else 0
        if least > len(self._required) + 1 and self._regions:
            assert shape.least_keyword is not None
            self._context.refuse(*shape.least_keyword, REPEATED, None)
            least = len(self._required) + 1
        is_moot = shape.most is not None and not self._regions and shape.most >= len(self._names)
        return least, None if is_moot else shape.most

    def _check_demands(self, shape: Members) -> None:
        """Drop demands that may need two members of one region, and those combined with a bound on all members."""
        crowded = [region for region in self._regions if len(region.meets) > 1]
        if crowded or (self._most is not None and any(region.meets for region in self._regions)):
            assert shape.some_keyword is not None
            self._context.refuse(*shape.some_keyword, TWO_DEMANDS, None)
            self._some = []


def _subsets(demands: list[int]) -> Iterator[frozenset[int]]:
    return map(frozenset, chain.from_iterable(combinations(demands, size) for size in range(len(demands) + 1)))
