"""Values that a schema suggests without listing all: its default, its examples, values named in a description."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ngramspec.foresight.json_text.shapes import Shape
from ngramspec.foresight.prompt_values import written

_MOST_DESCRIBED, _MOST_VALUES = 1000, 32
"""Characters of a description that are read, and values of a shape that are kept; from the start."""

_QUOTED = r"""'[^'\n]{1,60}'|"[^"\n]{1,60}"|“[^”\n]{1,60}”|`[^`\n]{1,60}`"""
_IN_QUOTES = re.compile(rf"(?<!\w)(?:{_QUOTED})(?!\w)")
_DEFAULT = re.compile(rf"(?i:\bdefaults?(?: value| size)?\b)(?: is| to| are)?\s?[:=-]?\s?({_QUOTED}|[^\s,;()]+)")
_LED = re.compile(
    r"(?i:\be\.g\.|\bex:|\bsuch as\b|\bfor (?:example|instance)\b|\bexamples?:|\boptions?(?: are|:)|\bvalues?(?: are|:)"
    r"|\bone of\b|\bcan be\b|\beither\b|\blike\b|\bincluding\b)[,:]? ?([^();\n]{1,200})"
)
_IN_BRACKETS = re.compile(r"\(([^()]{3,200}(?:,|\bor\b)[^()]{1,200})\)")
_BETWEEN = re.compile(r"\s*(?:,\s*(?:or|and)\b|,|/|\bor\b|\band\b)\s*")
_SENTENCE_END = re.compile(r"\.(?:\s|$)")
_PAIR = re.compile(r"[A-Z][\w.' -]{1,30}, [A-Z][\w.]{1,20}")
_MOST_WORDS = 3


class ShapeSuggestions(NamedTuple):
    """default, examples: of the schema. named: values that its description names."""

    default: Any = None
    examples: tuple[Any, ...] = ()
    named: tuple[str, ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether an example is two names with a comma between: a city and its state."""
        return any(isinstance(value, str) and _PAIR.fullmatch(value) for value in (*self.examples, *self.named))


class Descriptions:
    """Values named in the descriptions of one schema. Each is read once, and nothing is shared with other schemas."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str | None, tuple[str, ...]]] = {}

    def named_in(self, text: str) -> tuple[str | None, tuple[str, ...]]:
        """The default that a description names, and the other values."""
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = _named_in(text)
        return found


def suggested(shape: Shape, descriptions: Descriptions) -> ShapeSuggestions:
    """The values that `shape` suggests. Those from a description are strings, even if they look like numbers."""
    default, named = descriptions.named_in(description(shape))
    listed = shape.get("examples")
    examples = (*(listed[:_MOST_VALUES] if isinstance(listed, list) else ()), shape.get("example"))
    given = shape.get("default")
    return ShapeSuggestions(given if _is_plain(given) else default, tuple(filter(_is_plain, examples)), named)


def description(shape: Shape) -> str:
    """The beginning of the shape's description; empty if it has none."""
    text = shape.get("description")
    return text[:_MOST_DESCRIBED] if isinstance(text, str) else ""


def spellings(value: Any, types: frozenset[str]) -> Iterator[str]:
    """`value` as written in JSON, if it can be of one of `types`; else nothing."""
    if isinstance(value, str):
        if "string" in types:
            yield written(value)
        elif _is_literal(value, types):
            yield value.lower()
    elif isinstance(value, bool):
        if "boolean" in types:
            yield written(value)
    elif types & {"number", "integer"}:
        yield written(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_literal(text: str, types: frozenset[str]) -> bool:
    try:
        value = json.loads(text.lower())
    except ValueError:
        return False
    if isinstance(value, bool):
        return "boolean" in types
    return isinstance(value, int | float) and bool(types & {"number", "integer"})


def _named_in(text: str) -> tuple[str | None, tuple[str, ...]]:
    default = _DEFAULT.search(text)
    named = tuple(dict.fromkeys(filter(None, _named(text))))[:_MOST_VALUES]
    return (None if default is None else _bare(default[1]) or None), named


def _named(text: str) -> Iterator[str]:
    for quoted in _IN_QUOTES.finditer(text):
        yield _bare(quoted[0])
    for led in (*_LED.finditer(text), *_IN_BRACKETS.finditer(text)):
        clause = _SENTENCE_END.split(led[1])[0]
        yield from (_bare(pair[0]) for pair in _PAIR.finditer(clause))
        for item in _BETWEEN.split(_PAIR.sub(",", clause)):
            if len(item.split()) <= _MOST_WORDS:
                yield _bare(item)


def _bare(text: str) -> str:
    return text.strip(" '\"“”`").rstrip(".").removesuffix(" etc")
