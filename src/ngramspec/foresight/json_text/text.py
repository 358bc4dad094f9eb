"""JSON that fits a schema."""

import json
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ngramspec.foresight.json_text.cursor import Cursor, read, start
from ngramspec.foresight.json_text.evidence import OF_THE_SCHEMA, JsonEvidence
from ngramspec.foresight.json_text.prediction import ForeseenPieces
from ngramspec.foresight.json_text.shapes import Shapes
from ngramspec.foresight.json_text.state import At
from ngramspec.foresight.json_text.states import States
from ngramspec.foresight.json_text.style import COMPACT, PLAIN, Style
from ngramspec.foresight.json_text.suggestions import SchemaSuggestions
from ngramspec.foresight.json_text.values import Values
from ngramspec.foresight.kinds import JSON_SCHEMA, Grammar, Kind, register
from ngramspec.foresight.run import SharedSpellings, Spelling

_STYLES = {"flexible": PLAIN, "spaced": PLAIN, "compact": COMPACT}
"""Spacing of a text, by the `whitespace` of its grammar; one blank is foreseen where it is unknown."""


class JsonText:
    """A `Text` that fits a schema."""

    def __init__(self, schema: str, prompt: Callable[[], str], style: Style = PLAIN, salt: str = "") -> None:
        """schema: as JSON. prompt: returns the row's prompt; called when needed. style: the spacing as far as known.

        salt: the tenant's; nothing remembered of the schema is shared across salts.
        """
        self._states, self._suggesting, self._spelled = _remembered(schema, salt)
        self._style = style
        self._prompt = prompt

    @cached_property
    def _values(self) -> Values:
        return Values(self._prompt(), self._suggesting)

    def start(self) -> Cursor:
        """See `Text`."""
        return start(self._states, self._style)

    def read(self, cursor: Cursor, text: str) -> Cursor:
        """See `Text`."""
        return read(cursor, text, self._states)

    def foresee(self, cursor: Cursor) -> ForeseenPieces:
        """See `Text`."""
        return ForeseenPieces(cursor, self._states, self._values)

    def spelled(self, vocabulary: Spelling) -> SharedSpellings:
        """See `Text`."""
        found = self._spelled.get(vocabulary)
        if found is None:
            found = self._spelled[vocabulary] = SharedSpellings(OF_THE_SCHEMA)
        return found

    def is_whole(self, cursor: Cursor) -> bool:
        """See `Text`."""
        return cursor.scope is None and cursor.at in (At.AFTER, At.SCALAR)


_LONG = 1 << 14
"""Schemas of more characters than this get a smaller cache, because their memory grows with their length."""


class _Remembered(NamedTuple):
    """What is remembered of a schema."""

    states: States
    suggesting: SchemaSuggestions
    spelled: WeakKeyDictionary[Spelling, SharedSpellings]


def _remembered(schema: str, salt: str) -> _Remembered:
    return (_of_short if len(schema) <= _LONG else _of_long)(schema, salt)


def _read(schema: str, salt: str) -> _Remembered:
    return _Remembered(States(Shapes(json.loads(schema))), SchemaSuggestions(), WeakKeyDictionary())


_of_short, _of_long = lru_cache(maxsize=256)(_read), lru_cache(maxsize=4)(_read)


def _begin(grammar: Grammar, prompt: Callable[[], str]) -> JsonText:
    return JsonText(grammar.text, prompt, _STYLES[grammar.whitespace], grammar.salt)


register(Kind("JSON", lambda grammar: grammar.language == JSON_SCHEMA, _begin, JsonEvidence))
