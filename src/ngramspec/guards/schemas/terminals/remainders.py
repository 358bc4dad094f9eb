r"""Numbers that are divisible by a divisor, or are not, by an automaton whose states are the remainders.

If the remainders are few, the automaton becomes a regex by eliminating its states, one after another, and relabelling
the paths around them (Brzozowski and McCluskey 1963). Each path is a terminal of its own, which refers to the others:
written out, they would be many times as long.

If they are more, there is a terminal for each remainder and each number of digits still to come, which refers to those
with one digit less. Then llguidance only looks up a name for each digit; but the digits are counted. For powers of 2
and 5 only the last digits count: with k digits to come, only the remainder modulo the divisor without its factors 2^k
and 5^k matters.
"""

from collections.abc import Sequence
from math import gcd

from ngramspec.guards.schemas.terminals.terminal import InexpressibleError, Terminal

MAX_ELIMINATED = 7
"""Largest divisor that allows any number of digits. llguidance 1.9.1 needs 5 ms for 7, and 100 ms for 31."""
MOST_DIGITS = 20
"""Digits that are counted for larger divisors, unless the range has fewer: enough for int64 and uint64."""
LEAST_DIGITS = 12
"""Digits that must be possible with any divisor."""
MAX_COUNTED = 2_100
"""Most terminals of one divisor; llguidance needs some 0.2 s for that many."""

ENDS = {"BEFORE": '""', "AFTER": "/0*/", "WHOLE": r"/(?:\.0+)?/"}
"""What may follow the last counted digit."""


def by_remainder(divisor: int, num_digits: int | None, *, has_point: bool, is_multiple: bool = True) -> Terminal:
    """The digits of the multiples of `divisor`, or of all other numbers, with a minus sign before them or none.

    num_digits: most digits, None for any number. has_point: whether digits other than zeros may follow a point; then
    the divisor has no factor 2 or 5.

    For divisors above 7 at most 20 digits match, and for large ones, from 50 on with a point, fewer, but at least 12.
    Raises InexpressibleError for a divisor that is too large for that.
    """
    if divisor <= MAX_ELIMINATED and gcd(divisor, 10) == 1:
        found = _eliminated(divisor)
        return found if is_multiple else Terminal(f"~{found}", found.helpers)
    most = MOST_DIGITS if num_digits is None else min(num_digits, MOST_DIGITS)
    counted = most
    while (1 + has_point) * num_counted(divisor, counted, is_multiple) > MAX_COUNTED:
        counted -= 1
    if counted < min(most, LEAST_DIGITS):
        raise InexpressibleError(f"the remainders of {divisor} are too many to tell them apart over {most} digits")
    lengths = range(1, counted + 1) if gcd(divisor, 10) > 1 else [counted]
    if has_point:
        helpers = _nodes("BEFORE", divisor, counted, is_multiple, _nodes("AFTER", divisor, counted, is_multiple))
    else:
        helpers = _nodes("WHOLE", divisor, counted, is_multiple)
    first = [_name("BEFORE" if has_point else "WHOLE", divisor, is_multiple, length, 0) for length in lengths]
    return Terminal(f"/-?/ ({' | '.join(first)})", helpers)


def by_last_digits(divisor: int) -> Terminal:
    """As `by_remainder`, for a power of 2 times one of 5, with any number of digits; zeros may follow a point."""
    length = num_last_digits(divisor)
    if num_counted(divisor, length) > MAX_COUNTED:
        raise InexpressibleError(f"the last digits of the multiples of {divisor} are too many")
    helpers = _nodes("WHOLE", divisor, length, is_multiple=True)
    first, *shorter = [_name("WHOLE", divisor, True, left, 0) for left in reversed(range(1, length + 1))]
    return Terminal(f"/-?/ ({' | '.join([f'/[0-9]*/ {first}', *shorter])})", helpers)


def num_last_digits(divisor: int) -> int:
    """How many last digits decide whether a number is divisible by a power of 2 times one of 5."""
    length = 0
    while 10**length % divisor:
        length += 1
    return length


