r"""Multiples of a decimal as a language of plain numerals.

A step is a whole number of tenths, hundredths, …: c · 10^-k. A numeral with j digits after its point, and zeros after
those, is a multiple of it if its digits are divisible by c / gcd(c, 10^(k-j)). By powers of 2 and 5 that is decided by
the last digits, which are listed, or followed from one to the next where they are many; by a prime power that is
neither, by an automaton that knows the remainder (`remainders.py`).
"""

from fractions import Fraction
from math import gcd

from ngramspec.guards.schemas.terminals.remainders import MAX_REMAINDER, by_remainder
from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

MAX_ENDINGS = 1000
"""Endings that are listed."""
MAX_FOLLOWED = 2**12
"""The largest power of 2 whose endings are followed digit by digit: some 1000 terminals."""
MAX_PLACES = 30


def multiples(step: Fraction) -> Terminal:
    """The plain numerals that are multiples of `step`, among all plain numerals; others may match as well.

    Raises NotSayableError where the remainders or the endings are too many.
    """
    coefficient, places = _scaled(step)
    rest, twos = coefficient, 1
    while rest % 2 == 0:
        rest, twos = rest // 2, 2 * twos
    fives = 1
    while rest % 5 == 0:
        rest, fives = rest // 5, 5 * fives
    helpers: dict[str, str] = {}
    if twos <= MAX_FOLLOWED and not places and _num_endings(twos * fives) > MAX_ENDINGS:
        followed, helpers = _followed(twos)
        parts = [f"/{_by_ending(fives, places, step)}/", followed]
    else:
        parts = [f"/{_by_ending(twos * fives, places, step)}/"]
    for power in _prime_powers(rest, step):
        found = by_remainder(power)
        helpers |= found.helpers
        parts.append(found.text)
    return Terminal(parts[0] if len(parts) == 1 else f"~({' | '.join(f'~({part})' for part in parts)})", helpers)


def _scaled(step: Fraction) -> tuple[int, int]:
    """The least k for which step · 10^k is whole, and that whole number."""
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
        if places > MAX_PLACES:
            raise NotSayableError(f"a step has at most {MAX_PLACES} digits after its point")
    return int(step * 10**places), places


def _prime_powers(number: int, step: Fraction) -> list[int]:
    found = []
    for prime in range(3, MAX_REMAINDER + 1, 2):
        power = 1
        while number % prime == 0:
            number //= prime
            power *= prime
        if power > 1:
            found.append(power)
    if number > 1 or any(power > MAX_REMAINDER for power in found):
        raise NotSayableError(
            f"the remainders of {_said(step)} are too many: what is no power of 2 and 5 in a step must be made of prime"
            f" powers up to {MAX_REMAINDER}, or the range have few multiples"
        )
    return found


def _said(step: Fraction) -> str:
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    return str(step) if not places else f"{int(step * 10**places)}e-{places}"


def _by_ending(power: int, places: int, step: Fraction) -> str:
    """A regex for a power of 2 times one of 5, by the digits at the end."""
    ways = []
    for written in range(places + 1):
        divisor = power // gcd(power, 10 ** (places - written))
        zeros = "" if written < places else "0*" if written else r"(?:\.0+)?"
        ways += [_pointed(ending, written) + zeros for ending in _endings(divisor, step)]
    return f"-?(?:{'|'.join(ways)})"


def _num_endings(divisor: int) -> int:
    return 10 ** _length(divisor) // divisor


def _length(divisor: int) -> int:
    """How many digits at the end tell whether a number is divisible by a power of 2 times one of 5."""
    length = 0
    while 10**length % divisor:
        length += 1
    return length


def _endings(divisor: int, step: Fraction) -> list[str]:
    """What numbers that are divisible by `divisor` end in."""
    if _num_endings(divisor) > MAX_ENDINGS:
        raise NotSayableError(f"the endings of the multiples of {_said(step)} are too many, more than {MAX_ENDINGS}")
    length = _length(divisor)
    return [str(value).rjust(length, "0") if length else "" for value in range(0, 10**length, divisor)]


def _pointed(digits: str, written: int) -> str:
    """Digits, `written` of them after the point, that end in `digits`; or that would, with zeros before them."""
    if written == 0:
        return _shortened(digits)
    if len(digits) <= written:
        rest = written - len(digits)
        return f"[0-9]+\\.{f'[0-9]{{{rest}}}' if rest else ''}{digits}"
    return f"{_shortened(digits[:-written])}\\.{digits[-written:]}"


def _shortened(digits: str) -> str:
    """Digits before the point, of which zeros at the beginning need not be written."""
    if not digits:
        return "[0-9]+"
    plain = digits.lstrip("0") or "0"
    return f"(?:[0-9]*{digits}|{plain})" if plain != digits else f"[0-9]*{digits}"


def _followed(power: int) -> tuple[str, dict[str, str]]:
    """An expression for the multiples of a power of 2, by their last digits one after the other, and its helpers.

    After j of the last n digits, what counts is their value modulo 2^j.
    """
    length = _length(power)
    known: dict[tuple[int, int], str | None] = {(length, 0): ""}
    helpers: dict[str, str] = {}
    for index in reversed(range(length)):
        for value in range(2**index):
            digits: dict[str, str] = {}
            for digit in range(10):
                after = known.get((index + 1, (10 * value + digit) % 2 ** (index + 1)))
                if after is not None:
                    digits[after] = digits.get(after, "") + str(digit)
            if digits:
                name = f"T_ENDING_{power}_{index}_{value}"
                helpers[name] = " | ".join(f"/[{found}]/ {after}".rstrip() for after, found in digits.items())
                known[index, value] = name
    shorter = [name for index in range(1, length) if (name := known.get((index, 0))) is not None]
    return rf"/-?/ (/[0-9]*/ {known[0, 0]} | {' | '.join(shorter)}) /(?:\.0+)?/", helpers
