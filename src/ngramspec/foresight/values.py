"""Which value may a name have? What the prompt says where the name, its words, or a value of its type stand."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ngramspec.foresight.cursor import At, Cursor, Frame
from ngramspec.foresight.dates import dates
from ngramspec.foresight.described import Descriptions
from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.listed import WORDS, Listed
from ngramspec.foresight.question import question, without_schemas
from ngramspec.foresight.shapes import Shape, types, written
from ngramspec.foresight.suggestions import Suggestion, Suggestions

_MOST_PROMPT, _MOST_CONTENT = 50_000, 40
"""Of a prompt its last characters are looked at, and of a value that is looked for in it."""

_MOST_NAME, _MOST_WORDS = 64, 8
"""Names of more characters or words are not looked for."""

_NUMBERS = frozenset(["number", "integer"])

_NUMBER = re.compile(r"(?<![\w.])(-?\d+(?:,\d{3})*(?:\.\d+)?)( ?(?:%|percent\b))?")
_IN_QUOTES = re.compile(r"""(?<!\w)(?:'([^'\n]{1,200})'|"([^"\n]{1,200})"|“([^”\n]{1,200})”|`([^`\n]{1,200})`)(?!\w)""")
_CAPITALS = re.compile(r"\b[A-Z][\w.&-]*(?:[ ,]{1,2}(?:(?:of|the|and|de)\s)?[A-Z][\w.&-]*)*")
_NUMBERED = re.compile(r'("[^"\\]*?[^"\\0-9])(\d{1,9})"')
_PATTERN = re.compile(r"\^([\w-]+)(?:\\d|\[0-9\])")
_YEAR = re.compile(r"[0-9]{4}")
_JSON = "JSON"
"""What a prompt asks for, and no name."""

_LINE = re.compile(r"[^\s\"'{}\[\]<>,;|][^\n\"{}\[\]<>,;|]{0,79}")
_MOST_VALUE = 200


class Values:
    """Guesses at values from one prompt."""

    def __init__(self, prompt: str, descriptions: Descriptions | None = None) -> None:
        """descriptions: of the schema whose values are asked for, where it is known."""
        self._prompt = prompt[-_MOST_PROMPT:]
        self._told = without_schemas(self._prompt)
        self._tail = question(self._told)
        in_small = self._tail.lower()
        self._suggestions, self._listed = Suggestions(in_small, descriptions or Descriptions()), Listed(in_small)
        self._dates: dict[str, list[str]] = {}
        self._lists: dict[str, list[str]] = {}
        self._keyed_to: dict[tuple[str, frozenset[str]], Piece | None] = {}

    def guess(self, place: Cursor, shapes: tuple[Shape, ...]) -> Piece | None:
        """The value that comes at `place`, of one of `shapes`; or None."""
        listed = self._listed.guess(place, shapes)
        if listed is not None:
            return listed
        kinds = frozenset(kind for shape in shapes for kind in types(shape))
        return next(self._candidates(place, shapes, kinds), None)

    def completion(self, place: Cursor) -> Piece | None:
        """The string that begins as the one at `place` does, which is not empty."""
        begun = f'"{place.content}'
        fitting = list(islice((text for text in self._listed.values(place.shapes) if text.startswith(begun)), 2))
        if fitting:
            return Piece(fitting[0], Evidence.SURE if len(fitting) == 1 else Evidence.DEFAULT)
        return next(self._candidates(place, place.shapes, frozenset(["string"]), begun), None)

    def plain(self, name: str, begun: str, *, is_text: bool) -> Piece | None:
        """The value of `name` that begins with `begun`, as it stands in the prompt; is_text: in quotes."""
        kinds = frozenset(["string"]) if is_text else _NUMBERS
        place = Cursor(Frame(None, 1, True, (), (name,)), At.VALUE, ())
        for found in self._candidates(place, (), kinds):
            text = json.loads(found.text) if is_text else found.text
            if text.startswith(begun) and text != begun:
                return Piece(text, found.evidence)
        return None

    def end_of(self, content: str) -> Evidence:
        """What speaks for a value to end behind `content`."""
        content = content[-_MOST_CONTENT:]  # or a long value would be looked for again and again
        place = self._prompt.rfind(content)
        if not content or place < 0:
            return Evidence.UNKNOWN
        following = self._prompt[place + len(content) : place + len(content) + 1]
        if following.isalnum():
            return Evidence.UNKNOWN
        return Evidence.BLANK if following == " " else Evidence.BOUNDARY

    def _candidates(
        self, place: Cursor, shapes: Sequence[Shape], kinds: frozenset[str], begun: str = ""
    ) -> Iterator[Piece]:
        """The values of these kinds that begin as JSON has it with `begun`, the surest first."""
        name, is_number = place.name, bool(kinds & _NUMBERS)
        keyed = None if name is None else self._keyed(name, kinds)
        if keyed is not None and keyed.text.startswith(begun):
            yield keyed
        suggestion = self._suggestions.of(shapes)
        yield from _new(suggestion.asked, Evidence.SUGGESTED, begun, place)
        if is_number:
            yield from _new(self._list("integers" if "integer" in kinds else "numbers"), Evidence.TYPED, begun, place)
        if "string" in kinds and not (is_number and kinds <= _NUMBERS | {"string"}):
            yield from self._texts(place, shapes, suggestion, begun)
        if begun:
            yield from (Piece(text, Evidence.BEGUN) for text in suggestion.all if text.startswith(begun))
        elif suggestion.first is not None and kinds != {"boolean"}:
            yield Piece(suggestion.first, Evidence.EXAMPLE)
        if kinds == {"boolean"}:
            yield Piece("true", Evidence.DEFAULT)

    def _texts(self, place: Cursor, shapes: Sequence[Shape], suggestion: Suggestion, begun: str) -> Iterator[Piece]:
        """Texts that begin with `begun`, the surest first."""
        counted = _counted(place, shapes)
        if counted is not None and counted.startswith(begun):
            yield Piece(counted, Evidence.COUNTED)
        if suggestion.is_date:
            yield from _new(self._dates_in(begun[1:5], suggestion), Evidence.DATE, begun, place)
            return
        yield from _new(self._list("quoted"), Evidence.QUOTED, begun, place)
        capitals = self._list("capitals")
        if suggestion.is_pair:  # where only one half of it was said, the other one follows
            capitals = [text if "," in text else f"{text[:-1]}," for text in capitals]
        yield from _new(capitals, Evidence.CAPITAL, begun, place)

    def _dates_in(self, year: str, suggestion: Suggestion) -> list[str]:
        """The dates of the prompt's end, as JSON has them, without a quote at the end where a time follows."""
        year = year if _YEAR.fullmatch(year) else ""
        found = self._dates.get(year)
        if found is None:
            found = self._dates[year] = dates(self._tail, year or None)
        return [f'"{date}' if suggestion.is_time else f'"{date}"' for date in found]

    def _keyed(self, name: str, kinds: frozenset[str]) -> Piece | None:
        """What stands behind the name, or behind its words; of several places the last."""
        key = name, kinds
        if key not in self._keyed_to:
            self._keyed_to[key] = self._look_behind(name, kinds)
        return self._keyed_to[key]

    def _look_behind(self, name: str, kinds: frozenset[str]) -> Piece | None:
        words = WORDS.findall(name)
        if not words or len(words) > _MOST_WORDS or len(name) > _MOST_NAME:
            return None
        pattern = rf"(?i)\b{r'[ _-]?'.join(map(re.escape, words))}[\"'`*]{{0,3}} ?(?:([:=])|is|of|to)[ \t]{{0,3}}"
        for match in reversed(list(re.finditer(pattern, self._told))):
            value = _value_in(self._told[match.end() : match.end() + _MOST_VALUE], kinds, is_line=bool(match[1]))
            if value is not None:
                return Piece(value, Evidence.KEYED)
        return None

    def _list(self, kind: str) -> list[str]:
        """Texts of a kind from the prompt's end, in order, as JSON has them."""
        found = self._lists.get(kind)
        if found is None:
            tail = self._tail
            if kind in ("numbers", "integers"):
                texts = (_number(match, is_share=kind == "numbers") for match in _NUMBER.finditer(tail))
            elif kind == "quoted":
                texts = (written(next(filter(None, match.groups()))) for match in _IN_QUOTES.finditer(tail))
            else:
                texts = (written(match[0].rstrip(".")) for match in _CAPITALS.finditer(tail) if _is_named(tail, match))
            found = self._lists[kind] = list(dict.fromkeys(texts))
        return found


