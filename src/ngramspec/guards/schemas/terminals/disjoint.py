"""Whether two languages are disjoint, as far as their first or last characters show it."""

from collections.abc import Sequence
from itertools import zip_longest

from ngramspec.guards.schemas.letters import ANY_LETTER, Letters, Ranges, common, ranges_of
from ngramspec.guards.schemas.terminals.languages import (
    Complement,
    Concatenation,
    Intersection,
    Language,
    Repetition,
    Text,
    Union,
    least_length,
    most_length,
)

MAX_LETTERS = 32
"""Characters that are compared, from either end."""
ANY = ANY_LETTER.ranges


def are_disjoint(one: Language, other: Language) -> bool:
    """True only if no text is in both: at some position from an end their characters differ."""
    return any(
        not common(mine, yours)
        for is_end in (False, True)
        for mine, yours in zip(_letters(one, is_end), _letters(other, is_end), strict=False)
    )


def _letters(language: Language, is_end: bool) -> Sequence[Ranges]:
    """The possible characters at each position from the beginning or the end, as far as all texts reach."""
    match language:
        case Letters():
            return [ANY if language.properties else language.all_ranges[0]]
        case Text(value):
            letters = value[: -MAX_LETTERS - 1 : -1] if is_end else value[:MAX_LETTERS]
            return [((ord(letter), ord(letter)),) for letter in letters]
        case Concatenation(parts):
            return _one_after_the_other(parts[::-1] if is_end else parts, is_end)
        case Repetition(part, least, _):
            return _one_after_the_other([part] * min(least, MAX_LETTERS), is_end)
        case Union(options):
            columns = zip(*(_letters(option, is_end) for option in options), strict=False)
            return [ranges_of(pair for ranges in column for pair in ranges) for column in columns]
        case Intersection(parts):
            found: list[Ranges] = []
            for column in zip_longest(*(_letters(part, is_end) for part in parts), fillvalue=ANY):
                left: Ranges = ANY
                for ranges in column:
                    left = common(left, ranges)
                found.append(left)
            return found
        case Complement():
            return []


def _one_after_the_other(parts: Sequence[Language], is_end: bool) -> Sequence[Ranges]:
    """The characters of consecutive parts, up to the first part whose texts differ in length."""
    found: list[Ranges] = []
    for part in parts:
        letters = _letters(part, is_end)
        found += letters
        if len(found) >= MAX_LETTERS or not least_length(part) == most_length(part) == len(letters):
            break
    return found[:MAX_LETTERS]
