"""Multiples of a large whole step as rules, digit by digit: an automaton whose states are the possible continuations.

Of the digits so far only their remainder modulo the step matters, and of that only which further digits make a
multiple. So remainders with the same continuations are one state (Myhill 1957, Nerode 1958): of the 86 400 remainders
of 86 400, 141 states are left. A bound adds the comparison of the digits with its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.grammar import Body, Rule, Token
from ngramspec.guards.schemas.source_caches import cached_within_source
from ngramspec.guards.schemas.terminals import InexpressibleError
from ngramspec.guards.schemas.terminals.numbers import MAX_LISTED, common

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.grammar import Grammar
    from ngramspec.guards.schemas.lark.shapes import Numbers

MAX_STATES = 1_200
"""Most states of an automaton. llguidance needs a millisecond for each, and its stack overflows at some 1 500 in a
cycle."""
MAX_BOUNDED_STATES = 4_000
"""The same with an upper bound, where there are no cycles."""
MAX_DIGITS = 40
"""Most digits of a bound that are compared."""
Remaining = tuple[int, ...]
"""The remainders of the digits so far, modulo the step and modulo steps that must not divide the number."""
FRACTION = Token(r"/\.0+/")


def bodies_of(shape: Numbers, grammar: Grammar) -> list[Body] | None:
    """The numerals of `shape`, with any number of digits and no exponents; None if no whole step expresses it.

    Each digit is a terminal of its own. So no other numerals may come at the same position: a terminal of several
    digits would consume the first ones. Raises InexpressibleError if it takes too many states.
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
    """The whole number that divides all of `shape`, if it expresses all constraints but the bounds."""
    if shape.values is not None or shape.whole is False:
        return None
    if shape.whole:  # p/q in lowest terms divides a whole number if and only if p does
        return lcm(*(step.numerator for step in shape.steps))
    step = common(shape.steps) if shape.steps else None
    return None if step is None or step.denominator != 1 or shape.between else int(step)


def _first(bound: tuple[Fraction, bool], step: int) -> int:
    """The least multiple of `step` from a bound on, or above it if it is strict."""
    value, is_strict = bound
    return (floor(value / step) + 1 if is_strict else ceil(value / step)) * step


def _negated(value: int | None) -> int | None:
    return None if value is None else -value


class Remainders:
    """The remainders modulo a divisor, classified by which further digits make a multiple of it."""

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        lengths = 0
        while 10**lengths < divisor:
            lengths += 1
        # That this many digits always make a multiple, the 10^length values must cover all remainders of a class.
        self._classes = [(10**length, divisor // gcd(divisor, 10**length)) for length in range(lengths + 1)]

    def state_of(self, remainder: int) -> tuple[int, ...]:
        """Equal for two remainders if and only if the same further digits make a multiple.

        One entry per number of further digits, up to the number that always makes one: the part of the remainder that
        still matters, or -1 if this many digits make no multiple.
        """
        return tuple(
            remainder % classes if -remainder * power % self._divisor < power else -1
            for power, classes in self._classes
        )


@dataclass(frozen=True, slots=True)
class _Compared:
    """Comparison of the digits so far with the bounds.

    low, high: how many of a bound's first digits they equal; None if they differ, or there is no bound. needed, room:
    the least and most digits still to come, if they differ.
    """

    low: int | None
    high: int | None
    needed: int = 0
    room: int | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """Whether the digits so far are a fitting number, and the next states by digits."""

    is_whole: bool
    after: tuple[tuple[str, int], ...]


@cached_within_source
def _automaton(divisors: tuple[int, ...], least: int, most: int | None) -> tuple[_State, ...]:
    """The states, the start first, for the digits of positive multiples of the first divisor but not of the others.

    Raises InexpressibleError if they are too many.
    """
    return tuple(_Explorer(divisors, least, most).states())


class _Explorer:
    def __init__(self, divisors: tuple[int, ...], least: int, most: int | None) -> None:
        self._divisors = divisors
        self._remainders = list(map(Remainders, divisors))
        # A multiple without a leading zero is not less than the divisor.
        self._least = str(least) if least > divisors[0] else ""
        self._most = "" if most is None else str(most)
        if max(len(self._least), len(self._most)) > MAX_DIGITS:
            raise InexpressibleError(f"a bound beside steps has at most {MAX_DIGITS} digits")
        self._numbers: dict[object, int] = {}
        self._waiting: deque[tuple[Remaining, _Compared]] = deque()

    def states(self) -> Iterator[_State]:
        """The states, in the order in which they are reached."""
        start = _Compared(0 if self._least else None, 0 if self._most else None)
        yield _State(is_whole=False, after=self._after((0,) * len(self._divisors), start, "123456789"))
        while self._waiting:
            remaining, compared = self._waiting.popleft()
            is_whole = remaining[0] == 0 and all(remaining[1:]) and self._may_end(compared)
            yield _State(is_whole, self._after(remaining, compared, "0123456789"))

    def _after(self, before: Remaining, compared: _Compared, digits: str) -> tuple[tuple[str, int], ...]:
        """Each of `digits` that may come, and the number of the state after it."""
        found: dict[int, str] = {}
        for digit in digits:
            reached = self._compared(compared, digit)
            if reached is not None:
                pairs = zip(before, self._divisors, strict=True)
                number = self._number(tuple((10 * left + int(digit)) % divisor for left, divisor in pairs), reached)
                found[number] = found.get(number, "") + digit
        return tuple((said, number) for number, said in found.items())

    def _number(self, remaining: Remaining, compared: _Compared) -> int:
        """The number of the state with these remainders; the start is 0."""
        pairs = zip(self._remainders, remaining, strict=True)
        state = (*(remainders.state_of(left) for remainders, left in pairs), compared)
        if state not in self._numbers:
            most = MAX_BOUNDED_STATES if self._most else MAX_STATES
            if len(self._numbers) == most:
                said = " and ".join(map(str, self._divisors))
                reason = f"the remainders of {said} are too many, more than {most} states with the bounds"
                raise InexpressibleError(f"{reason}; bounds that leave at most {MAX_LISTED} multiples can be expressed")
            self._numbers[state] = len(self._numbers) + 1
            self._waiting.append((remaining, compared))
        return self._numbers[state]

    def _compared(self, before: _Compared, digit: str) -> _Compared | None:
        """The comparison after one more digit; None if the number is too large whatever follows."""
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
