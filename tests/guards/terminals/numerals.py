"""JSON numerals, and whether a description of numbers allows one: slow, obvious, in fractions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

NUMERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
NORMALISED = re.compile(r"-?(?:[1-9](?:\.[0-9]+)?|0(?:\.0+)?)[eE][+-]?[0-9]+")


@dataclass(frozen=True)
class Numbers:
    """A description of numbers, with the names that `numbers.terminal` gives its parts."""

    is_integer: bool | None = None
    minimum: Fraction | None = None
    exclusive_minimum: Fraction | None = None
    maximum: Fraction | None = None
    exclusive_maximum: Fraction | None = None
    multiple_of: Sequence[Fraction] = ()
    not_multiple_of: Sequence[Fraction] = ()

    @property
    def bounds(self) -> list[Fraction]:
        bounds = (self.minimum, self.exclusive_minimum, self.maximum, self.exclusive_maximum)
        return [bound for bound in bounds if bound is not None]

    def hold(self, value: Fraction) -> bool:
        return (
            (self.minimum is None or value >= self.minimum)
            and (self.exclusive_minimum is None or value > self.exclusive_minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.exclusive_maximum is None or value < self.exclusive_maximum)
            and all((value / step).denominator == 1 for step in self.multiple_of)
            and all((value / step).denominator > 1 for step in self.not_multiple_of)
            and (self.is_integer is None or (value.denominator == 1) == self.is_integer)
        )

    def is_spelled(self, numeral: str) -> bool:
        """Whether a number would be written so, if it holds for it."""
        match = NUMERAL.fullmatch(numeral)
        if match is None or (self.is_integer and (match["fraction"] or match["exponent"])):
            return False
        if match["exponent"] is None:
            return True
        if self.multiple_of or self.not_multiple_of or self.is_integer is False:
            return False
        return self.is_sign_enough(numeral.startswith("-")) or NORMALISED.fullmatch(numeral) is not None

    def is_sign_enough(self, is_negative: bool) -> bool:
        """Whether no bound asks more of such a number than its sign."""
        sign = -1 if is_negative else 1
        lows = [sign * bound for bound in (self.minimum, self.exclusive_minimum) if bound is not None]
        highs = [sign * bound for bound in (self.maximum, self.exclusive_maximum) if bound is not None]
        inner, outer = (highs, lows) if is_negative else (lows, highs)
        return not outer and all(bound <= 0 for bound in inner)


def value_of(numeral: str) -> Fraction:
    return Fraction(numeral)


def digits_of(value: Fraction) -> tuple[int, int]:
    """A decimal as digits and how many of them come after the point."""
    places = 0
    while (value * 10**places).denominator > 1:
        places += 1
    return int(value * 10**places), places


def plain(value: Fraction) -> str:
    digits, places = digits_of(abs(value))
    text = str(digits).rjust(places + 1, "0")
    return f"{'-' * (value < 0)}{text[:-places]}.{text[-places:]}" if places else f"{'-' * (value < 0)}{text}"


def scientific(value: Fraction) -> str:
    if not value:
        return "0e5"
    digits, places = digits_of(abs(value))
    text = str(digits).rstrip("0")
    exponent = len(str(digits)) - 1 - places
    return f"{'-' * (value < 0)}{text[0]}{'.' * (len(text) > 1)}{text[1:]}e{exponent}"


EVERYDAY = [
    "0", "1", "-1", "0.5", "0.1", "99.99", "100", "3.14159", "1e-7", "-180", "9007199254740993", "9223372036854775807",
    "-9223372036854775808", "18446744073709551615", "1e40", "0.999", "9.99", "10",
]  # fmt: skip


@st.composite
def decimals(draw: st.DrawFn) -> Fraction:
    """Of one digit or many, with some after the point."""
    if draw(st.booleans()):
        return Fraction(draw(st.sampled_from(EVERYDAY)))
    digits = draw(st.one_of(st.integers(-30, 30), st.integers(-(10**6), 10**6), st.integers(-(10**25), 10**25)))
    return Fraction(digits, 10 ** draw(st.integers(0, 12)))


STEPS = ["1", "2", "3", "5", "6", "7", "0.5", "0.25", "0.01", "0.1", "2.5", "0.075", "12", "60", "100", "16", "0.0001"]
"""Steps of which numerals of any length are known."""


@st.composite
def descriptions(draw: st.DrawFn) -> Numbers:
    bound = st.none() | decimals()
    steps: st.SearchStrategy[list[Fraction]] = st.lists(st.sampled_from(STEPS).map(Fraction), max_size=1)
    return Numbers(
        draw(st.sampled_from([None, None, True, False])), draw(bound), draw(bound), draw(bound), draw(bound),
        draw(steps), draw(steps),
    )  # fmt: skip


@st.composite
def numerals(draw: st.DrawFn, numbers: Numbers) -> str:
    """A numeral: near a bound, or a multiple, or any, in one of its spellings, or what is none."""
    is_near = draw(st.booleans())
    value = draw(st.sampled_from(numbers.bounds) if is_near and numbers.bounds else decimals())
    value += draw(st.sampled_from([0, 0, 1, -1])) * Fraction(1, 10 ** draw(st.integers(0, 14)))
    if draw(st.booleans()):
        for step in numbers.multiple_of:
            value = value // step * step
    text = draw(st.sampled_from([plain, plain, scientific]))(value)
    if draw(st.integers(0, 4)) == 0:
        return draw(respelled(text))
    return text


@st.composite
def respelled(draw: st.DrawFn, numeral: str) -> str:
    """The same value in another spelling, or something that is no JSON."""
    head, e, exponent = numeral.partition("e")
    change = draw(st.sampled_from(["zeros", "sign", "E", "e0", "leading", "exponent"]))
    if change == "zeros":
        return f"{head}{'' if '.' in head else '.'}{'0' * draw(st.integers(1, 3))}{e}{exponent}"
    if change == "sign":
        return f"-{numeral}"
    if change == "E":
        return f"{head}{'E' * bool(e)}{exponent}"
    if change == "leading":
        return f"0{numeral}"
    if change == "exponent" and e and "." not in head:
        return f"{head}0e{int(exponent) - 1}"
    return f"{head}e0" if not e else f"{head}e+00{exponent.lstrip('-')}"
