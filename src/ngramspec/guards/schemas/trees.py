"""Parses patterns of ECMA-262 into trees."""

import re
from dataclasses import dataclass, replace

from ngramspec.guards.schemas.letters import ANY_LETTER, Letters, letters_of
from ngramspec.guards.schemas.patterns import PatternError, Token, tokens_of


@dataclass(frozen=True, slots=True)
class Sequence:
    """A concatenation of parts; without parts, the empty text."""

    parts: "tuple[Tree, ...]" = ()


@dataclass(frozen=True, slots=True)
class Alternation:
    """Any of the options."""

    options: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part repeated from `least` to `most` times; most: None for any number."""

    part: "Tree"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Lookaround:
    """An assertion: a match of `part` begins here or, if `is_behind`, ends here; negated: none does."""

    part: "Tree"
    is_behind: bool
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Start:
    """`^`: the text begins here."""


@dataclass(frozen=True, slots=True)
class End:
    """`$`: the text ends here."""


Tree = Letters | Sequence | Alternation | Repeat | Lookaround | Start | End

EMPTY = Sequence()
MAX_DEPTH = 100
"""Deepest nesting of groups."""

WORD = letters_of(Token("set", "w"))
_LOOKS = {"(?=": (False, False), "(?!": (False, True), "(?<=": (True, False), "(?<!": (True, True)}
_FLAGS = re.compile(r"\(\?([a-z]*)(?:-([a-z]*))?([:)])")


@dataclass(frozen=True, slots=True)
class _Flags:
    """(?i) and (?s), which other dialects than ECMA-262 have."""

    ignores_case: bool = False
    has_newlines: bool = False

    def changed(self, group: str) -> "_Flags":
        match = _FLAGS.fullmatch(group)
        added, removed = (match[1], match[2] or "") if match is not None else ("", "")
        if match is None or set(added + removed) - set("is"):
            raise PatternError(f"the flags {group}")
        flags = self
        for letters, is_on in ((added, True), (removed, False)):
            flags = replace(flags, ignores_case=is_on) if "i" in letters else flags
            flags = replace(flags, has_newlines=is_on) if "s" in letters else flags
        return flags


def tree_of(pattern: str) -> Tree:
    """`pattern` as a tree. Raises PatternError if it is not ECMA-262, or beyond regular languages."""
    return _Reader(list(tokens_of(pattern))).all()


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def all(self) -> Tree:
        tree = self._choice(_Flags())
        if self._position < len(self._tokens):
            raise PatternError(") without (")
        return tree

    def _choice(self, flags: _Flags) -> Tree:
        options: list[Tree] = []
        parts: list[Tree] = []
        while self._position < len(self._tokens) and self._tokens[self._position].kind != "close":
            token = self._tokens[self._position]
            self._position += 1
            if token.kind == "or":
                options.append(_sequence(parts))
                parts = []
            elif token.kind == "quantifier":
                if not parts:
                    raise PatternError(f"{token.value} with nothing to repeat")
                parts[-1] = _repeated(parts[-1], token.value)
            elif token.kind == "group" and _FLAGS.fullmatch(token.value) and token.value.endswith(")"):
                flags = flags.changed(token.value)
            else:
                parts.append(self._part(token, flags))
                self._check_quantifiers()
        options.append(_sequence(parts))
        return options[0] if len(options) == 1 else Alternation(tuple(options))

    def _check_quantifiers(self) -> None:
        following = [token.kind for token in self._tokens[self._position : self._position + 2]]
        if following == ["quantifier", "quantifier"]:
            raise PatternError(f"{self._tokens[self._position + 1].value} with nothing to repeat")

    def _part(self, token: Token, flags: _Flags) -> Tree:
        match token.kind:
            case "anchor":
                return Start() if token.value == "^" else End()
            case "boundary":
                return _boundary(is_negated=token.value == "B")
            case "group":
                return self._group(token.value, flags)
            case "any" if flags.has_newlines:
                return ANY_LETTER
        return letters_of(token, ignores_case=flags.ignores_case)

    def _group(self, opening: str, flags: _Flags) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PatternError(f"more than {MAX_DEPTH} groups within one another")
        inner = self._choice(flags.changed(opening) if _FLAGS.fullmatch(opening) else flags)
        if self._position == len(self._tokens):
            raise PatternError("( without )")
        self._position += 1
        self._depth -= 1
        return Lookaround(inner, *_LOOKS[opening]) if opening in _LOOKS else inner


def _sequence(parts: list[Tree]) -> Tree:
    return parts[0] if len(parts) == 1 else Sequence(tuple(parts))


def _repeated(part: Tree, quantifier: str) -> Tree:
    bounds = quantifier.rstrip("?") or "?"
    if bounds in ("*", "+", "?"):
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[bounds]
    else:
        first, comma, last = bounds.strip("{}").partition(",")
        least, most = int(first), int(last) if last else None if comma else int(first)
    if most is not None and most < least:
        raise PatternError(f"{quantifier}, which ends before it begins")
    if isinstance(part, Lookaround | Start | End):
        return part if least else EMPTY
    return Repeat(part, least, most)


def _boundary(*, is_negated: bool) -> Tree:
    r"""`\b` and `\B`, as assertions about the characters on either side."""

    def side(is_behind: bool, is_word: bool) -> Tree:
        return Lookaround(WORD, is_behind, is_negated=not is_word)

    return Alternation(
        tuple(Sequence((side(True, before), side(False, before == is_negated))) for before in (False, True))
    )
