r"""Numbers that a divisor goes into, by an automaton whose states are the remainders.

The automaton is made a regex by taking out its states, one after the other, with the ways through them written on the
ways around (Brzozowski and McCluskey 1963). Each such way is a terminal of its own, named by the others: written out,
they would be many times as long.
"""

from ngramspec.guards.schemas.terminals.terminal import Terminal

MAX_REMAINDER = 31
"""The largest divisor. llguidance 1.9.1 needs 0.1 s for 31, and does not get through 37."""

Ways = dict[tuple[int, int], str]
"""Expressions by the states that they lead from and to."""


def by_remainder(divisor: int) -> Terminal:
    """The digits of the multiples of `divisor`, with minus signs and points anywhere."""
    helpers: dict[str, str] = {}
    names: dict[str, str] = {}

    def named(text: str) -> str:
        if text not in names:
            names[text] = f"T_MULTIPLE_{divisor}_{len(names)}"
            helpers[names[text]] = text
        return names[text]

    ways = _automaton(divisor)
    left = set(range(1, divisor))
    while left:
        state = min(left, key=lambda state: (_num_through(ways, state), -state))
        left.remove(state)
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


def _automaton(divisor: int) -> Ways:
    ways: Ways = {}
    for state in range(divisor):
        digits: dict[int, str] = {state: ".-"}
        for digit in range(10):
            after = (10 * state + digit) % divisor
            digits[after] = f"{digit}" + digits.get(after, "")
        ways |= {(state, after): f"/[{found}]/" for after, found in digits.items()}
    return ways


def _num_through(ways: Ways, state: int) -> int:
    """How many ways taking out a state makes: the fewest first keep the others few."""
    into = sum(after == state != before for before, after in ways)
    out = sum(before == state != after for before, after in ways)
    return into * out
