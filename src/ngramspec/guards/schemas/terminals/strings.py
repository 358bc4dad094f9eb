r"""All quoted JSON strings of given patterns, formats and lengths, and their complements."""

from collections.abc import Iterable
from functools import cache

from ngramspec.guards.schemas.formats import ALL_PATTERNS, LENGTHS
from ngramspec.guards.schemas.letters import ANY_LETTER, Letters
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.source_caches import cached_within_source
from ngramspec.guards.schemas.terminals import disjoint
from ngramspec.guards.schemas.terminals.languages import (
    ALL,
    EMPTY,
    NOTHING,
    Complement,
    Intersection,
    Language,
    Repetition,
    Text,
    Union,
    both,
    complement,
    either,
    has_nested,
    least_length,
    most_length,
    one_text,
    repeated,
)
from ngramspec.guards.schemas.terminals.matching import language_of
from ngramspec.guards.schemas.terminals.probing import NUM_STEPS, is_possible
from ngramspec.guards.schemas.terminals.terminal import InexpressibleError, Terminal
from ngramspec.guards.schemas.terminals.writing import is_regex, lark


def terminal(
    *,
    patterns: Iterable[str] = (),
    not_patterns: Iterable[str] = (),
    formats: Iterable[str] = (),
    not_formats: Iterable[str] = (),
    min_length: int = 0,
    max_length: int | None = None,
    texts: Iterable[str] | None = None,
) -> Terminal | None:
    """All quoted JSON strings whose text is as described; None if there is none.

    patterns: of ECMA-262, each of which must match in the text; not_patterns: none of which may. formats: names
    (`formats.py`) that must all apply; not_formats: none of which may. Lengths count code points. texts: the only
    allowed texts.

    A character has one spelling (`schemas/letters.py`), so each text has one spelling.

    Raises InexpressibleError for patterns and formats that are not regular, or not expressible here, and for
    combinations that llguidance may not be able to handle.
    """
    try:
        found = language(
            patterns=patterns, not_patterns=not_patterns, formats=formats, not_formats=not_formats,
            min_length=min_length, max_length=max_length, texts=texts,
        )  # fmt: skip
        terminal = Terminal(f'"\\"" {lark(found)} "\\""')
    except PatternError as error:
        raise InexpressibleError(str(error)) from error
    if found == NOTHING or (is_tangled(found) and not is_possible(terminal, 0 if is_simple(found) else NUM_STEPS)):
        return None
    return terminal


def is_tangled(found: Language) -> bool:
    """Whether it contains intersections and complements, other than of listed texts."""
    if not isinstance(found, Complement):
        return not is_regex(found)
    options = found.part.options if isinstance(found.part, Union) else (found.part,)
    return not all(isinstance(option, Text) or option == EMPTY for option in options)


def is_simple(found: Language) -> bool:
    """Whether it is a length, optionally with a pattern without nested repetitions."""
    return (
        isinstance(found, Intersection)
        and len(found.parts) == 2
        and any(isinstance(part, Repetition) and isinstance(part.part, Letters) for part in found.parts)
        and not any(map(has_nested, found.parts))
    )


def literal(text: str) -> Terminal:
    """One quoted text."""
    found = terminal(texts=[text])
    assert found is not None
    return found


def are_disjoint(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether certainly no text fits both, each ("pattern", …) or ("format", …). Raises InexpressibleError."""
    try:
        languages = [_of_format(said) if kind == "format" else _found(said) for kind, said in (one, other)]
    except PatternError as error:
        raise InexpressibleError(str(error)) from error
    return disjoint.are_disjoint(*languages)


def language(
    *,
    patterns: Iterable[str],
    not_patterns: Iterable[str],
    formats: Iterable[str],
    not_formats: Iterable[str],
    min_length: int,
    max_length: int | None,
    texts: Iterable[str] | None,
) -> Language:
    """The texts that `terminal` describes."""
    parts = [_found(pattern) for pattern in patterns]
    parts += [_of_format(name) for name in formats]
    parts += [complement(_found(pattern)) for pattern in not_patterns]
    parts += [complement(_of_format(name)) for name in not_formats]
    if texts is not None:
        parts.append(either(*map(one_text, texts)))
    if max_length is not None and min_length > max_length:
        return NOTHING
    shortest = max(map(least_length, parts), default=0)
    longest = min((length for length in map(most_length, parts) if length is not None), default=None)
    if max_length is not None and longest is not None and longest <= max_length:
        max_length = None
    if min_length > shortest or max_length is not None:
        parts.append(repeated(ANY_LETTER, min_length, max_length))
    return both(*parts) if parts else ALL


@cached_within_source
def _found(pattern: str) -> Language:
    try:
        return language_of(pattern)
    except PatternError as error:
        raise PatternError(f"the pattern {pattern!r} has {error}") from error


@cache
def _of_format(name: str) -> Language:
    if name not in ALL_PATTERNS:
        raise PatternError(f"the format {name!r} is not a regular language")
    found = language_of(ALL_PATTERNS[name])
    return both(found, repeated(ANY_LETTER, 0, LENGTHS[name])) if name in LENGTHS else found
