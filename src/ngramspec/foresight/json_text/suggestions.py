"""Choice among suggested values: those that the question contains, the default, the first example."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ngramspec.foresight.json_text.descriptions import Descriptions, description, spellings, suggested
from ngramspec.foresight.json_text.shapes import Shape, types_of
from ngramspec.foresight.prompt_values import is_word

_DATE = re.compile(r"(?i)yyyy-mm-dd([ t]+hh)?")


_MOST_KEPT = 1024
"""Most suggestions that are kept for a schema."""


class Suggestion(NamedTuple):
    """Values as written in JSON.

    mentioned: those that the question contains, the last one first. first: the default, or else the first example. all:
    with those that the description names. is_pair: a value has a comma. is_date: a value is or begins with an ISO date;
    is_time: a time follows the date.
    """

    mentioned: tuple[str, ...]
    first: str | None
    all: tuple[str, ...]
    is_pair: bool
    is_date: bool
    is_time: bool


class Suggestions:
    """The values that schemas suggest, for one question."""

    def __init__(self, question: str, suggesting: "SchemaSuggestions") -> None:
        """question: in lower case. suggesting: of the schema."""
        self._question, self._suggesting = question, suggesting
        self._known: dict[tuple[int, ...], Suggestion] = {}

    def of(self, shapes: Sequence[Shape]) -> Suggestion:
        """The values that `shapes` suggest. The row's text keeps `shapes` alive."""
        key = tuple(map(id, shapes))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._with_mentioned(self._suggesting.of(key, shapes))
        return found

    def _with_mentioned(self, suggestion: Suggestion) -> Suggestion:
        positions = {text: self._position(text.strip('"').lower()) for text in suggestion.all}
        mentioned = [text for text, position in positions.items() if position >= 0]
        if not mentioned:
            return suggestion
        return suggestion._replace(mentioned=tuple(sorted(mentioned, key=lambda text: -positions[text])))

    def _position(self, text: str) -> int:
        """Last position of `text` in the question, as whole words; -1 if it is not there."""
        if len(text) < 2:
            return -1
        start = len(self._question)
        while (start := self._question.rfind(text, 0, start + len(text) - 1)) >= 0:
            end = start + len(text)
            if not is_word(self._question[start - 1 : start]) and not is_word(self._question[end : end + 1]):
                break
        return start


class SchemaSuggestions:
    """The values that the shapes of one schema suggest for any question: `mentioned` is empty."""

    def __init__(self) -> None:
        self._descriptions = Descriptions()
        self._known: dict[tuple[int, ...], Suggestion] = {}

    def of(self, key: tuple[int, ...], shapes: Sequence[Shape]) -> Suggestion:
        """key: of `shapes`, which live as long as this."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) == _MOST_KEPT:
                self._known.clear()
            found = self._known[key] = self._look(shapes)
        return found

    def _look(self, shapes: Sequence[Shape]) -> Suggestion:
        given: dict[str, None] = {}
        named: dict[str, None] = {}
        is_pair = is_date = is_time = False
        for shape in shapes:
            types, about = frozenset(types_of(shape)), suggested(shape, self._descriptions)
            default = () if about.default is None else (about.default,)
            given |= dict.fromkeys(text for value in (*default, *about.examples) for text in spellings(value, types))
            named |= dict.fromkeys(text for value in about.named for text in spellings(value, types))
            is_pair |= about.is_pair
            date, form = _DATE.search(description(shape)), shape.get("format")
            is_date |= date is not None or form in ("date", "date-time")
            is_time |= (date is not None and date[1] is not None) or form == "date-time"
        return Suggestion((), next(iter(given), None), tuple(given | named), is_pair, is_date, is_time)
