r"""Patterns, which JSON Schema takes from ECMA-262: cut into tokens, and said in the dialect of Rust's regex crate.

The dialects share most of their letters and not their meaning: in Rust `[a&&b]` and `[[0-9]a]` are set operations,
`\a` is a bell, `.` takes carriage returns, `\s` leaves out a byte order mark, and `{` needs an escape.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SPACES = "\t\n\v\f\r \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
NEWLINES = "\n\r\u2028\u2029"
CONTROL = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "0": "\0"}
SPECIAL = set("][(){}.*+?^$|\\/-&~#<>'\"=!:,;@%` ")
"""What an escape may stand before, to mean the letter itself."""

LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")


class PatternError(Exception):
    """A pattern has what is no regular language, or no ECMA-262."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a pattern; value: what the dialects agree on, a letter or the name of a set."""

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
    """The tokens of `pattern`: letter, set, class (its own text follows), any, anchor, group, close, quantifier, or."""
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
        raise PatternError(f"the word boundary \\{boundary}")
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """How letters are written, and those that a class leaves out.

    spaces: what `\\s` can stand for. has_nested: whether a class may hold another one.
    """

    letter: Callable[[str], str]
    left_out: Callable[[str], str]
    spaces: str = SPACES
    has_nested: bool = True

    def said(self, token: Token) -> str:
        """A token in this dialect; raises PatternError for what it does not have."""
        match token.kind:
            case "letter":
                return self.letter(token.value)
            case "set":
                return self._set(token.value)
            case "any":
                return f"[^{''.join(map(self.left_out, NEWLINES))}]"
            case "class":
                return self._class(token.value)
            case "group" if token.value in LOOKAROUND:
                raise PatternError(f"looking around, {token.value}…)")
            case "group" if token.value.endswith(">"):
                return "("
        return token.value

    def inner(self, text: str) -> str:
        """A set inside of a class."""
        if text.startswith("[") and not self.has_nested:
            raise PatternError("\\S inside of a class")
        return text

    def _set(self, name: str) -> str:
        if name in "sS":
            write = self.letter if name == "s" else self.left_out
            return f"[{'^' * (name == 'S')}{''.join(map(write, self.spaces if name == 's' else SPACES))}]"
        return f"\\{name}"

    def _class(self, text: str) -> str:
        is_negated = text.startswith("^")
        sets = {atom.value for atom in atoms_of(text) if atom.kind == "set"}
        if any({name, name.upper()} <= sets for name in "dsw"):
            return r"[^\s\S]" if is_negated else r"[\s\S]"
        members = list(self._members(text.removeprefix("^"), self.left_out if is_negated else self.letter))
        if not members:
            return r"[\s\S]" if is_negated else r"[^\s\S]"
        return f"[{'^' * is_negated}{''.join(members)}]"

    def _members(self, text: str, write: Callable[[str], str]) -> Iterator[str]:
        atoms = list(atoms_of(text))
        position = 0
        while position < len(atoms):
            token = atoms[position]
            if token.kind == "set":
                yield "".join(map(write, self.spaces)) if token.value == "s" else self.inner(self._set(token.value))
                position += 1
            elif [atom.kind for atom in atoms[position + 1 : position + 3]] == ["dash", "letter"]:
                yield self._range(token.value, atoms[position + 2].value, write)
                position += 3
            else:
                yield write(token.value)
                position += 1

    def _range(self, first: str, last: str, write: Callable[[str], str]) -> str:
        for letter in UNSAFE:
            if first < letter < last:
                write(letter)
        return f"{write(first)}-{write(last)}"


UNSAFE = '"\\'
"""What JSON escapes, and may lie inside of a range."""


def _rust_letter(letter: str) -> str:
    if letter.isalnum() and letter.isascii():
        return letter
    if not letter.isprintable() or ord(letter) > 126:
        return f"\\x{{{ord(letter):X}}}"
    return f"\\{letter}" if letter in "][(){}.*+?^$|\\-&~#" else letter


