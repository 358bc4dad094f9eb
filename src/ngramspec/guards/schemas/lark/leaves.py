"""Terminals of shapes, and queries on them: whether one matches a given text, and whether it matches any text."""

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.shapes import Numbers, Test, Texts
from ngramspec.guards.schemas.source_caches import cached_within_source
from ngramspec.guards.schemas.terminals import InexpressibleError, Terminal, numbers, strings
from ngramspec.guards.schemas.terminals.decimals import digits_of
from ngramspec.guards.schemas.terminals.probing import is_possible

if TYPE_CHECKING:
    from llguidance import LLMatcher

MAX_PLAIN = Fraction(10**21)
"""From here on a listed number is written with an exponent."""


def of_numbers(shape: Numbers) -> Iterator[Terminal]:
    """Terminals that together match the numbers of `shape`, which excludes none. Raises InexpressibleError."""
    if shape.values is not None:
        for value in sorted(shape.values):
            yield _listed(value)
        return
    found = numbers.terminal(
        is_integer=shape.whole,
        minimum=None if shape.low is None or shape.low[1] else shape.low[0],
        exclusive_minimum=shape.low[0] if shape.low is not None and shape.low[1] else None,
        maximum=None if shape.high is None or shape.high[1] else shape.high[0],
        exclusive_maximum=shape.high[0] if shape.high is not None and shape.high[1] else None,
        multiple_of=sorted(shape.steps),
        not_multiple_of=sorted(shape.between),
    )
    if found is not None:
        yield found


def _listed(value: Fraction) -> Terminal:
    """The one spelling of a listed number."""
    if value and not 1 / MAX_PLAIN < abs(value) < MAX_PLAIN:
        found = numbers.terminal(minimum=value, maximum=value)
        assert found is not None
        return found
    whole, fraction = digits_of(abs(value))
    return Terminal(f'"{"-" if value < 0 else ""}{whole}{"." if fraction else ""}{fraction}"')


def around(shape: Numbers) -> Iterator[Numbers]:
    """The ranges between the excluded numbers."""
    rest: Numbers | None = replace(shape, excluded=frozenset())
    for value in sorted(shape.excluded):
        below = None if rest is None else rest.both(Numbers(high=(value, True)))
        if below is not None:
            yield below
        rest = None if rest is None else rest.both(Numbers(low=(value, True)))
    if rest is not None:
        yield rest


@cached_within_source
def simplified(shape: Texts) -> Texts | None:
    """The same without "must fail" tests that no text of `shape` passes anyway; None if there is no text.

    Raises InexpressibleError.
    """
    passed = sorted(shape.passed)
    if any(strings.are_disjoint(*pair) for pair in combinations(passed, 2)):
        return None
    failed = (test for test in shape.failed if not any(strings.are_disjoint(test, other) for other in passed))
    return replace(shape, failed=frozenset(failed))


def of_texts(shape: Texts) -> Terminal | None:
    """The terminal of the quoted strings that `shape` allows; None for none. Raises InexpressibleError.

    Excluded strings are subtracted with their quotes: in this form llguidance sees at once that most tokens may come,
    and takes 20 µs for a mask instead of 600.
    """
    found = _of_all(replace(shape, excluded=frozenset()))
    if found is None or not shape.excluded:
        return found
    excluded = " | ".join(quoted(text).text for text in sorted(shape.excluded))
    return Terminal(f"{found} & ~({excluded})", found.helpers)


@cached_within_source
def _of_all(shape: Texts) -> Terminal | None:
    return strings.terminal(
        patterns=_named("pattern", shape.passed),
        not_patterns=_named("pattern", shape.failed),
        formats=_named("format", shape.passed),
        not_formats=_named("format", shape.failed),
        min_length=shape.least,
        max_length=shape.most,
        texts=shape.values,
    )


def _named(kind: str, tests: frozenset[Test]) -> list[str]:
    return sorted(name for found, name in tests if found == kind)


def quoted(text: str) -> Terminal:
    """The string `text`, in quotes."""
    return Terminal(json.dumps(spelled(text), ensure_ascii=False))


def spelled(text: str) -> str:
    """The one JSON spelling of a string that guards write."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def holds(shape: Texts, text: str) -> bool:
    """Whether `shape` allows `text`. Raises InexpressibleError."""
    if text in shape.excluded or len(text) < shape.least or (shape.most is not None and len(text) > shape.most):
        return False
    if shape.values is not None and text not in shape.values:
        return False
    return all(_passes(test, text) for test in shape.passed) and not any(_passes(test, text) for test in shape.failed)


def is_empty(shape: Texts) -> bool:
    """Whether `shape` allows no text at all. Raises InexpressibleError, also if llguidance gives up on it."""
    rest = _of_all(replace(shape, excluded=frozenset()))
    if rest is None or not (shape.excluded and (shape.passed or shape.failed)):
        return rest is None
    found = of_texts(shape)
    return found is None or not is_possible(found)


def _passes(test: Test, text: str) -> bool:
    matcher = _matcher(Texts(passed=frozenset([test])))
    if matcher is None:
        return False
    raw = spelled(text).encode()
    passed = matcher.try_consume_tokens(list(raw)) == len(raw) and matcher.is_accepting()
    matcher.reset()
    return passed


@cached_within_source
def _matcher(shape: Texts) -> "LLMatcher | None":
    """A byte-level matcher of the terminal alone; None if it matches nothing."""
    from llguidance import LLMatcher, LLTokenizer

    found = of_texts(shape)
    if found is None:
        return None
    lines = [f"start: T\nT: {found.text}", *(f"{name}: {text}" for name, text in found.helpers.items())]
    matcher = LLMatcher(LLTokenizer("byte", slices=[]), LLMatcher.grammar_from_lark("\n".join(lines)), log_level=0)
    if matcher.is_error():
        raise InexpressibleError(matcher.get_error().partition("\n")[0])
    return matcher
