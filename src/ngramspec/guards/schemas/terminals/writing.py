"""Languages as the right sides of Lark terminals, over the spelling of their texts in JSON."""

from ngramspec.guards.schemas.letters import Letters, spelled, spelling
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.terminals.languages import (
    ALL,
    Complement,
    Concatenation,
    Intersection,
    Language,
    Repetition,
    Text,
    Union,
)  # fmt: skip

MAX_DEPTH = 90
MAX_SPREAD = 8
MAX_SPREAD_OUTSIDE = 2
"""Most characters that are counted from many positions at once, in a required and in a forbidden pattern."""
MAX_MULTIPLIED = 3
"""Most languages that are intersected by `&`."""
MAX_AT_ONCE = 20
"""Most languages that hold together; each may double the states. llguidance 1.9.1 handles 22."""


def regex(language: Language, depth: int = 0) -> str:
    """A regex for the spellings of a language without intersections and complements."""
    if depth > MAX_DEPTH:
        raise PatternError(f"more than {MAX_DEPTH} groups within one another")
    match language:
        case Letters():
            return spelled(language)
        case Text(value):
            return spelling(value)
        case Concatenation(parts):
            return "".join(_grouped(part, depth) if isinstance(part, Union) else regex(part, depth) for part in parts)
        case Union(options):
            return "|".join(regex(option, depth) for option in options) if options else r"[^\s\S]"
        case Repetition(part, least, most):
            inner = regex(part, depth) if isinstance(part, Letters) else _grouped(part, depth)
            return inner + _times(least, most)
    raise AssertionError(language)


def _grouped(language: Language, depth: int) -> str:
    return f"(?:{regex(language, depth + 1)})"


def _times(least: int, most: int | None) -> str:
    simple = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if simple is not None:
        return simple
    return f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"


def is_regex(language: Language) -> bool:
    """Whether it contains neither intersections nor complements."""
    match language:
        case Intersection() | Complement():
            return False
        case Concatenation(parts):
            return all(map(is_regex, parts))
        case Union(options):
            return all(map(is_regex, options))
        case Repetition(part):
            return is_regex(part)
    return True


def lark(language: Language, depth: int = 0) -> str:
    """A Lark expression for the spellings of a language, in parentheses if it has operators."""
    if depth > MAX_DEPTH:
        raise PatternError(f"more than {MAX_DEPTH} groups within one another")
    if is_regex(language):
        return f"/{regex(language, depth)}/" if language != Concatenation() else '""'
    match language:
        case Concatenation(parts):
            return f"({' '.join(_runs(parts, depth + 1))})"
        case Union(options):
            return f"({' | '.join(lark(option, depth + 1) for option in options)})"
        case Repetition(part, least, most):
            return f"({lark(part, depth + 1)}{_times(least, most)})"
        case Intersection(parts):
            return _both(parts, depth + 1)
        case Complement():
            return _both((language,), depth + 1)
    raise AssertionError(language)


def _both(parts: tuple[Language, ...], depth: int) -> str:
    """The intersection of `parts`.

    With several that are more than a length it is written as the complement of the union of their complements.
    llguidance 1.9.1 expands `&` into a union of intersections: for twelve patterns that may each begin anywhere these
    are thousands, and it gives up. A `|` below `~` is not expanded; but checking whether anything is left takes longer.
    """
    lengths = [lark(part, depth) for part in parts if isinstance(part, Repetition) and isinstance(part.part, Letters)]
    found = [lark(part, depth) for part in parts if not isinstance(part, Complement | Repetition)]
    found += [
        lark(part, depth) for part in parts if isinstance(part, Repetition) and not isinstance(part.part, Letters)
    ]
    others = [lark(part.part, depth) for part in parts if isinstance(part, Complement)]
    if len(found) > MAX_AT_ONCE:
        raise PatternError(f"more than {MAX_AT_ONCE} patterns or lookaheads that must all find a match")
    if len(parts) > 1 and any(map(_is_spread, parts)):
        raise PatternError("a count of any characters after a part that may begin anywhere, beside other conditions")
    if len(found) > MAX_MULTIPLIED:
        found = [f"~({' | '.join([f'~{part}' for part in found])})"]
    if others:
        found.append(f"~({' | '.join(others)})")
    if not lengths and len(others) == len(parts):
        lengths = [lark(ALL)]
    return f"({' & '.join([*lengths, *found])})"


def _is_spread(part: Language) -> bool:
    """Whether characters are counted from many positions at once, as in `a.{20}b`, each with a state of its own."""
    most = MAX_SPREAD_OUTSIDE if isinstance(part, Complement) else MAX_SPREAD
    pieces = part.part if isinstance(part, Complement) else part
    if not isinstance(pieces, Concatenation) or pieces.parts[:1] != (ALL,):
        return False
    return any(
        isinstance(piece, Repetition)
        and isinstance(piece.part, Letters)
        and piece.part.is_large
        and max(piece.least, piece.most or 0) > most
        for piece in pieces.parts
    )


def _runs(parts: tuple[Language, ...], depth: int) -> list[str]:
    """The parts, with adjacent regexes joined into one."""
    found: list[str] = []
    run: list[Language] = []
    for part in (*parts, None):
        if part is not None and is_regex(part):
            run.append(part)
            continue
        if run:
            found.append(lark(Concatenation(tuple(run)) if len(run) > 1 else run[0], depth))
            run = []
        if part is not None:
            found.append(lark(part, depth))
    return found
