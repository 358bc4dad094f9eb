"""Languages of texts as expressions: those of regexes, plus intersection and complement.

Whether a language contains the empty text, and bounds on the length of its texts, follow from the parts, also through
intersections and complements.
"""

from dataclasses import dataclass

from ngramspec.guards.schemas.letters import ANY_LETTER, Letters, common


@dataclass(frozen=True, slots=True)
class Text:
    """One non-empty text."""

    value: str


@dataclass(frozen=True, slots=True)
class Concatenation:
    """A concatenation; without parts, the empty text."""

    parts: "tuple[Language, ...]" = ()


@dataclass(frozen=True, slots=True)
class Union:
    """A union; without options, the empty language."""

    options: "tuple[Language, ...]" = ()


@dataclass(frozen=True, slots=True)
class Repetition:
    """A language repeated from `least` to `most` times; most: None for any number."""

    part: "Language"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Intersection:
    """An intersection of at least one part."""

    parts: "tuple[Language, ...]"


@dataclass(frozen=True, slots=True)
class Complement:
    """A complement."""

    part: "Language"


Language = Letters | Text | Concatenation | Union | Repetition | Intersection | Complement

EMPTY = Concatenation()
"""The empty text alone."""
NOTHING = Union()
"""No text."""
ALL = Repetition(ANY_LETTER, 0, None)
"""Every text."""


def joined(*parts: Language) -> Language:
    """The concatenation of `parts`. Next to "any text", a repetition is reduced to its least count."""
    found: list[Language] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        for one in part.parts if isinstance(part, Concatenation) else (part,):
            if one == ALL:
                while found and (few := _as_few(found[-1])) != found[-1]:
                    found[-1:] = [] if few == EMPTY else [few]
            following = _as_few(one) if found and found[-1] == ALL else one
            if following != EMPTY and not (found and found[-1] == ALL == following):
                found.append(following)
    return found[0] if len(found) == 1 else Concatenation(tuple(found))


def _as_few(part: Language) -> Language:
    """A repetition at its least count, which is equivalent next to "any text"."""
    if part == ALL or not isinstance(part, Repetition) or part.most == part.least:
        return part
    return repeated(part.part, part.least, part.least)


def either(*options: Language) -> Language:
    """The union of `options`."""
    found: dict[Language, None] = {}
    for option in options:
        found |= dict.fromkeys(option.options if isinstance(option, Union) else (option,))
    if ALL in found:
        return ALL
    return next(iter(found)) if len(found) == 1 else Union(tuple(found))


def repeated(part: Language, least: int, most: int | None) -> Language:
    """`part` repeated from `least` to `most` times."""
    if most == 0 or part == EMPTY or (part == NOTHING and not least):
        return EMPTY
    if part == NOTHING or (least, most) == (1, 1):
        return part
    return Repetition(part, least, most)


def both(*parts: Language) -> Language:
    """The intersection of `parts`."""
    found: dict[Language, None] = {}
    for part in parts:
        found |= dict.fromkeys(part.parts if isinstance(part, Intersection) else (part,))
    found.pop(ALL, None)
    if not found:
        return ALL
    if NOTHING in found:
        return NOTHING
    if EMPTY in found:
        return EMPTY if all(map(has_empty, found)) else NOTHING
    return next(iter(found)) if len(found) == 1 else Intersection(tuple(found))


def complement(part: Language) -> Language:
    """All other texts."""
    if part == ALL:
        return NOTHING
    if part == NOTHING:
        return ALL
    match part:
        case Complement(inner):
            return inner
        case Concatenation((Repetition(Letters() as before, 0, None), Letters() as found, rest)) if rest == ALL:
            return _never(before, found) or Complement(part)
    return Complement(part)


def _never(before: Letters, found: Letters) -> Language | None:
    """The texts in which no character of `found` follows a prefix of `before` only; None for classes by property.

    Characters in neither set end the part of a text that matters.
    """
    if before.properties or found.properties:
        return None
    others = found.all_ranges[1]
    free, ends = (Letters(common(ranges, others)) for ranges in before.all_ranges)
    head = EMPTY if free.is_empty else repeated(free, 0, None)
    return head if ends.is_empty else joined(head, repeated(joined(ends, ALL), 0, 1))


def has_empty(language: Language) -> bool:
    """Whether the language contains the empty text."""
    match language:
        case Letters() | Text():
            return False
        case Concatenation(parts) | Intersection(parts):
            return all(map(has_empty, parts))
        case Union(options):
            return any(map(has_empty, options))
        case Repetition(part, least, _):
            return not least or has_empty(part)
        case Complement(part):
            return not has_empty(part)


def least_length(language: Language) -> int:
    """A lower bound on the length of its texts, in characters."""
    match language:
        case Letters():
            return 1
        case Text(value):
            return len(value)
        case Concatenation(parts):
            return sum(map(least_length, parts))
        case Union(options):
            return min(map(least_length, options), default=0)
        case Repetition(part, least, _):
            return least * least_length(part)
        case Intersection(parts):
            return max(map(least_length, parts))
        case Complement(part):
            return int(has_empty(part))


def most_length(language: Language) -> int | None:
    """An upper bound on the length of its texts, in characters; None if there is none."""
    match language:
        case Letters():
            return 1
        case Text(value):
            return len(value)
        case Concatenation(parts):
            lengths = list(map(most_length, parts))
            return None if None in lengths else sum(length for length in lengths if length is not None)
        case Union(options):
            lengths = list(map(most_length, options))
            return None if None in lengths else max((length for length in lengths if length is not None), default=0)
        case Repetition(part, _, most):
            length = most_length(part)
            return 0 if length == 0 else None if length is None or most is None else length * most
        case Intersection(parts):
            return min((length for length in map(most_length, parts) if length is not None), default=None)
        case Complement():
            return None


def has_nested(language: Language, *, is_inside: bool = False) -> bool:
    """Whether there are nested repetitions, intersections or complements."""
    match language:
        case Concatenation(parts):
            return any(has_nested(part, is_inside=is_inside) for part in parts)
        case Union(options):
            return any(has_nested(option, is_inside=is_inside) for option in options)
        case Repetition(part, _, most):
            return is_inside or has_nested(part, is_inside=most != 1)
        case Intersection() | Complement():
            return True
    return False


def one_text(text: str) -> Language:
    """The language of one text."""
    return Text(text) if text else EMPTY
