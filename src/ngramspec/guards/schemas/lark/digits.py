"""Multiples of a large whole step as rules, digit by digit: an automaton whose states are what may still come.

After some digits only their remainder of the step matters, and of that only which digits after it make a multiple. So
two remainders are one state where the same digits do (Myhill 1957, Nerode 1958): of the 86 400 remainders of 86 400
141 states are left. A bound adds how the digits compare with its own, as far as it has any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.grammar import Body, Rule, Token
from ngramspec.guards.schemas.terminals import NotSayableError
from ngramspec.guards.schemas.terminals.multiples import is_large
from ngramspec.guards.schemas.terminals.numbers import MAX_LISTED, common

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.grammar import Grammar
    from ngramspec.guards.schemas.lark.shapes import Numbers

MAX_STATES = 1_200
"""States of an automaton. llguidance needs a millisecond for each, and its stack ends at some 1 500 in a circle."""
MAX_DIGITS = 40
"""Digits of a bound that are compared."""
Remaining = tuple[int, ...]
"""The remainders of the digits so far, of the step and of others that must not go into the number."""
FRACTION = Token(r"/\.0+/")


def bodies_of(shape: Numbers, grammar: Grammar) -> list[Body] | None:
    """The numerals of `shape`, in any number of digits and without exponents; None where terminals say it better.

    That is where no whole number must go into all of them, or none that is large, or they are few. Raises
    NotSayableError where it takes too many states.
    """
    step = _step_of(shape)
    if step is None:
        return None
    others = sorted({other.numerator for other in shape.between})
    if not any(map(is_large, (step, *others))):
        return None
    low = None if shape.low is None else _first(shape.low, step)
    high = None if shape.high is None else -_first((-shape.high[0], shape.high[1]), step)
    if low is not None and high is not None and high - low < MAX_LISTED * step:
        return None
    found: list[Body] = []
    rules: dict[tuple[int, int | None], Rule] = {}
    for sign, bound, most in (("-", _negated(high), _negated(low)), ("", low, high)):
        least = max(bound or 0, 0)
        if most is not None and most < 0:
            continue
        if (least, most) not in rules:
            automaton = _Automaton(step, others, least, most, has_fraction=shape.whole is None)
            rules[least, most] = automaton.rule(grammar)
        found.append((Token('"-"'), rules[least, most]) if sign else (rules[least, most],))
    return found


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
    """How the digits so far compare with as many of a bound: -1, 0 or 1. length: how many there are."""

    length: int = 0
    to_least: int = 0
    to_most: int = 0


class _Automaton:
    def __init__(self, step: int, others: list[int], least: int, most: int | None, *, has_fraction: bool) -> None:
        self._divisors = (step, *others)
        self._remainders = list(map(Remainders, self._divisors))
        self._has_zero = least == 0 and not others
        # Of the multiples without a zero before them, none is less than the step but zero itself.
        self._least = str(least) if least > step else ""
        self._most = None if most is None else str(most)
        if max(len(self._least), len(self._most or "")) > MAX_DIGITS:
            raise NotSayableError(f"a bound beside steps has at most {MAX_DIGITS} digits")
        self._ends: list[Body] = [(), (FRACTION,)] if has_fraction else [()]
        self._rules: dict[object, Rule] = {}
        self._waiting: list[tuple[Rule, Remaining, _Compared]] = []

    def rule(self, grammar: Grammar) -> Rule:
        """The digits, without a sign."""
        start: Remaining = (0,) * len(self._divisors)
        zero: list[Body] = [(Token('"0"'), grammar.rule(self._ends))] if self._has_zero else []
        found = grammar.rule([*zero, *self._bodies(start, _Compared(), "123456789", grammar)])
        while self._waiting:
            rule, remaining, compared = self._waiting.pop()
            is_whole = remaining[0] == 0 and all(remaining[1:]) and self._may_end(compared)
            bodies = self._bodies(remaining, compared, "0123456789", grammar)
            grammar.close(rule, [*(self._ends if is_whole else []), *bodies])
        return found

    def _bodies(self, before: Remaining, compared: _Compared, digits: str, grammar: Grammar) -> Iterator[Body]:
        """Each of `digits`, as far as it may come, and what may come after it."""
        after: dict[Rule, str] = {}
        for digit in digits:
            reached = self._compared(compared, digit)
            if reached is not None:
                pairs = zip(before, self._divisors, strict=True)
                rule = self._rule(
                    tuple((10 * left + int(digit)) % divisor for left, divisor in pairs), reached, grammar
                )
                after[rule] = after.get(rule, "") + digit
        yield from ((Token(f"/[{said}]/"), rule) for rule, said in after.items())

    def _rule(self, remaining: Remaining, compared: _Compared, grammar: Grammar) -> Rule:
        """What may come after digits with these remainders."""
        pairs = zip(self._remainders, remaining, strict=True)
        state = (*(remainders.state_of(left) for remainders, left in pairs), compared)
        if state not in self._rules:
            if len(self._rules) == MAX_STATES:
                said = " and ".join(map(str, self._divisors))
                raise NotSayableError(f"the remainders of {said} are too many, more than {MAX_STATES} with the bounds")
            self._rules[state] = grammar.open()
            self._waiting.append((self._rules[state], remaining, compared))
        return self._rules[state]

    def _compared(self, before: _Compared, digit: str) -> _Compared | None:
        """After one more digit; None where it is too large whatever comes."""
        length = before.length + 1
        to_least, to_most = before.to_least, before.to_most
        if length > len(self._least):
            to_least = 1
        elif to_least == 0:
            to_least = (digit > self._least[length - 1]) - (digit < self._least[length - 1])
        if self._most is None:
            return _Compared(min(length, len(self._least) + 1), to_least)
        if length > len(self._most):
            return None
        if to_most == 0:
            to_most = (digit > self._most[length - 1]) - (digit < self._most[length - 1])
        return _Compared(length, to_least, to_most)

    def _may_end(self, compared: _Compared) -> bool:
        is_enough = compared.length > len(self._least) or (
            compared.length == len(self._least) and compared.to_least >= 0
        )
        is_few = self._most is None or compared.length < len(self._most) or compared.to_most <= 0
        return is_enough and is_few
