r"""Numbers that a divisor goes into, or does not, by an automaton whose states are the remainders.

Where the remainders are few, the automaton is made a regex by taking out its states, one after the other, with the
ways through them written on the ways around (Brzozowski and McCluskey 1963). Each such way is a terminal of its own,
named by the others: written out, they would be many times as long.

Where they are more, there is a terminal for each remainder and each number of digits that are still to come, which
names those of one digit less. Then llguidance has no more to do for a digit than to look up a name; but the digits are
counted. Of powers of 2 and 5 only the last digits are: what was read before k digits tells no more than its remainder
of the divisor without its factors 2^k and 5^k.
"""

from collections.abc import Sequence
from math import gcd

from ngramspec.guards.schemas.terminals.terminal import NotSayableError, Terminal

MAX_ELIMINATED = 7
"""The largest divisor of which any number of digits is read. llguidance 1.9.1 needs 5 ms for 7, and 100 ms for 31."""
MOST_DIGITS = 20
"""Digits that are counted for larger divisors, unless a range has fewer: all of int64 and uint64."""
LEAST_DIGITS = 12
"""Digits that a divisor must leave room for."""
MAX_COUNTED = 2_100
"""Terminals of one divisor; llguidance needs some 0.2 s for as many."""

ENDS = {"BEFORE": '""', "AFTER": "/0*/", "WHOLE": r"/(?:\.0+)?/"}
"""What may follow the last digit that is counted."""


def by_remainder(divisor: int, num_digits: int | None, *, has_point: bool, is_multiple: bool = True) -> Terminal:
    """The digits of the multiples of `divisor`, or of all other numbers, with a minus sign before them or none.

    num_digits: how many there may be, None for any number. has_point: whether others than zeros may follow a point;
    then the divisor has no factor 2 or 5.

    Of divisors above 7 at most 20 digits are read, and of large ones, from 50 on with a point, fewer, but at least 12:
    what is longer does not match. Raises NotSayableError for a divisor that is too large for that.
    """
    if divisor <= MAX_ELIMINATED and gcd(divisor, 10) == 1:
        found = _eliminated(divisor)
        return found if is_multiple else Terminal(f"~{found}", found.helpers)
    asked = MOST_DIGITS if num_digits is None else min(num_digits, MOST_DIGITS)
    counted = asked
    while (1 + has_point) * num_counted(divisor, counted, is_multiple) > MAX_COUNTED:
        counted -= 1
    if counted < min(asked, LEAST_DIGITS):
        raise NotSayableError(f"the remainders of {divisor} are too many, to tell them apart over {asked} digits")
    lengths = range(1, counted + 1) if gcd(divisor, 10) > 1 else [counted]
    if has_point:
        helpers = _nodes("BEFORE", divisor, counted, is_multiple, _nodes("AFTER", divisor, counted, is_multiple))
    else:
        helpers = _nodes("WHOLE", divisor, counted, is_multiple)
    first = [_name("BEFORE" if has_point else "WHOLE", divisor, is_multiple, length, 0) for length in lengths]
    return Terminal(f"/-?/ ({' | '.join(first)})", helpers)


def by_last_digits(divisor: int) -> Terminal:
    """As `by_remainder`, of a power of 2 or 5, or one of each, with any number of digits; zeros may follow a point."""
    length = num_last_digits(divisor)
    if num_counted(divisor, length) > MAX_COUNTED:
        raise NotSayableError(f"the last digits of the multiples of {divisor} are too many")
    helpers = _nodes("WHOLE", divisor, length, is_multiple=True)
    first, *shorter = [_name("WHOLE", divisor, True, left, 0) for left in reversed(range(1, length + 1))]
    return Terminal(f"/-?/ ({' | '.join([f'/[0-9]*/ {first}', *shorter])})", helpers)


def num_last_digits(divisor: int) -> int:
    """How many digits at the end tell whether a number is divisible by a power of 2 times one of 5."""
    length = 0
    while 10**length % divisor:
        length += 1
    return length


def num_counted(divisor: int, num_digits: int, is_multiple: bool = True) -> int:
    """How many terminals it takes to count so many digits."""
    return sum(_num_live(divisor, left, is_multiple) for left in range(num_digits + 1))


def _num_remainders(divisor: int, left: int) -> int:
    """How many remainders differ, where so many digits are still to come, and no fewer."""
    return divisor // gcd(divisor, 10**left)


def _num_live(divisor: int, left: int, is_multiple: bool) -> int:
    """How many of them `_remainders` has."""
    most = _num_remainders(divisor, left)
    return min(most, 10**left * most // divisor) if is_multiple else most


def _remainders(divisor: int, left: int, is_multiple: bool) -> Sequence[int]:
    """Those of them after which so many digits can make a multiple, or can make none.

    Digits of the value x make one of the remainder r if r · 10^left + x is a multiple, so x is one of the common
    divisor of both, and r is -x divided by 10^left.
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
    """Terminals for what may follow each remainder, if anything may, with so many digits still to come.

    With a factor of 2 or 5 in the divisor these are exactly so many digits, otherwise at most. pointed: those for after
    the point.
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
