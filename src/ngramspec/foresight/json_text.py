"""JSON that fits a schema."""

import json
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

from ngramspec.foresight.cursor import At, Cursor, read, start
from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.prediction import foresee
from ngramspec.foresight.shapes import Shapes
from ngramspec.foresight.style import PLAIN, Style
from ngramspec.foresight.values import Values


class JsonText:
    """A `Text` that fits a schema."""

    def __init__(self, schema: str, prompt: Callable[[], str], style: Style = PLAIN) -> None:
        """schema: as JSON. prompt: the row's, asked for when it is needed. style: what is known of its blanks."""
        self._shapes = _shapes(schema)
        self._style = style
        self._prompt = prompt

    @cached_property
    def _values(self) -> Values:
        return Values(self._prompt())

    def start(self) -> Cursor:
        """See `Text`."""
        return start(self._shapes, self._style)

    def read(self, place: Cursor, text: str) -> Cursor:
        """See `Text`."""
        return read(place, text, self._shapes)

    def foresee(self, place: Cursor) -> Iterator[Piece]:
        """See `Text`."""
        return foresee(place, self._shapes, self._values)

    def is_whole(self, place: Cursor) -> bool:
        """See `Text`."""
        return place.frame is None and place.at in (At.AFTER, At.SCALAR)


_LONG = 1 << 14
"""Characters of a schema of which fewer are remembered, for they take memory in proportion."""


def _shapes(schema: str) -> Shapes:
    return (_of_short if len(schema) <= _LONG else _of_long)(schema)


def _read(schema: str) -> Shapes:
    return Shapes(json.loads(schema))


_of_short, _of_long = lru_cache(maxsize=256)(_read), lru_cache(maxsize=4)(_read)
