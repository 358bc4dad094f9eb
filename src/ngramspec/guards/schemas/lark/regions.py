"""The names of an object: the declared ones, and regions of all others; values in one region have one goal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ngramspec.guards.schemas.lark import leaves
from ngramspec.guards.schemas.lark.context import Context, TooLargeError
from ngramspec.guards.schemas.lark.grammar import Rule, Token
from ngramspec.guards.schemas.lark.shapes import ANYTHING, Goal, Members, Names, Shape, Test, Texts

MAX_REGIONS = 200
"""Most regions of names."""

Part = str | Goal
"""What divides names into regions: a pattern, or a goal."""


@dataclass(frozen=True, slots=True)
class Region:
    """A set of other names. goal: of their values. meets: the demands on some member that they can meet."""

    name: Rule
    goal: Goal
    meets: frozenset[int]


def declared_names(shape: Members, context: Context) -> Iterator[str]:
    """The names with positions of their own: first those with rules, in order, then other listed ones."""
    names = [names for names, _ in shape.rules]
    found = dict.fromkeys(name for some in names if not some.is_others for name in sorted(some.listed))
    found |= dict.fromkeys(shape.required)
    for option in chain.from_iterable(shape.clauses):
        found |= dict.fromkeys((*option.required, *(names.only for names, _ in option.rules if names.only is not None)))
    more = [*names, *(names for names, _ in sorted(shape.some, key=repr))]
    found |= dict.fromkeys(name for some in more for name in sorted(some.listed))
    for goal in (goal for some in more for goal in some.goals):
        texts = [text for text in context.ways.of(goal, "string") if isinstance(text, Texts)]
        if all(text.values is not None for text in texts):
            found |= dict.fromkeys(name for text in texts for name in text.values or ())
    return iter(found)


def is_in(names: Names, name: str, context: Context) -> bool:
    """Whether a declared name is in the set."""
    parts: list[Part] = [*names.patterns, *names.goals]
    return (name in names.listed or any(_has(part, name, context) for part in parts)) is not names.is_others


def _has(part: Part, name: str, context: Context) -> bool:
    if isinstance(part, str):
        return leaves.holds(Texts(passed=frozenset([("pattern", part)])), name)
    return any(leaves.holds(text, name) for text in context.ways.of(part, "string") if isinstance(text, Texts))


def regions_of(shape: Members, names: Sequence[str], context: Context) -> list[Region]:
    """The regions of undeclared names in which members are allowed; they are disjoint.

    Raises TooLargeError.
    """
    rules = [(held, goal) for held, goal in shape.rules if goal and held.only is None]
    some = sorted(shape.some, key=repr)
    parts: dict[Part, None] = {}
    for held, _ in (*rules, *some):
        parts |= dict.fromkeys((*sorted(held.patterns), *sorted(held.goals, key=sorted)))
    found: dict[tuple[Goal, frozenset[int]], list[Token]] = {}
    for piece, held_parts in _cut(list(parts), context):
        texts = piece.both(Texts(excluded=frozenset(names)))
        if texts is None:
            continue
        goal = ANYTHING.union(*(goal for held, goal in rules if _is_within(held, held_parts)))
        if context.ways.is_empty(goal) or (context.has_none(texts)):
            continue
        meets = frozenset(
            index
            for index, (held, more) in enumerate(some)
            if _is_within(held, held_parts) and not context.ways.is_empty(goal | more)
        )
        terminal = leaves.of_texts(_with_few_excluded(texts))
        if terminal is not None:
            found.setdefault((goal, meets), []).append(context.grammar.token(terminal))
    return [
        Region(context.grammar.rule((token,) for token in tokens), goal, meets)
        for (goal, meets), tokens in found.items()
    ]


def _is_within(names: Names, parts: frozenset[Part]) -> bool:
    return any(part in parts for part in (*names.patterns, *names.goals)) is not names.is_others


def _cut(parts: Sequence[Part], context: Context) -> list[tuple[Texts, frozenset[Part]]]:
    """All names, divided by each part, with the parts that hold in each piece."""
    pieces: list[tuple[Texts, frozenset[Part]]] = [(Texts(), frozenset())]
    for part in parts:
        cut: list[tuple[Texts, frozenset[Part]]] = []
        for texts, held in pieces:
            inside = _where(texts, part, True, context)
            outside = _where(texts, part, False, context) if inside else [texts]
            cut += [*((piece, held | {part}) for piece in inside), *((piece, held) for piece in outside)]
        pieces = cut
        if len(pieces) > MAX_REGIONS:
            reason = f"the patterns would divide names into more than {MAX_REGIONS} kinds"
            raise TooLargeError(reason, "use patterns that begin or end differently, so that no name fits two")
    return pieces


def _where(texts: Texts, part: Part, is_held: bool, context: Context) -> list[Texts]:
    """The pieces of `texts` where `part` holds, or does not."""
    if isinstance(part, str):
        test: frozenset[Test] = frozenset([("pattern", part)])
        ways: list[Shape] = [Texts(passed=test) if is_held else Texts(failed=test)]
    else:
        ways = context.ways.of(part if is_held else context.ways.opposite(part), "string")
    pieces = (texts.both(way) for way in ways if isinstance(way, Texts))
    left = [leaves.simplified(piece) for piece in pieces if piece is not None]
    return [piece for piece in left if piece is not None and not (_is_tight(piece) and context.has_none(piece))]


def _is_tight(texts: Texts) -> bool:
    """Whether the constraints are so many that no text may be left."""
    return bool(texts.passed) and len(texts.passed | texts.failed) > 1


def _with_few_excluded(texts: Texts) -> Texts:
    """The same without exclusions of texts that are not in it anyway."""
    rest = replace(texts, excluded=frozenset())
    return replace(texts, excluded=frozenset(name for name in texts.excluded if leaves.holds(rest, name)))
