"""Hostile regexes: small as text, large as automata."""

from random import Random

from ngramspec.testing.hostile.inputs import Generator, repeated


def _products(size: int, chance: Random) -> str:
    """Bounded repetitions of bounded repetitions."""
    inner = "a"
    while len(inner) < min(size, 2000):
        inner = f"({inner}{chance.choice(('', 'b', 'b?'))}){{{chance.choice(('1,100', '0,9', '100', '3,'))}}}"
    return inner


def _forgetful(size: int, _chance: Random) -> str:
    """Remembering a character for n characters takes 2 ** n states."""
    return f"(a|b)*a(a|b){{{min(size, 900)}}}"


def _alternation(size: int, chance: Random) -> str:
    return "|".join("".join(chance.choices("abc", k=9)) for _ in range(max(1, size // 10)))


GENERATORS = {
    "regexes.products": Generator("regex", _products, "r14"),
    "regexes.three_products": Generator("regex", lambda _size, _chance: "((a{1,100}){1,100}){1,100}", "r14"),
    "regexes.forgetful": Generator("regex", _forgetful, "r14"),
    "regexes.alternation": Generator("regex", _alternation, "d4"),
    "regexes.optional": Generator("regex", lambda size, _chance: repeated("a?", size // 2) + "a" * (size // 2), "r14"),
    "regexes.anything": Generator("regex", lambda size, _chance: repeated(".*a", size), "d4"),
    "regexes.groups": Generator("regex", lambda size, _chance: "(" * size, "d12"),
    "regexes.closed_groups": Generator("regex", lambda size, _chance: "(" * (size // 2) + ")" * (size // 2), "d12"),
    "regexes.classes": Generator("regex", lambda size, _chance: repeated(r"[\w--[a-f]&&\p{L}]", size), "d4"),
    "regexes.letters": Generator("regex", lambda size, _chance: "a" * size, "r13"),
    "regexes.backslashes": Generator("regex", lambda size, _chance: "\\" * size, "d8"),
    "regexes.lookaheads": Generator("regex", lambda size, _chance: repeated("(?=a)", size), "r13"),
    "regexes.open_sets": Generator("regex", lambda size, _chance: "[" * size, "d12"),
    "regexes.wide_letters": Generator(
        "regex", lambda size, _chance: repeated("[\u0080-\U0010ffff]{1,50}", size), "r14"
    ),
    "regexes.case": Generator("regex", lambda size, _chance: "(?i)" + repeated("\u017fk", size), "d4"),
}
