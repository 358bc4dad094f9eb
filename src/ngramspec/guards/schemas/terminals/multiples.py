r"""Multiples of a decimal, and their complement, as languages of plain numerals.

A step is a whole number of tenths, hundredths, …: c · 10^-k. A numeral with j digits after its point, apart from
trailing zeros, is a multiple of it if its digits are divisible by c / gcd(c, 10^(k-j)). Divisibility by powers of 2 and
5 is decided by the last digits, which are listed, or counted if they are many; by the other factors of c, by an
automaton that keeps the remainder (`remainders.py`).
"""

from fractions import Fraction
from math import gcd

from ngramspec.guards.schemas.terminals.remainders import (
    MAX_COUNTED,
    by_last_digits,
    by_remainder,
    num_counted,
    num_last_digits,
)
from ngramspec.guards.schemas.terminals.terminal import InexpressibleError, Terminal

MAX_ENDINGS = 1000
"""Most endings that are listed."""
MAX_PLACES = 30


def multiples(step: Fraction, num_digits: int | None) -> Terminal:
    """The multiples of `step` among plain numerals; the terminal may also match texts that are not plain numerals.

    num_digits: most digits before the point, None for any number; some steps then have fewer multiples
    (`remainders.py`). Raises InexpressibleError if the remainders or the endings are too many.
    """
    ending, rest, places = _parts(step, num_digits)
    if rest == 1:
        return ending
    found = by_remainder(rest, None if num_digits is None else num_digits + places, has_point=places > 0)
    # `&` is multiplied out, `|` below `~` is not (see writing.py)
    return Terminal(f"~(~{ending} | ~{found})", {**ending.helpers, **found.helpers})


def others(step: Fraction, num_digits: int | None) -> Terminal:
    """As `multiples`, for the plain numerals that are not multiples of `step`."""
    ending, rest, places = _parts(step, num_digits)
    if rest == 1:
        return Terminal(f"~{ending}", ending.helpers)
    num_all = None if num_digits is None else num_digits + places
    found = by_remainder(rest, num_all, has_point=places > 0, is_multiple=False)
    return Terminal(f"~{ending} | {found}", {**ending.helpers, **found.helpers})


def _without_tens(number: int) -> int:
    """A number without its factors 2 and 5."""
    for prime in (2, 5):
        while number % prime == 0:
            number //= prime
    return number


def _parts(step: Fraction, num_digits: int | None) -> tuple[Terminal, int, int]:
    """The constraint of a step on the last digits, the divisor of the rest, and the step's digits after the point."""
    coefficient, places = _scaled(step)
    rest = _without_tens(coefficient)
    power = coefficient // rest
    if places or _num_endings(power) <= MAX_ENDINGS:
        return Terminal(f"/{_by_ending(power, places, step)}/"), rest, places
    if num_digits is not None and num_counted(coefficient, num_digits) <= MAX_COUNTED:
        return Terminal(f"/{_by_ending(1, 0, step)}/"), coefficient, places
    ending = by_last_digits(power)
    return Terminal(f"~(~/{_by_ending(1, 0, step)}/ | ~{ending})", ending.helpers), rest, places


def _scaled(step: Fraction) -> tuple[int, int]:
    """The whole number step · 10^k, and k, for the least k that makes it whole."""
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
        if places > MAX_PLACES:
            raise InexpressibleError(f"a step has at most {MAX_PLACES} digits after its point")
    return int(step * 10**places), places


def _said(step: Fraction) -> str:
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    return str(step) if not places else f"{int(step * 10**places)}e-{places}"


def _by_ending(power: int, places: int, step: Fraction) -> str:
    """A regex for the multiples of a power of 2 times one of 5, by their last digits."""
    ways = []
    for written in range(places + 1):
        divisor = power // gcd(power, 10 ** (places - written))
        zeros = "" if written < places else "0*" if written else r"(?:\.0+)?"
        ways += [_pointed(ending, written) + zeros for ending in _endings(divisor, step)]
    return f"-?(?:{'|'.join(ways)})"


def _num_endings(divisor: int) -> int:
    return int(10 ** num_last_digits(divisor)) // divisor


def _endings(divisor: int, step: Fraction) -> list[str]:
    """The endings of the numbers that are divisible by `divisor`."""
    if _num_endings(divisor) > MAX_ENDINGS:
        raise InexpressibleError(f"the endings of the multiples of {_said(step)} are too many, more than {MAX_ENDINGS}")
    length = num_last_digits(divisor)
    return [str(value).rjust(length, "0") if length else "" for value in range(0, 10**length, divisor)]


def _pointed(digits: str, written: int) -> str:
    """Digits, `written` of them after the point, that end in `digits`, with leading zeros added if necessary."""
    if written == 0:
        return _shortened(digits)
    if len(digits) <= written:
        rest = written - len(digits)
        return f"[0-9]+\\.{f'[0-9]{{{rest}}}' if rest else ''}{digits}"
    return f"{_shortened(digits[:-written])}\\.{digits[-written:]}"


def _shortened(digits: str) -> str:
    """Digits before the point, whose leading zeros are optional."""
    if not digits:
        return "[0-9]+"
    plain = digits.lstrip("0") or "0"
    return f"(?:[0-9]*{digits}|{plain})" if plain != digits else f"[0-9]*{digits}"
