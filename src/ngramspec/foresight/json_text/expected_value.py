"""What a schema says of a value in any row: computed once for all texts of the schema."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ngramspec.foresight.json_text.shapes import ANY, Shape, fixed, types_of
from ngramspec.foresight.prompt_values import WORDS, written

_LEAST_WORD = 3
"""Shortest word of a listed value that counts, in characters."""


class ExpectedValue(NamedTuple):
    """A value of one of several shapes.

    types: those of JSON that it may have. first: the most probable one. listed: the values that the schema lists, by
    their spelling in JSON, if it lists all. words: those of each listed string, in lower case.
    """

    types: frozenset[str]
    first: str
    listed: dict[str, Any]
    words: dict[str, list[str]]


def expected(shapes: Sequence[Shape]) -> ExpectedValue:
    """A value of one of `shapes`."""
    of_each = [types_of(shape) for shape in shapes]
    likely = [each for types in of_each for each in (("string",) if types == ANY else types)]
    listed = {written(value): value for value in fixed(shapes)}
    return ExpectedValue(
        types=frozenset([each for types in of_each for each in types]),
        first=next((each for each in likely if each != "null"), "null"),
        listed=listed,
        words={value: words_of(value) for value in listed.values() if isinstance(value, str)},
    )


def words_of(text: str) -> list[str]:
    """The words of `text` that count, in lower case."""
    return [word.lower() for word in WORDS.findall(text) if len(word) >= _LEAST_WORD]
