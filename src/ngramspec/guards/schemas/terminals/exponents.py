r"""Numerals with an exponent, within a range.

If the range constrains only the sign, all of them. If it has a bound, only the normalised ones, with one digit before
the point that is not 0 (`1e-5`, `2.5E+10`), and those of zero: to compare `0.00001e7` with a bound, zeros would have to
be counted against the exponent, which no regular language can do.
"""

from fractions import Fraction

from ngramspec.guards.schemas.terminals.decimals import FRACTION, Range, digits_of, mantissas, whole_numbers

SIGN = "[+-]?"
ALL = f"(?:0|[1-9][0-9]*){FRACTION}"
NONZERO = rf"(?:[1-9][0-9]*{FRACTION}|0\.[0-9]*[1-9][0-9]*)"
ZERO = r"0(?:\.0+)?"


def with_exponent(numbers: Range) -> list[str]:
    """Regexes of the numerals with an exponent whose values are in a range; those with a bound normalised."""
    if numbers.is_empty:
        return []
    if not numbers.low and numbers.high is None:
        return [f"{NONZERO if numbers.is_low_strict else ALL}[eE]{SIGN}[0-9]+"]
    ways = [f"{ZERO}[eE]{SIGN}[0-9]+"] if numbers.has_zero else []
    if numbers.high == 0:
        return ways
    low = magnitude(numbers.low) if numbers.low else None
    high = None if numbers.high is None else magnitude(numbers.high)
    between = _exponents(None if low is None else low + 1, None if high is None else high - 1)
    if between is not None:
        ways.append(f"[1-9]{FRACTION}[eE]{between}")
    for exponent in sorted({end for end in (low, high) if end is not None}):
        mantissa = mantissas(_scaled(numbers, exponent))
        if mantissa is not None:
            ways.append(f"{mantissa}[eE]{_exponents(exponent, exponent)}")
    return ways


def magnitude(value: Fraction) -> int:
    """The decimal exponent that normalises a non-zero decimal."""
    before, after = digits_of(value)
    if before != "0":
        return len(before) - 1
    return len(after.lstrip("0")) - len(after) - 1


def _scaled(numbers: Range, exponent: int) -> Range:
    """The range of the mantissas for an exponent; bounds with other exponents do not constrain them."""
    unit = Fraction(10) ** exponent
    low, high = numbers.low / unit, None if numbers.high is None else numbers.high / unit
    is_low_near, is_high_near = low >= 1, high is not None and high < 10
    return Range(
        low if is_low_near else Fraction(1), high if is_high_near else Fraction(10),
        is_low_strict=numbers.is_low_strict and is_low_near, is_high_strict=numbers.is_high_strict or not is_high_near,
    )  # fmt: skip


def _exponents(least: int | None, most: int | None) -> str | None:
    """A regex of exponents, with any leading zeros. least, most: None for no bound. Returns None if there are none."""
    if least is not None and most is not None and least > most:
        return None
    ways = []
    if most is None or most >= 0:
        most_positive = None if most is None else Fraction(most)
        found = whole_numbers(Range(Fraction(max(least or 0, 0)), most_positive))
        ways.append(f"\\+?0*{found}")
    if least is None or least <= 0:
        most_negative = None if least is None else Fraction(-least)
        found = whole_numbers(Range(Fraction(max(-most, 0) if most is not None else 0), most_negative))
        ways.append(f"-0*{found}")
    return f"(?:{'|'.join(ways)})"
