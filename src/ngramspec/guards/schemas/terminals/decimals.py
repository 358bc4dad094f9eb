r"""Ranges of decimals as regexes, digit by digit.

A range is divided by the number of digits before the point; within one number of digits the bounds are followed as long
as a text agrees with them, and after that any digit is allowed. Alternatives are written side by side, each with its
whole prefix, because a regex may not be nested 250 deep; so a regex grows with the square of a bound's digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

FRACTION = r"(?:\.[0-9]+)?"
MAX_DIGITS = 400
"""Most digits on either side of the point; a double has at most 309 and 1074, of which usually 17 are not zero."""


@dataclass(frozen=True, slots=True)
class Range:
    """Non-negative numbers from `low` to `high`, exclusive where strict; high: None for no bound."""

    low: Fraction = Fraction(0)
    high: Fraction | None = None
    is_low_strict: bool = False
    is_high_strict: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the range is empty."""
        if self.high is None or self.low < self.high:
            return False
        return self.low > self.high or self.is_low_strict or self.is_high_strict

    @property
    def has_zero(self) -> bool:
        """Whether it contains zero."""
        return not self.low and not self.is_low_strict and not self.is_empty

    def floored(self) -> "Range":
        """The range of the same whole numbers, with inclusive whole bounds."""
        low = self.low.numerator // self.low.denominator
        if self.is_low_strict or low < self.low:
            low += 1
        if self.high is None:
            return Range(Fraction(low))
        high = self.high.numerator // self.high.denominator
        if self.is_high_strict and high == self.high:
            high -= 1
        return Range(Fraction(low), Fraction(high))