def num_counted(divisor: int, num_digits: int, is_multiple: bool = True) -> int:
    """How many terminals it takes to count `num_digits` digits."""
    return sum(_num_live(divisor, left, is_multiple) for left in range(num_digits + 1))


def _num_remainders(divisor: int, left: int) -> int:
    """How many remainders differ if exactly `left` digits are still to come."""
    return divisor // gcd(divisor, 10**left)


def _num_live(divisor: int, left: int, is_multiple: bool) -> int:
    """How many of them `_remainders` has."""
    most = _num_remainders(divisor, left)
    return min(most, 10**left * most // divisor) if is_multiple else most


def _remainders(divisor: int, left: int, is_multiple: bool) -> Sequence[int]:
    """The remainders after which `left` digits can make a multiple, or a number that is not one.

    Digits of value x make a multiple after remainder r if r · 10^left + x is one; so x is a multiple of the greatest
    common divisor of 10^left and the divisor, and r is -x divided by 10^left.
    """
    most = _num_remainders(divisor, left)
    common = divisor // most
    number = _num_live(divisor, left, is_multiple)
    if number == most:
        return range(most)
    inverse = pow(10**left // common, -1, most)
    return [-value * inverse % most for value in range(number)]


def _name(part: str, divisor: int, is_multiple: bool, left: int, remainder: int) -> str:
    kind = f"{'' if is_multiple else 'NO_'}{divisor}"
    return f"T_{part}_{kind}_{left}_{remainder % _num_remainders(divisor, left)}"


def _nodes(
    part: str, divisor: int, num_digits: int, is_multiple: bool, pointed: dict[str, str] | None = None
) -> dict[str, str]:
    """Terminals for what may follow each remainder, if anything, with up to `num_digits` digits still to come.

    If the divisor has a factor 2 or 5 it is exactly that many digits, otherwise at most. pointed: terminals for the
    digits after the point.
    """
    found = dict(pointed or {})
    for left in range(num_digits + 1):
        for remainder in _remainders(divisor, left, is_multiple):
            can_end = (left == 0 or gcd(divisor, 10) == 1) and (remainder == 0) == is_multiple
            ways = [ENDS[part]] if can_end else []
            digits: dict[str, str] = {}
            for digit in range(10 * (left > 0)):
                after = _name(part, divisor, is_multiple, left - 1, 10 * remainder + digit)
                digits[after] = digits.get(after, "") + str(digit)
            ways += [f"/[{said}]/ {after}" for after, said in digits.items() if after in found]
            after_point = _name("AFTER", divisor, is_multiple, left, remainder)
            ways += [rf"/\./ {after_point}"] if part == "BEFORE" and after_point in found else []
            if ways:
                found[_name(part, divisor, is_multiple, left, remainder)] = " | ".join(ways)
    return found


def _eliminated(divisor: int) -> Terminal:
    """With minus signs and points anywhere."""
    helpers: dict[str, str] = {}
    names: dict[str, str] = {}

    def named(text: str) -> str:
        if text not in names:
            names[text] = f"T_MULTIPLE_{divisor}_{len(names)}"
            helpers[names[text]] = text
        return names[text]

    ways = _automaton(divisor)
    for state in reversed(range(1, divisor)):
        loop = named(f"{ways.pop((state, state))}*")
        into = {before: ways.pop((before, after)) for before, after in list(ways) if after == state}
        out = {after: ways.pop((before, after)) for before, after in list(ways) if before == state}
        for before, head in into.items():
            start = named(f"{head} {loop}")
            for after, tail in out.items():
                through = named(f"{start} {tail}")
                around = ways.get((before, after))
                ways[before, after] = through if around is None else named(f"{around} | {through}")
    return Terminal(f"{named(ways[0, 0])}*", helpers)


def _automaton(divisor: int) -> dict[tuple[int, int], str]:
    """Expressions by the remainders that they lead from and to."""
    ways: dict[tuple[int, int], str] = {}
    for state in range(divisor):
        digits: dict[int, str] = {state: ""}
        for digit in range(10):
            after = (10 * state + digit) % divisor
            digits[after] = digits.get(after, "") + str(digit)
        digits[state] += ".-"
        ways |= {(state, after): f"/[{found}]/" for after, found in digits.items()}
    return ways