RUST = Dialect(_rust_letter, _rust_letter)


def in_rust(pattern: str) -> str:
    """`pattern` with the same meaning in the dialect of Rust's regex crate, as llguidance reads it.

    Raises PatternError for what no finite automaton does: looking around, and references back.
    """
    return "".join(map(RUST.said, tokens_of(pattern)))


def _xgrammar_letter(letter: str) -> str:
    if letter in UNSAFE or letter < " ":
        raise PatternError(f"the letter {letter!r}, which xgrammar does not escape in JSON")
    return _quoted(letter)


def _quoted(letter: str) -> str:
    if letter < " " or ord(letter) > 126:
        return f"\\u{{{ord(letter):X}}}"
    return f"\\{letter}" if letter in "][(){}.*+?^$|\\-/" else letter


XGRAMMAR = Dialect(_xgrammar_letter, _quoted, "".join(letter for letter in SPACES if letter >= " "), has_nested=False)


def in_xgrammar(pattern: str) -> str:
    """`pattern` of a JSON string as xgrammar reads it, which takes it for all of the string.

    Raises PatternError for what it would ignore or misread.
    """
    return f"^(?:{'|'.join(map(_whole, _ways(pattern)))})$"


def regex_in_xgrammar(pattern: str) -> str:
    """A regex on its own, of which xgrammar would let the dot take newlines.

    Raises PatternError for what it would ignore or misread.
    """
    for way in _ways(pattern):
        for token in _body(way):
            if token.kind == "group" and token.value in LOOKAROUND:
                raise PatternError(f"looking around, {token.value}…)")
    return _PIECE.sub(lambda match: _SAFE.get(match[0], match[0]), pattern)


_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\)\?|\.", re.DOTALL)
_SAFE = {".": "[^\\n]", ")?": "){0,1}"}
"""xgrammar 0.2.8 takes `c(da*)?` for `c(da*|a+)?`, and `{0,1}` for what it is."""


def _ways(pattern: str) -> list[list[Token]]:
    """The alternatives of `pattern` outside of all groups."""
    ways: list[list[Token]] = [[]]
    depth = 0
    for token in tokens_of(pattern):
        depth += {"group": 1, "close": -1}.get(token.kind, 0)
        if token.kind == "or" and depth == 0:
            ways.append([])
        else:
            ways[-1].append(token)
    return ways


_START, _END = Token("anchor", "^"), Token("anchor", "$")


def _body(way: list[Token]) -> list[Token]:
    """An alternative without the anchors at its ends; raises PatternError for what xgrammar skips over inside."""
    body = way[way[:1] == [_START] : len(way) - (way[-1:] == [_END])]
    for token in body:
        if token.kind == "anchor":
            raise PatternError(f"the anchor {token.value} inside")
        if token.kind == "group" and re.fullmatch(r"\(\?[a-zA-Z-]+[:)]", token.value):
            raise PatternError(f"the flags {token.value}")
        if token.kind == "set" and token.value[0] in "pP":
            raise PatternError(f"the Unicode class \\{token.value}")
    return body


def _whole(way: list[Token]) -> str:
    rest = r"[\s\S]*"
    body = "".join(map(XGRAMMAR.said, _body(way))).replace(")?", "){0,1}")  # see _SAFE
    return f"{'' if way[:1] == [_START] else rest}(?:{body}){'' if way[-1:] == [_END] else rest}"


def atoms_of(text: str) -> Iterator[Token]:
    """What a class consists of: letters, sets, and dashes that may make ranges."""
    position = 0
    while position < len(text):
        if text.startswith("\\b", position):
            yield Token("letter", "\b")
            position += 2
        elif text[position] == "\\":
            token, position = _escape(text, position)
            yield token
        else:
            yield Token("dash" if text[position] == "-" else "letter", text[position])
            position += 1