def digits_of(value: Fraction) -> tuple[str, str]:
    """The digits before and after the point of a decimal; none after it for a whole number."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    digits = str(int(value * 10**places)).rjust(places + 1, "0")
    return (digits[:-places], digits[-places:]) if places else (digits, "")


def whole_numbers(numbers: Range) -> str | None:
    """A regex of the whole numbers in a range, without leading zeros; None if there are none."""
    return _regex(numbers.floored(), is_whole=True)


def decimals(numbers: Range) -> str | None:
    """A regex of the decimals in a range, with any trailing zeros; None if there are none."""
    return _regex(numbers, is_whole=False)


def mantissas(numbers: Range) -> str | None:
    """As `decimals`, with one digit before the point, which is not 0."""
    return _joined(_of_length(1, _Bounds.of(numbers), is_whole=False, least="1"))


def _regex(numbers: Range, *, is_whole: bool) -> str | None:
    if numbers.is_empty:
        return None
    bounds = _Bounds.of(numbers)
    shortest = len(bounds.low[0])
    longest = shortest if bounds.high is None else len(bounds.high[0])
    ways = list(_of_length(shortest, bounds, is_whole=is_whole))
    tail = "" if is_whole else FRACTION
    if bounds.high is None:
        ways.append(f"[1-9][0-9]{{{shortest},}}{tail}")
    if longest > shortest + 1:
        ways.append(f"[1-9][0-9]{{{shortest},{longest - 2}}}{tail}")
    if longest > shortest:
        ways += _of_length(longest, bounds, is_whole=is_whole)
    return _joined(ways)


def _joined(ways: Iterator[str] | list[str]) -> str | None:
    found = "|".join(ways)
    return f"(?:{found})" if found else None


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: tuple[str, str]
    high: tuple[str, str] | None
    is_low_strict: bool
    is_high_strict: bool

    @classmethod
    def of(cls, numbers: Range) -> "_Bounds":
        high = None if numbers.high is None else digits_of(numbers.high)
        return cls(digits_of(numbers.low), high, numbers.is_low_strict, numbers.is_high_strict)


def _of_length(length: int, bounds: _Bounds, *, is_whole: bool, least: str = "") -> Iterator[str]:
    """Regexes of the numbers with `length` digits before the point; least: the least first digit."""
    least = least or ("0" if length == 1 else "1")
    low, high = bounds.low[0], None if bounds.high is None else bounds.high[0]
    if len(low) > length or (high is not None and len(high) < length):
        return
    at_low, at_high = len(low) == length, high is not None and len(high) == length
    steps = [("", at_low, at_high)]
    for index in range(length):
        following = []
        for before, is_at_low, is_at_high in steps:
            for first, last, stays_low, stays_high in _digits(
                low[index] if is_at_low else None, high[index] if is_at_high and high else None,
                least if index == 0 else "0",
            ):  # fmt: skip
                said = before + _class(first, last)
                if stays_low or stays_high:
                    following.append((said, stays_low, stays_high))
                else:
                    yield said + _any(length - index - 1) + ("" if is_whole else FRACTION)
        steps = following
    for before, is_at_low, is_at_high in steps:
        low_end = (bounds.low[1], bounds.is_low_strict) if is_at_low else None
        high_end = (bounds.high[1], bounds.is_high_strict) if is_at_high and bounds.high else None
        if not is_whole:
            yield from (before + ending for ending in _fractions(low_end, high_end))
        elif not (low_end and any(low_end)) and not (high_end and high_end[1] and not high_end[0]):
            yield before


_End = tuple[str, bool]
"""The remaining digits of a bound, and whether it is exclusive."""


def _fractions(low: _End | None, high: _End | None) -> Iterator[str]:
    """Regexes of what may follow the digits before the point; None: no bound on this side."""
    ending = _ending(low, high)
    if ending is not None:
        yield from {ANY: [FRACTION], ZEROS: [r"(?:\.0+)?"], "": [""], NOTHING: []}.get(ending, [r"\." + ending])
        return
    if _is_in(low, high):
        yield ""
    steps = [(r"\.", low, high)]
    while steps:
        said, low, high = steps.pop()
        low_digits = None if low is None else low[0] or "0"
        high_digits = None if high is None else high[0]
        for first, last, at_low, at_high in _digits(low_digits and low_digits[0], high_digits and high_digits[0], "0"):
            longer = said + _class(first, last)
            next_low = (low[0][1:], low[1]) if low and at_low else None
            next_high = (high[0][1:], high[1]) if high and at_high else None
            ending = _ending(next_low, next_high)
            if ending is None:
                if _is_in(next_low, next_high):
                    yield longer
                steps.append((longer, next_low, next_high))
            elif ending != NOTHING:
                yield longer + ending


ANY, SOME, ZEROS, NOTHING = "[0-9]*", "[0-9]*[1-9][0-9]*", "0*", "[^\\s\\S]"


def _ending(low: _End | None, high: _End | None) -> str | None:
    """A regex of the digits that may follow, if at most one bound is still to be compared; else None."""
    low = None if low == ("", False) else low
    if high is None:
        return {None: ANY, ("", True): SOME}.get(low)
    if high == ("", True) or (high == ("", False) and low is not None):
        return NOTHING
    return ZEROS if high == ("", False) else None


def _is_in(low: _End | None, high: _End | None) -> bool:
    """Whether the text may end here."""
    return (low is None or low == ("", False)) and (high is None or high != ("", True))


def _digits(low: str | None, high: str | None, least: str) -> Iterator[tuple[str, str, bool, bool]]:
    """The next digits, as ranges, and whether the text still agrees with each bound after them."""
    first, last = max(low or "0", least), high or "9"
    if first == last:
        yield first, last, low == first, high == last
        return
    if low is not None and low == first <= last:
        yield first, first, True, False
        first = chr(ord(first) + 1)
    if high is not None and first <= last:
        yield last, last, False, True
        last = chr(ord(last) - 1)
    if first <= last:
        yield first, last, False, False


def _class(first: str, last: str) -> str:
    return first if first == last else f"[{first}-{last}]"


def _any(count: int) -> str:
    return "" if not count else "[0-9]" if count == 1 else f"[0-9]{{{count}}}"
