r"""Sets of characters, as ranges of code points, and their spelling in a JSON string.

A character has one spelling: itself or, if JSON must escape it, `\" \\ \b \f \n \r \t`, or `\u00xx` in lower case for
the other control characters and DEL, as llguidance writes them. So languages of texts correspond to languages of their
spellings, and so do their complements.
"""

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ngramspec.guards.schemas.patterns import PatternError, Token, atoms_of
from ngramspec.guards.schemas.properties import has_property, rust_name
from ngramspec.guards.schemas.source_caches import cached_within_source

Ranges = tuple[tuple[int, int], ...]
"""Pairs of first and last code point, sorted; no two touch."""

LAST = 0x10FFFF
SURROGATES = ((0xD800, 0xDFFF),)
BY_LETTER = {'"': '"', "\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
ESCAPED = [*range(0x20), 0x22, 0x5C, 0x7F]
MAX_FOLDED = 10_000


def ranges_of(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """The ranges sorted, and merged where they touch."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def all_but(ranges: Ranges) -> Ranges:
    """The ranges of all other code points."""
    found = []
    following = 0
    for first, last in ranges:
        if first > following:
            found.append((following, first - 1))
        following = last + 1
    return (*found, (following, LAST)) if following <= LAST else tuple(found)


def common(one: Ranges, other: Ranges) -> Ranges:
    """The ranges of the code points in both."""
    return all_but(ranges_of([*all_but(one), *all_but(other)]))


@dataclass(frozen=True, slots=True)
class Letters:
    r"""A set of characters: ranges, and Unicode properties (`p{L}`, or `P{L}` for the complement).

    is_negated: the set is the complement of these.
    """

    ranges: Ranges
    properties: tuple[str, ...] = ()
    is_negated: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the set is empty."""
        return not self.properties and all(first >= 0xD800 and last <= 0xDFFF for first, last in self.ranges)

    @property
    def is_large(self) -> bool:
        """Whether the set contains most characters."""
        return self.is_negated or sum(last - first + 1 for first, last in self.ranges) > LAST // 2

    @property
    def all_ranges(self) -> tuple[Ranges, Ranges]:
        """The ranges inside and outside the set, if it has no properties."""
        assert not self.properties
        others = all_but(self.ranges)
        return (others, self.ranges) if self.is_negated else (self.ranges, others)

    @property
    def plain(self) -> str:
        """A class of Rust's regex crate for the characters that are spelled as themselves; empty for none."""
        if self.properties:
            members = _class(self.ranges) + "".join(f"\\{name}" for name in self.properties)
            return f"[[{'^' * self.is_negated}{members}]--{_said(ranges_of((code, code) for code in ESCAPED))}]"
        ranges = common(self.ranges, _PLAIN)
        if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
            return _code(ranges[0][0])
        return _said(ranges) if ranges else ""

    @property
    def escaped(self) -> tuple[int, ...]:
        """The code points in the set that JSON escapes."""
        return tuple(code for code in ESCAPED if self._has(code))

    def _has(self, code: int) -> bool:
        index = bisect.bisect_right(self.ranges, (code, LAST)) - 1
        is_in = index >= 0 and code <= self.ranges[index][1]
        return (is_in or any(has_property(code, name) for name in self.properties)) != self.is_negated


_PLAIN = common(all_but(ranges_of((code, code) for code in ESCAPED)), all_but(SURROGATES))
ANY_LETTER = Letters(((0, LAST),))


def _said(ranges: Ranges) -> str:
    """A class of the ranges or of their complement, whichever is shorter; Rust's classes never contain surrogates."""
    others = all_but(ranges_of([*ranges, *SURROGATES]))
    if others and len(others) < len(ranges):
        return f"[^{_class(others)}]"
    return f"[{_class(ranges)}]"


def _class(ranges: Ranges) -> str:
    return "".join(_code(first) if first == last else f"{_code(first)}-{_code(last)}" for first, last in ranges)


def _code(code: int) -> str:
    if code > 0x7E or code < 0x20:
        return f"\\x{{{code:X}}}"
    return chr(code) if chr(code).isalnum() or chr(code) in " !%,:;<=>@_`\"'" else f"\\x{code:02X}"


@cached_within_source
def spelled(letters: Letters) -> str:
    """A regex of Rust's crate for the spellings of one character. Raises PatternError if the set is empty."""
    ways = [letters.plain] if letters.plain else []
    ways += [f"\\\\{said}" for said in _escapes(letters.escaped)]
    if not ways:
        raise PatternError("a class without characters")
    return letters.plain if ways == [letters.plain] else f"(?:{'|'.join(ways)})"


def spelling(text: str) -> str:
    """A regex of Rust's crate for the spelling of one text."""
    return "".join(spelled(Letters(((ord(letter), ord(letter)),))) for letter in text)


def _escapes(codes: tuple[int, ...]) -> Iterator[str]:
    """Regexes of the part after the backslash."""
    short = [_code(ord(BY_LETTER[chr(code)])) for code in codes if chr(code) in BY_LETTER]
    if short:
        yield f"[{''.join(short)}]"
    by_first: dict[str, str] = {}
    for code in codes:
        if chr(code) not in BY_LETTER:
            said = f"{code:02x}"
            by_first[said[0]] = by_first.get(said[0], "") + said[1]
    for first, lasts in by_first.items():
        yield f"u00{first}{lasts if len(lasts) == 1 else f'[{lasts}]'}"


def letters_of(token: Token, *, ignores_case: bool = False) -> Letters:
    """The characters of a token that is a letter, a set, a class or the dot.

    ignores_case: add the other case of each letter. Raises PatternError if these are too many.
    """
    match token.kind:
        case "any":
            return Letters(all_but(NEWLINES))
        case "class":
            return _of_class(token.value, ignores_case)
        case "set" if token.value[0] in "pP":
            return Letters((), (rust_name(token.value),))
        case "set":
            return Letters(SETS[token.value])
    return Letters(_folded([(ord(token.value), ord(token.value))], ignores_case))


def _of_class(text: str, ignores_case: bool) -> Letters:
    is_negated = text.startswith("^")
    atoms = list(atoms_of(text.removeprefix("^")))
    named: list[tuple[int, int]] = []
    sets: list[tuple[int, int]] = []
    properties: list[str] = []
    position = 0
    while position < len(atoms):
        atom = atoms[position]
        if atom.kind == "set" and atom.value[0] in "pP":
            properties.append(rust_name(atom.value))
        elif atom.kind == "set":
            sets += SETS[atom.value]
        elif [other.kind for other in atoms[position + 1 : position + 3]] == ["dash", "letter"]:
            first, last = ord(atom.value), ord(atoms[position + 2].value)
            if first > last:
                raise PatternError(f"the range {atom.value}-{chr(last)}, which ends before it begins")
            named.append((first, last))
            position += 2
        else:
            named.append((ord(atom.value), ord(atom.value)))
        position += 1
    ranges = ranges_of([*_folded(named, ignores_case), *sets])
    if properties:
        return Letters(ranges, tuple(properties), is_negated)
    return Letters(all_but(ranges) if is_negated else ranges)


def _folded(pairs: list[tuple[int, int]], ignores_case: bool) -> Ranges:
    """The ranges; with `ignores_case`, in upper and lower case."""
    if not ignores_case:
        return ranges_of(pairs)
    if sum(last - first + 1 for first, last in pairs) > MAX_FOLDED:
        raise PatternError(f"a class of more than {MAX_FOLDED} letters in either case")
    members = {chr(code) for first, last in pairs for code in range(first, last + 1)}
    members |= {letter.casefold() for letter in members}
    members |= {other for letter in members for other in (letter.lower(), letter.upper())}
    members |= {other for letter, other in (("k", "\u212a"), ("s", "\u017f")) if letter in members}
    return ranges_of((ord(letter), ord(letter)) for letter in members if len(letter) == 1)


def _points(text: str) -> Ranges:
    return ranges_of((ord(letter), ord(letter)) for letter in text)


SPACES = _points("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B))))
NEWLINES = _points("\n\r\u2028\u2029")
_DIGITS = ((0x30, 0x39),)
_WORD = ranges_of([*_DIGITS, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
SETS = {
    "d": _DIGITS, "w": _WORD, "s": SPACES, "D": all_but(_DIGITS), "W": all_but(_WORD), "S": all_but(SPACES),
}  # fmt: skip
