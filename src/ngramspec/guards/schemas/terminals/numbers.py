r"""All JSON numerals of a type, a range and steps.

A number may have many spellings: `0.5`, `0.50`, `5e-1`, `50E-2`. All plain ones are accepted, and with an exponent
those of `exponents.py`; `-0` is zero. Integers are written in digits only, as models do: neither `1.0` nor `1e3`,
though both are integers in JSON Schema. The complement is by value: it does not contain `1.0`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm

from ngramspec.guards.schemas.terminals.decimals import MAX_DIGITS, Range, decimals, whole_numbers
from ngramspec.guards.schemas.terminals.exponents import with_exponent
from ngramspec.guards.schemas.terminals.multiples import multiples, others
from ngramspec.guards.schemas.terminals.probing import is_possible
from ngramspec.guards.schemas.terminals.terminal import InexpressibleError, Terminal

Number = int | float | Decimal | Fraction
"""A bound or a step, a decimal. A float means the shortest decimal that parses to it: usually what was written."""

MAX_LISTED = 200
"""Up to this many multiples in a range are listed instead of found by their digits."""
MAX_SIMPLE = 300
"""Helpers of a terminal that llguidance can always handle."""


def terminal(
    *,
    is_integer: bool | None = None,
    minimum: Number | None = None,
    exclusive_minimum: Number | None = None,
    maximum: Number | None = None,
    exclusive_maximum: Number | None = None,
    multiple_of: Iterable[Number] = (),
    not_multiple_of: Iterable[Number] = (),
) -> Terminal | None:
    """All JSON numerals whose value is as described; None if there is no such number.

    is_integer: True for whole numbers, in digits only; False for numbers that are not whole. multiple_of: steps that
    must all divide it; not_multiple_of: steps that must not. With steps, or with is_integer False, there are plain
    spellings only; and if a step has another factor than 2, 3, 5 and 7, or 3 or 7 twice, those of at most 20 digits,
    for a large step at most 12 (`remainders.py`).

    Raises InexpressibleError for bounds and steps of more than 400 digits on either side of the point, and, unless the
    range has at most 200 multiples, for steps with too many remainders (`multiples.py`), or combinations that
    llguidance may not be able to handle.
    """
    allowed = _Interval.of(minimum, exclusive_minimum, maximum, exclusive_maximum)
    steps = [*map(exact, multiple_of), *([Fraction(1)] if is_integer else [])]
    forbidden = [*map(exact, not_multiple_of), *([Fraction(1)] if is_integer is False else [])]
    write = whole_numbers if is_integer else decimals
    if allowed.is_empty:
        return None
    if allowed.low is not None and allowed.low == allowed.high:
        only = [allowed.low] if _fits(allowed.low, steps, forbidden) else []
        return _listed(only, write, has_exponents=not steps and not forbidden)
    if steps:
        step = common(steps)
        if any((step / other).denominator == 1 for other in forbidden):
            return None
        count = allowed.num_multiples(step)
        if count is not None and count <= (MAX_LISTED if len(steps) > bool(is_integer) or forbidden else 0):
            return _listed([value for value in allowed.multiples(step) if _fits(value, [], forbidden)], write)
    ways = [sign + found for sign, part in allowed.halves() if (found := write(part)) is not None]
    if not steps and not forbidden:
        ways += [sign + found for sign, part in allowed.halves() for found in with_exponent(part)]
    if not ways:
        return None
    num_digits = allowed.num_digits()
    parts = [multiples(step, num_digits) for step in steps if step != 1 or not is_integer]
    parts += [others(step, num_digits) for step in forbidden]
    text = f"/{'|'.join(ways)}/"
    if parts:
        # `&` is multiplied out, `|` below `~` is not (see writing.py)
        text = f"~(~{text} | {' | '.join(f'~{part}' for part in parts)})"
    numeral = Terminal(text, {name: said for part in parts for name, said in part.helpers.items()})
    is_simple = len(numeral.helpers) <= MAX_SIMPLE and not (steps and forbidden)
    return numeral if is_simple or is_possible(numeral) else None


def exact(value: Number) -> Fraction:
    """The value of a number as written. Raises InexpressibleError if it has too many digits."""
    decimal = Decimal(repr(value)) if isinstance(value, float) else value
    if isinstance(decimal, Decimal) and not -MAX_DIGITS <= decimal.adjusted() < MAX_DIGITS:
        raise InexpressibleError(f"a number has at most {MAX_DIGITS} digits on either side of its point")
    found = Fraction(decimal)
    if abs(found) >= 10**MAX_DIGITS or (10**MAX_DIGITS) % found.denominator:
        raise InexpressibleError(f"a number has at most {MAX_DIGITS} digits on either side of its point")
    return found


@dataclass(frozen=True, slots=True)
class _Interval:
    """Numbers from `low` to `high`, exclusive where strict; None for no bound."""

    low: Fraction | None
    high: Fraction | None
    is_low_strict: bool
    is_high_strict: bool

    @classmethod
    def of(
        cls, minimum: Number | None, above: Number | None, maximum: Number | None, below: Number | None
    ) -> "_Interval":
        """The intersection of all bounds."""
        lows = [
            (exact(value), is_strict) for value, is_strict in ((minimum, False), (above, True)) if value is not None
        ]
        highs = [
            (exact(value), not is_strict) for value, is_strict in ((maximum, False), (below, True)) if value is not None
        ]
        low, is_low_strict = max(lows, default=(None, False))
        high, is_high_lax = min(highs, default=(None, True))
        return cls(low, high, is_low_strict, not is_high_lax)

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None or self.low < self.high:
            return False
        return self.low > self.high or self.is_low_strict or self.is_high_strict

    def halves(self) -> Iterator[tuple[str, Range]]:
        """Each sign, and the range of the absolute values after it; zero is in both."""
        yield "-", _above(_negative(self.high), self.is_high_strict, _negative(self.low), self.is_low_strict)
        yield "", _above(self.low, self.is_low_strict, self.high, self.is_high_strict)

    def num_digits(self) -> int | None:
        """Most digits before the point; None for any number."""
        if self.low is None or self.high is None:
            return None
        return len(str(int(max(abs(self.low), abs(self.high)))))

    def num_multiples(self, step: Fraction) -> int | None:
        """How many multiples of `step` it contains; None if infinitely many."""
        if self.low is None or self.high is None:
            return None
        first, last = self._ends(step)
        return max(last - first + 1, 0)

    def multiples(self, step: Fraction) -> Iterator[Fraction]:
        first, last = self._ends(step)
        return (count * step for count in range(first, last + 1))

    def _ends(self, step: Fraction) -> tuple[int, int]:
        assert self.low is not None
        assert self.high is not None
        first, last = -((-self.low) // step), self.high // step
        return first + (self.is_low_strict and first * step == self.low), last - (
            self.is_high_strict and last * step == self.high
        )


def _negative(value: Fraction | None) -> Fraction | None:
    return None if value is None else -value


def _above(low: Fraction | None, is_low_strict: bool, high: Fraction | None, is_high_strict: bool) -> Range:
    """The non-negative part of a range."""
    if high is not None and high < 0:
        return Range(Fraction(1), Fraction(0))
    if low is None or low < 0:
        return Range(high=high, is_high_strict=is_high_strict)
    return Range(low, high, is_low_strict, is_high_strict)


def _fits(value: Fraction, steps: list[Fraction], forbidden: list[Fraction]) -> bool:
    return all((value / step).denominator == 1 for step in steps) and all(
        (value / step).denominator > 1 for step in forbidden
    )


def common(steps: Iterable[Fraction]) -> Fraction:
    """The least common multiple of `steps`."""
    listed = list(steps)
    return Fraction(lcm(*(step.numerator for step in listed)), gcd(*(step.denominator for step in listed)))


def _listed(
    values: list[Fraction], write: Callable[[Range], str | None], *, has_exponents: bool = False
) -> Terminal | None:
    ways = []
    for value in values:
        for sign, part in _Interval(value, value, False, False).halves():
            found = write(part)
            ways += [] if found is None else [sign + found]
            ways += [sign + said for said in with_exponent(part)] if has_exponents else []
    return Terminal(f"/{'|'.join(ways)}/") if ways else None
