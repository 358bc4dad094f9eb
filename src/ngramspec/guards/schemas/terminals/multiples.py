r"""Multiples of a decimal as a language of plain numerals.

A step is a whole number of tenths, hundredths, …: c · 10^-k. A numeral with j digits after its point, and zeros after
those, is a multiple of it if its digits are divisible by c / gcd(c, 10^(k-j)). By powers of 2 and 5 that is decided by
the last digits; by a prime power that is neither, by an automaton that knows the remainder, written as a regex by
eliminating its states one after the other (Brzozowski and McCluskey 1963), each step of that a terminal of its own.
"""

import itertools
from fractions import Fraction
from math import gcd

from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

MAX_REMAINDER = 25
"""Prime powers whose remainders are told apart. llguidance 1.9.1 needs 40 ms for 23, and gives up on 37."""
MAX_ENDINGS = 1000
"""Endings that are listed."""
MAX_PLACES = 30


def multiples(step: Fraction) -> Terminal:
    """The plain numerals that are multiples of `step`, among all plain numerals; others may match as well.

    Raises NotSayableError where the remainders are too many.
    """
    coefficient, places = _scaled(step)
    rest = coefficient
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    ending = _by_ending(coefficient // rest, places, step)
    parts = [f"/{ending}/"]
    helpers: dict[str, str] = {}
    for power in _prime_powers(rest, step):
        name, definitions = _by_remainder(power)
        helpers |= definitions
        parts.append(name)
    return Terminal(" & ".join(parts), helpers)


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
            f"the remainders of {step} are too many: what is no power of 2 and 5 in a step must be made of prime powers"
            f" up to {MAX_REMAINDER}, or the range have few multiples"
        )
    return found


def _by_ending(power: int, places: int, step: Fraction) -> str:
    """A regex for a power of 2 times one of 5, by the digits at the end."""
    ways = []
    for written in range(places + 1):
        divisor = power // gcd(power, 10 ** (places - written))
        zeros = "0*" if written else r"(?:\.0+)?" if written == places else ""
        zeros = zeros if written == places else ""
        ways += [_pointed(ending, written) + zeros for ending in _endings(divisor, step)]
    return f"-?(?:{'|'.join(ways)})"


def _endings(divisor: int, step: Fraction) -> list[tuple[str, str]]:
    """What digits that are divisible by `divisor` end in, and what may stand before that."""
    length = 0
    while 10**length % divisor:
        length += 1
    if 10**length // divisor > MAX_ENDINGS:
        raise NotSayableError(f"the endings of the multiples of {step} are too many")
    return [("[0-9]*", str(value).rjust(length, "0") if length else "") for value in range(0, 10**length, divisor)]


def _pointed(ending: tuple[str, str], written: int) -> str:
    """Digits, `written` of them after the point, that end so; or that would, with zeros before them."""
    before, digits = ending
    if written == 0:
        return _shortened(before, digits)
    if len(digits) <= written:
        rest = written - len(digits)
        return f"[0-9]+\\.{f'[0-9]{{{rest}}}' if rest else ''}{digits}"
    return f"{_shortened(before, digits[:-written])}\\.{digits[-written:]}"


def _shortened(before: str, digits: str) -> str:
    """Digits before the point, of which zeros at the beginning need not be written."""
    if not digits:
        return "[0-9]+"
    plain = digits.lstrip("0") or "0"
    return f"(?:{before}{digits}|{plain})" if plain != digits else f"{before}{digits}"


def _by_remainder(divisor: int) -> tuple[str, dict[str, str]]:
    """Terminals for the digits of the multiples of `divisor`, with signs and points anywhere, and the first's name."""
    definitions: dict[str, str] = {}
    names: dict[str, str] = {}

    def named(text: str) -> str:
        if text not in names:
            names[text] = f"T_{divisor}_{len(names)}"
            definitions[names[text]] = text
        return names[text]

    ways: dict[tuple[int, int], str] = {}
    for state in range(divisor):
        digits: dict[int, str] = {}
        for digit in range(10):
            after = (10 * state + digit) % divisor
            digits[after] = digits.get(after, "") + str(digit)
        digits[state] = digits.get(state, "") + ".-"
        ways |= {(state, after): f"/[{found}]/" for after, found in digits.items()}
    for state in reversed(range(1, divisor)):
        loop = named(f"{ways[state, state]}*")
        into = [before for before in range(state) if (before, state) in ways]
        out = [after for after in range(state) if (state, after) in ways]
        heads = {before: named(f"{ways[before, state]} {loop}") for before in into}
        for before, after in itertools.product(into, out):
            through = named(f"{heads[before]} {ways[state, after]}")
            direct = ways.get((before, after))
            ways[before, after] = through if direct is None else named(f"{direct} | {through}")
    return named(f"{ways[0, 0]}*"), definitions
