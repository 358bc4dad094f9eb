"""Guesses at the value of a name: values that the schema suggests, and values in the prompt."""

import re
from collections.abc import Iterable, Sequence

from ngramspec.foresight.evidence import CAPITAL, QUOTED, SURE, TYPED, Evidence, Piece
from ngramspec.foresight.json_text.cursor import Cursor
from ngramspec.foresight.json_text.dates import dates
from ngramspec.foresight.json_text.evidence import (
    BEGUN,
    BLANK,
    BOUNDARY,
    COUNTED,
    DATE,
    DEFAULT,
    EXAMPLE,
    SUGGESTED,
    UNKNOWN,
    JsonEvidence,
)
from ngramspec.foresight.json_text.listed_values import ListedValues
from ngramspec.foresight.json_text.shapes import Shape
from ngramspec.foresight.json_text.suggestions import SchemaSuggestions, Suggestion, Suggestions
from ngramspec.foresight.prompt_values import NUMBERS, STRINGS, PromptValues

_MOST_CONTENT = 40
"""Last characters of a long value by which it is searched for in the prompt."""

_NUMBERED = re.compile(r'("[^"\\]*?[^"\\0-9])(\d{1,9})"')
_PATTERN = re.compile(r"\^([\w-]+)(?:\\d|\[0-9\])")
_YEAR = re.compile(r"[0-9]{4}")
_NUMBERS_OR_STRINGS, _BOOLEAN = NUMBERS | STRINGS, frozenset(["boolean"])


class Values:
    """Guesses at values, for one prompt."""

    def __init__(self, prompt: str, suggesting: SchemaSuggestions | None = None) -> None:
        """suggesting: of the schema, if it is remembered."""
        self._prompt = PromptValues(prompt)
        in_small = self._prompt.tail.lower()
        self._suggestions = Suggestions(in_small, suggesting or SchemaSuggestions())
        self._listed = ListedValues(in_small)
        self._dates: dict[str, list[str]] = {}
        self._said: tuple[object, frozenset[str]] = None, frozenset()
        self._unlike: tuple[object, object, str] = None, None, ""
        self._found = "", len(self._prompt.text)

    def guess(self, cursor: Cursor) -> Piece | None:
        """The likeliest value at `cursor`; None if there is none."""
        listed = self._listed.guess(cursor)
        if listed is not None:
            return listed
        return self._likeliest(cursor, cursor.state.expected.types)

    def completion(self, cursor: Cursor) -> Piece | None:
        """A string that begins like the one at `cursor`, which is not empty."""
        state, content = cursor.state, cursor.content
        said, shapes, unlike = self._unlike
        if said is cursor.written_values and shapes is state.shapes and unlike and content.startswith(unlike):
            return None  # if nothing began like this, nothing begins like a longer text
        begun, listed = f'"{content}', state.expected.listed
        fitting = [text for text in listed if text.startswith(begun)] if listed else []
        if fitting:
            return Piece(fitting[0], SURE if len(fitting) == 1 else DEFAULT)
        found = self._likeliest(cursor, STRINGS, begun)
        if found is None and not self._suggestions.of(state.shapes).is_date:  # dates depend on the begun year
            self._unlike = cursor.written_values, state.shapes, content
        return found

    def end_of(self, content: str) -> JsonEvidence:
        """The evidence that a value ends after `content`."""
        content = content[-_MOST_CONTENT:]  # otherwise a long value would be searched for repeatedly
        text = self._prompt.text
        begun, last = self._found
        if not content.startswith(begun):
            last = len(text)
        start = text.rfind(content, 0, last + len(content)) if last >= 0 else -1  # not after where it began
        self._found = content, start
        if not content or start < 0:
            return UNKNOWN
        following = text[start + len(content) : start + len(content) + 1]
        if following.isalnum():
            return UNKNOWN
        return BLANK if following == " " else BOUNDARY

    def _likeliest(self, cursor: Cursor, types: frozenset[str], begun: str = "") -> Piece | None:
        """The surest value of these types whose JSON begins with `begun`; None if there is none."""
        name, shapes = cursor.state.name, cursor.state.shapes
        keyed = None if name is None else self._prompt.keyed(name, types)
        if keyed is not None and keyed.text.startswith(begun):
            return keyed
        suggestion = self._suggestions.of(shapes)
        found = self._new(suggestion.mentioned, SUGGESTED, begun, cursor)
        is_number = not NUMBERS.isdisjoint(types)
        if found is None and is_number:
            found = self._new(self._prompt.written("integer" if "integer" in types else "number"), TYPED, begun, cursor)
        if found is None and "string" in types and not (is_number and types <= _NUMBERS_OR_STRINGS):
            found = self._text(cursor, shapes, suggestion, begun)
        if found is not None:
            return found
        if begun:
            return next((Piece(text, BEGUN) for text in suggestion.all if text.startswith(begun)), None)
        if types == _BOOLEAN:
            return Piece("true", DEFAULT)
        return None if suggestion.first is None else Piece(suggestion.first, EXAMPLE)

    def _text(self, cursor: Cursor, shapes: Sequence[Shape], suggestion: Suggestion, begun: str) -> Piece | None:
        """The surest string that begins with `begun`; None if there is none."""
        counted = _counted(cursor, shapes)
        if counted is not None and counted.startswith(begun):
            return Piece(counted, COUNTED)
        if suggestion.is_date:
            return self._new(self._dates_in(begun[1:5], suggestion), DATE, begun, cursor)
        capitals = self._prompt.written("capital")
        if suggestion.is_pair:  # if the prompt has only one half, the other follows
            capitals = [text if "," in text else f"{text[:-1]}," for text in capitals]
        quoted = self._new(self._prompt.written("quoted"), QUOTED, begun, cursor)
        return self._new(capitals, CAPITAL, begun, cursor) if quoted is None else quoted

    def _dates_in(self, year: str, suggestion: Suggestion) -> list[str]:
        """The dates at the prompt's end, as written in JSON, without the closing quote if a time follows."""
        year = year if _YEAR.fullmatch(year) else ""
        found = self._dates.get(year)
        if found is None:
            found = self._dates[year] = dates(self._prompt.tail, year or None)
        return [f'"{date}' if suggestion.is_time else f'"{date}"' for date in found]

    def _new(self, texts: Iterable[str], evidence: Evidence | JsonEvidence, begun: str, cursor: Cursor) -> Piece | None:
        """The first of `texts` that continues `begun` and was not used yet."""
        for text in texts:
            if text.startswith(begun) and text != begun and not self._was_said(text, cursor):
                return Piece(text, evidence)
        return None

    def _was_said(self, text: str, cursor: Cursor) -> bool:
        if text[0] == '"' and text[-1] != '"':  # how it continues is unknown
            return any(said.startswith(text) for _, said in cursor.written_values)
        if self._said[0] is not cursor.written_values:
            self._said = cursor.written_values, frozenset([said for _, said in cursor.written_values])
        return text in self._said[1]


def _counted(cursor: Cursor, shapes: Sequence[Shape]) -> str | None:
    """The previous value of the name at `cursor` with the next number; or the first, if a pattern ends with one."""
    name = cursor.state.name
    earlier = next((text for said, text in reversed(cursor.written_values) if said == name), None)
    if earlier is not None:
        found = _NUMBERED.fullmatch(earlier)
        return None if found is None else f'{found[1]}{int(found[2]) + 1}"'
    for shape in shapes:
        found = _PATTERN.match(str(shape.get("pattern", "")))
        if found is not None:
            return f'"{found[1]}1"'
    return None
