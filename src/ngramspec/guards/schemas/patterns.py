"""A lexer for patterns, which JSON Schema takes from ECMA-262."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

CONTROL = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "0": "\0"}
SPECIAL = set("][(){}.*+?^$|\\/-&~#<>'\"=!:,;@%` ")
"""Characters that may be escaped to mean themselves."""


class PatternError(Exception):
    """A pattern is not regular, or not ECMA-262."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a pattern; value: the part common to all dialects, a character or the name of a set."""

    kind: str
    value: str


_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_GROUP = re.compile(r"\(\?(?:<[=!]|[=!:]|P?<\w+>|[a-zA-Z-]+[:)])|\(")
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]+)\}|u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})"
    r"|x([0-9A-Fa-f]{2})|c([A-Za-z])|([pP]\{[^}]*\})|([dDwWsS])|([bB])|([1-9]\d*|k<\w+>)|(.))",
    re.DOTALL,
)


def tokens_of(pattern: str) -> Iterator[Token]:
    """The tokens of `pattern`.

    Their kinds: letter, set, class (its own text follows), any, anchor, boundary, group, close, quantifier, or.
    """
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\":
            token, position = _escape(pattern, position)
            yield token
        elif letter == "[":
            end = _end_of_class(pattern, position)
            yield Token("class", pattern[position + 1 : end])
            position = end + 1
        elif letter == "(":
            match = _GROUP.match(pattern, position)
            yield Token("group", match[0] if match is not None else "(")
            position = match.end() if match is not None else position + 1
        elif (match := _QUANTIFIER.match(pattern, position)) is not None:
            yield Token("quantifier", match[0])
            position = match.end()
        else:
            kinds = {".": "any", "^": "anchor", "$": "anchor", ")": "close", "|": "or"}
            yield Token(kinds.get(letter, "letter"), letter)
            position += 1


def _escape(pattern: str, position: int) -> tuple[Token, int]:
    match = _ESCAPE.match(pattern, position)
    if match is None:
        raise PatternError("a backslash at the end")
    braced, high, low, four, two, control, property_, named, boundary, reference, other = match.groups()
    if high is not None:
        code = 0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00
        return Token("letter", chr(code)), match.end()
    digits = braced or four or two
    if digits is not None:
        return Token("letter", chr(int(digits, 16))), match.end()
    if control is not None:
        return Token("letter", chr(ord(control) % 32)), match.end()
    if property_ is not None or named is not None:
        return Token("set", property_ or named), match.end()
    if boundary is not None:
        return Token("boundary", boundary), match.end()
    if reference is not None:
        raise PatternError(f"the reference \\{reference} to a group")
    if other in CONTROL:
        return Token("letter", CONTROL[other]), match.end()
    if other not in SPECIAL and not (other == "_" or ord(other) > 127):
        raise PatternError(f"\\{other}, which ECMA-262 does not have")
    return Token("letter", other), match.end()


def _end_of_class(pattern: str, start: int) -> int:
    position = start + 1
    while position < len(pattern) and pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    if position >= len(pattern):
        raise PatternError("[ without ]")
    return position


def atoms_of(text: str) -> Iterator[Token]:
    """The elements of a class: letters, sets, and dashes that may form ranges."""
    position = 0
    while position < len(text):
        if text.startswith("\\b", position):
            yield Token("letter", "\b")
            position += 2
        elif text[position] == "\\":
            token, position = _escape(text, position)
            if token.kind == "boundary":
                raise PatternError("\\B inside of a class")
            yield token
        else:
            yield Token("dash" if text[position] == "-" else "letter", text[position])
            position += 1
