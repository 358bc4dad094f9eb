"""Multiples of a large whole step as rules, digit by digit: an automaton whose states are what may still come.

After some digits only their remainder of the step matters, and of that only which digits after it make a multiple. So
two remainders are one state where the same digits do (Myhill 1957, Nerode 1958): of the 86 400 remainders of 86 400
141 states are left. A bound adds how the digits compare with its own, as far as it has any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.grammar import Body, Rule, Token
from ngramspec.guards.schemas.remembering import within_a_source
from ngramspec.guards.schemas.terminals import NotSayableError
from ngramspec.guards.schemas.terminals.numbers import MAX_LISTED, common

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.grammar import Grammar
    from ngramspec.guards.schemas.lark.shapes import Numbers

MAX_STATES = 1_200
"""States of an automaton. llguidance needs a millisecond for each, and its stack ends at some 1 500 in a circle."""
MAX_BOUNDED_STATES = 4_000
"""The same beside an upper bound, where they go in no circle."""
MAX_DIGITS = 40
"""Digits of a bound that are compared."""
Remaining = tuple[int, ...]
"""The remainders of the digits so far, of the step and of others that must not go into the number."""
FRACTION = Token(r"/\.0+/")


def bodies_of(shape: Numbers, grammar: Grammar) -> list[Body] | None:
    """The numerals of `shape`, in any number of digits and without exponents; None where no whole step says it.

    Each digit is a token of its own. So no other numerals may come at the same position: a token of several digits
    would be read for the first ones. Raises NotSayableError where it takes too many states.
    """
    step = _step_of(shape)
    if step is None:
        return None
    others = sorted({other.numerator for other in shape.between})
    low = None if shape.low is None else _first(shape.low, step)
    high = None if shape.high is None else -_first((-shape.high[0], shape.high[1]), step)
    found: list[Body] = []
    ends: list[Body] = [(), (FRACTION,)] if shape.whole is None else [()]
    rules: dict[tuple[int, int | None], Rule] = {}
    for sign, bound, most in (("-", _negated(high), _negated(low)), ("", low, high)):
        if most is not None and most < 0:
            continue
        if (bound is None or bound <= 0) and not others:
            found.append((Token(f'"{sign}0"'), grammar.rule(ends)))
        bounds = max(bound or 0, 0), most
        if bounds not in rules:
            rules[bounds] = _rule_of(_automaton((step, *others), *bounds), ends, grammar)
        found.append((Token('"-"'), rules[bounds]) if sign else (rules[bounds],))
    return found


def _rule_of(states: tuple[_State, ...], ends: list[Body], grammar: Grammar) -> Rule:
    rules = [grammar.open() for _ in states]
    for rule, state in zip(rules, states, strict=True):
        after = [(Token(f"/[{digits}]/"), rules[number]) for digits, number in state.after]
        grammar.close(rule, [*(ends if state.is_whole else []), *after])
    return rules[0]


def _step_of(shape: Numbers) -> int | None:
    """The whole number that goes into all of `shape`, if one says all that is asked but for the bounds."""
    if shape.values is not None or shape.whole is False:
        return None
    if shape.whole:  # p/q in lowest terms goes into a whole number if and only if p does
        return lcm(*(step.numerator for step in shape.steps))
    step = common(shape.steps) if shape.steps else None
    return None if step is None or step.denominator != 1 or shape.between else int(step)


def _first(bound: tuple[Fraction, bool], step: int) -> int:
    """The least multiple of `step` from a bound on, or beyond it where it is strict."""
    value, is_strict = bound
    return (floor(value / step) + 1 if is_strict else ceil(value / step)) * step


def _negated(value: int | None) -> int | None:
    return None if value is None else -value


class Remainders:
    """The remainders of a divisor by what digits after them make a multiple of it."""

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        lengths = 0
        while 10**lengths < divisor:
            lengths += 1
        # That so many digits make a multiple, one of 10^length values must lie in one class of so many remainders.
        self._classes = [(10**length, divisor // gcd(divisor, 10**length)) for length in range(lengths + 1)]

    def state_of(self, remainder: int) -> tuple[int, ...]:
        """Equal for two remainders if and only if the same digits after them make a multiple.

        For each number of digits, up to as many as lead to one in any case: which remainder of the step that number
        leaves to tell apart, and -1 where so many digits make no multiple.
        """
        return tuple(
            remainder % classes if -remainder * power % self._divisor < power else -1
            for power, classes in self._classes
        )


@dataclass(frozen=True, slots=True)
class _Compared:
    """How the digits so far compare with the bounds.

    low, high: how many of a bound's first digits they are; None where they differ, or there is no bound. needed, room:
    how many digits must come at least, and may come at most, where they differ.
    """

    low: int | None
    high: int | None
    needed: int = 0
    room: int | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """Whether the digits so far are a number that fits, and states by the digits that lead there."""

    is_whole: bool
    after: tuple[tuple[str, int], ...]


@within_a_source
def _automaton(divisors: tuple[int, ...], least: int, most: int | None) -> tuple[_State, ...]:
    """The states of the digits of the positive multiples of the first divisor, and of no other one, from the start on.

    Raises NotSayableError where they are too many.
    """
    return tuple(_Explorer(divisors, least, most).states())


class _Explorer:
    def __init__(self, divisors: tuple[int, ...], least: int, most: int | None) -> None:
        self._divisors = divisors
        self._remainders = list(map(Remainders, divisors))
        # A multiple that does not begin with a zero is none less than the divisor.
        self._least = str(least) if least > divisors[0] else ""
        self._most = "" if most is None else str(most)
        if max(len(self._least), len(self._most)) > MAX_DIGITS:
            raise NotSayableError(f"a bound beside steps has at most {MAX_DIGITS} digits")
        self._numbers: dict[object, int] = {}
        self._waiting: deque[tuple[Remaining, _Compared]] = deque()

    def states(self) -> Iterator[_State]:
        """In the order in which they are reached."""
        start = _Compared(0 if self._least else None, 0 if self._most else None)
        yield _State(is_whole=False, after=self._after((0,) * len(self._divisors), start, "123456789"))
        while self._waiting:
            remaining, compared = self._waiting.popleft()
            is_whole = remaining[0] == 0 and all(remaining[1:]) and self._may_end(compared)
            yield _State(is_whole, self._after(remaining, compared, "0123456789"))

    def _after(self, before: Remaining, compared: _Compared, digits: str) -> tuple[tuple[str, int], ...]:
        """Each of `digits`, as far as it may come, and the state after it."""
        found: dict[int, str] = {}
        for digit in digits:
            reached = self._compared(compared, digit)
            if reached is not None:
                pairs = zip(before, self._divisors, strict=True)
                number = self._number(tuple((10 * left + int(digit)) % divisor for left, divisor in pairs), reached)
                found[number] = found.get(number, "") + digit
        return tuple((said, number) for number, said in found.items())

    def _number(self, remaining: Remaining, compared: _Compared) -> int:
        """The number of the state with these remainders; the start has 0."""
        pairs = zip(self._remainders, remaining, strict=True)
        state = (*(remainders.state_of(left) for remainders, left in pairs), compared)
        if state not in self._numbers:
            most = MAX_BOUNDED_STATES if self._most else MAX_STATES
            if len(self._numbers) == most:
                said = " and ".join(map(str, self._divisors))
                reason = f"the remainders of {said} are too many, more than {most} states with the bounds"
                raise NotSayableError(f"{reason}; bounds that leave at most {MAX_LISTED} multiples can be said")
            self._numbers[state] = len(self._numbers) + 1
            self._waiting.append((remaining, compared))
        return self._numbers[state]

    def _compared(self, before: _Compared, digit: str) -> _Compared | None:
        """After one more digit; None where it is too large whatever comes."""
        low, needed = before.low, max(before.needed - 1, 0)
        if low is not None:
            left = len(self._least) - low - 1
            own = self._least[low : low + 1]
            low, needed = (low + 1, 0) if digit == own else (None, max(left + (digit < own), 0))
        high, room = before.high, None if before.room is None else before.room - 1
        if high is not None:
            left = len(self._most) - high - 1
            own = self._most[high : high + 1]
            high, room = (high + 1, None) if digit == own else (None, left - (digit > own))
        return None if room is not None and room < 0 else _Compared(low, high, needed, room)

    def _may_end(self, compared: _Compared) -> bool:
        return compared.low == len(self._least) if compared.low is not None else not compared.needed
