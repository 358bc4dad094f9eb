"""Patterns of ECMA-262 in xgrammar's dialect, which shares most of their syntax but not their meaning.

xgrammar matches a pattern against the whole string, ignores anchors and lookaround, does not escape what JSON must
escape, and counts modulo 2^32. (For llguidance patterns are terminals: `terminals/`.)
"""

import re
from collections.abc import Callable, Iterator

from ngramspec.guards.schemas.patterns import PatternError, Token, atoms_of, tokens_of

SPACES = "\t\n\v\f\r \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
PLAIN_SPACES = "".join(letter for letter in SPACES if letter >= " ")
"""Spaces that JSON does not escape."""
NEWLINES = "\n\r\u2028\u2029"
LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
UNSAFE = '"\\'
"""Characters that JSON escapes, and that a range may contain."""


def _said(token: Token) -> str:
    """A token in xgrammar's dialect. Raises PatternError for what the dialect lacks."""
    match token.kind:
        case "letter":
            return _letter(token.value)
        case "set":
            return _set(token.value)
        case "any":
            return f"[^{''.join(map(_quoted, NEWLINES))}]"
        case "class":
            return _class(token.value)
        case "group" if token.value in LOOKAROUND:
            raise PatternError(f"lookaround, {token.value}…)")
        case "group" if token.value.endswith(">"):
            return "("
    return token.value


def _set(name: str) -> str:
    if name == "s":
        return f"[{''.join(map(_letter, PLAIN_SPACES))}]"
    return f"[^{''.join(map(_quoted, SPACES))}]" if name == "S" else f"\\{name}"


def _class(text: str) -> str:
    is_negated = text.startswith("^")
    sets = {atom.value for atom in atoms_of(text) if atom.kind == "set"}
    if any({name, name.upper()} <= sets for name in "dsw"):
        return r"[^\s\S]" if is_negated else r"[\s\S]"
    members = list(_members(text.removeprefix("^"), _quoted if is_negated else _letter))
    if not members:
        return r"[\s\S]" if is_negated else r"[^\s\S]"
    return f"[{'^' * is_negated}{''.join(members)}]"


def _members(text: str, write: Callable[[str], str]) -> Iterator[str]:
    atoms = list(atoms_of(text))
    position = 0
    while position < len(atoms):
        token = atoms[position]
        if token.kind == "set":
            yield _set_in_class(token.value, write)
            position += 1
        elif [atom.kind for atom in atoms[position + 1 : position + 3]] == ["dash", "letter"]:
            yield _range(token.value, atoms[position + 2].value, write)
            position += 3
        else:
            yield write(token.value)
            position += 1


def _set_in_class(name: str, write: Callable[[str], str]) -> str:
    if name == "S":
        raise PatternError("\\S inside of a class")
    return "".join(map(write, PLAIN_SPACES)) if name == "s" else f"\\{name}"


def _range(first: str, last: str, write: Callable[[str], str]) -> str:
    for letter in UNSAFE:
        if first < letter < last:
            write(letter)
    return f"{write(first)}-{write(last)}"


def _letter(letter: str) -> str:
    if letter in UNSAFE or letter < " ":
        raise PatternError(f"the letter {letter!r}, which xgrammar does not escape in JSON")
    return _quoted(letter)


def _quoted(letter: str) -> str:
    if letter < " " or ord(letter) > 126:
        return f"\\u{{{ord(letter):X}}}"
    return f"\\{letter}" if letter in "][(){}.*+?^$|\\-/" else letter


def in_xgrammar(pattern: str) -> str:
    """`pattern` of a JSON string for xgrammar, which matches it against the whole string.

    Raises PatternError for what it would ignore or misread.
    """
    return f"^(?:{'|'.join(map(_whole, _ways(pattern)))})$"


def regex_in_xgrammar(pattern: str) -> str:
    """A regex outside of JSON for xgrammar, whose dot would match newlines.

    Raises PatternError for what it would ignore or misread.
    """
    for way in _ways(pattern):
        for token in _body(way):
            if token.kind == "group" and token.value in LOOKAROUND:
                raise PatternError(f"lookaround, {token.value}…)")
    return _PIECE.sub(lambda match: _SAFE.get(match[0], match[0]), pattern)


_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\)\?|\.", re.DOTALL)
_SAFE = {".": "[^\\n]", ")?": "){0,1}"}
"""xgrammar 0.2.8 reads `c(da*)?` as `c(da*|a+)?`, but `{0,1}` correctly."""


MAX_COUNT = 2**31 - 1
"""The largest count that xgrammar keeps."""


def _ways(pattern: str) -> list[list[Token]]:
    """The top-level alternatives of `pattern`."""
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
    """An alternative without the anchors at its ends. Raises PatternError for what xgrammar ignores inside."""
    body = way[way[:1] == [_START] : len(way) - (way[-1:] == [_END])]
    for token in body:
        if token.kind == "anchor":
            raise PatternError(f"the anchor {token.value} inside")
        if token.kind == "boundary":
            raise PatternError(f"the word boundary \\{token.value}")
        if token.kind == "group" and re.fullmatch(r"\(\?[a-zA-Z-]+[:)]", token.value):
            raise PatternError(f"the flags {token.value}")
        if token.kind == "quantifier" and any(int(count) > MAX_COUNT for count in re.findall("[0-9]+", token.value)):
            raise PatternError(f"{token.value}, a count of more than {MAX_COUNT}")
        if token.kind == "set" and token.value[0] in "pP":
            raise PatternError(f"the Unicode class \\{token.value}")
    return body


def _whole(way: list[Token]) -> str:
    rest = r"[\s\S]*"
    body = "".join(map(_said, _body(way))).replace(")?", "){0,1}")  # see _SAFE
    return f"{'' if way[:1] == [_START] else rest}(?:{body}){'' if way[-1:] == [_END] else rest}"