def _new(texts: Iterable[str], evidence: Evidence, begun: str, place: Cursor) -> Iterator[Piece]:
    """Of `texts` those that go on behind `begun` and were not said yet."""
    for text in texts:
        if text.startswith(begun) and text != begun and not _was_said(text, place):
            yield Piece(text, evidence)


def _was_said(text: str, place: Cursor) -> bool:
    if text[0] == '"' and text[-1] != '"':  # how it goes on is not known
        return any(said.text.startswith(text) for said in place.said)
    return any(said.text == text for said in place.said)


def _number(match: re.Match[str], *, is_share: bool) -> str:
    """A number as JSON has it; is_share: what is said in percent is written as a share of one."""
    text = match[1].replace(",", "")
    return f"{float(text) / 100:g}" if match[2] and is_share else text


def _value_in(text: str, kinds: frozenset[str], *, is_line: bool) -> str | None:
    """The value that `text` begins with, as JSON has it; is_line: a text need not stand in quotes."""
    if "string" in kinds:
        quoted = _IN_QUOTES.match(text)
        if quoted:
            return written(next(filter(None, quoted.groups())))
    number = _NUMBER.match(text) if kinds & _NUMBERS else None
    if number:
        return _number(number, is_share="integer" not in kinds)
    line = _LINE.match(text) if "string" in kinds and is_line else None
    return None if line is None else written(line[0].strip())


def _is_named(text: str, match: re.Match[str]) -> bool:
    """Whether words have capitals as a name has; not where a sentence begins, or where JSON is asked for."""
    before = text[: match.start()].rstrip(" \"'(")
    if _JSON in match[0]:
        return False
    return " " in match[0] or (bool(before) and before[-1] not in ".?!:\n]>-")


def _counted(place: Cursor, shapes: Sequence[Shape]) -> str | None:
    """What the name at `place` had before, with the next number; or the first one, where a pattern ends with one."""
    earlier = next((said.text for said in reversed(place.said) if said.name == place.name), None)
    if earlier is not None:
        found = _NUMBERED.fullmatch(earlier)
        return None if found is None else f'{found[1]}{int(found[2]) + 1}"'
    for shape in shapes:
        found = _PATTERN.match(str(shape.get("pattern", "")))
        if found is not None:
            return f'"{found[1]}1"'
    return None
