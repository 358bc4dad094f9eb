"""Context-free grammars in Lark, with texts.

Their literals are single characters: if one literal is a prefix of another, it depends on the lexer which one matches.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from ngramspec.testing.constraints import Constraint

ALPHABET = "ab01+;"
NAMES = ("start", "first", "second")


@dataclass(frozen=True, slots=True)
class _Atom:
    """A literal, a rule by number, or that rule in brackets; and its repetition."""

    literal: str
    rule: int | None
    suffix: str


_Rules = list[list[list[_Atom]]]
"""Of each rule, its alternatives; the first one has no recursion."""


@st.composite
def grammars(draw: st.DrawFn) -> Constraint:
    """A Lark grammar of up to three rules, which may be recursive through brackets, and up to three of its texts."""
    rules = [_rule(draw, number) for number in range(draw(st.integers(1, len(NAMES))))]
    # The number of a missing rule means the last rule.
    texts = {_derive(draw, rules, 0, depth=3) for _ in range(draw(st.integers(1, 3)))}
    lines = [
        f"{NAMES[number]}: {' | '.join(_written(parts, rules) for parts in rule)}" for number, rule in enumerate(rules)
    ]
    return Constraint("grammar", "\n".join(lines) + "\n", valid=tuple(sorted(texts)))


def _rule(draw: st.DrawFn, number: int) -> list[list[_Atom]]:
    literals = st.builds(_Atom, st.sampled_from(ALPHABET), st.none(), st.sampled_from(["", "", "?", "*", "+"]))
    later = st.builds(_Atom, st.just(""), st.just(number + 1), st.sampled_from(["", "?"]))
    nested = st.builds(_Atom, st.just("("), st.integers(0, number + 1), st.sampled_from(["", "*"]))
    simple = draw(st.lists(literals, min_size=1, max_size=3))
    others = st.lists(st.one_of(literals, later, nested), min_size=1, max_size=3)
    return [simple, *draw(st.lists(others, max_size=2))]


def _known(rule: int, rules: _Rules) -> int:
    return min(rule, len(rules) - 1)


def _written(parts: list[_Atom], rules: _Rules) -> str:
    return " ".join(_atom(atom, rules) for atom in parts)


def _atom(atom: _Atom, rules: _Rules) -> str:
    if atom.rule is None:
        return f'"{atom.literal}"{atom.suffix}'
    name = NAMES[_known(atom.rule, rules)]
    return f'("(" {name} ")"){atom.suffix}' if atom.literal else f"{name}{atom.suffix}"


def _derive(draw: st.DrawFn, rules: _Rules, rule: int, depth: int) -> str:
    alternatives = rules[_known(rule, rules)]
    number = draw(st.integers(0, len(alternatives) - 1)) if depth else 0
    return "".join(_text(draw, rules, atom, depth) for atom in alternatives[number])


def _text(draw: st.DrawFn, rules: _Rules, atom: _Atom, depth: int) -> str:
    least, most = {"": (1, 1), "?": (0, 1), "*": (0, 2), "+": (1, 2)}[atom.suffix]
    count = draw(st.integers(least, most))
    if atom.rule is None:
        return atom.literal * count
    inner = [_derive(draw, rules, atom.rule, max(depth - 1, 0)) for _ in range(count)]
    return "".join(f"({text})" if atom.literal else text for text in inner)
