"""Values found in a prompt: after their names, or by their form."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

from ngramspec.foresight.evidence import CAPITAL, KEYED, QUOTED, TYPED, Piece
from ngramspec.foresight.question import question, without_schemas

_MOST_PROMPT = 50_000
"""Characters at the end of a prompt that are searched."""

_MOST_NAME, _MOST_WORDS = 64, 8
"""Longest name that is searched for, in characters and in words."""

_MOST_VALUE = 200
"""A value begins within this many characters after its name."""

_MOST_NAMED = 256
"""Most positions at which a name is tried, from the end of the prompt on."""

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
"""The words of a name, in any naming style."""

NUMBERS = frozenset(["number", "integer"])
STRINGS = frozenset(["string"])

_BETWEEN_WORDS = (" ", "_", "-")
_LED = re.compile(r"(?i)[\"'`*]{0,3} ?(?:([:=])|is|of|to)[ \t]{0,3}")
"""Matches what links a name to its value."""

_NUMBER = re.compile(r"(?<![\w.])(-?(?!0\d)\d+(?:,\d{3})*(?:\.\d+)?)( ?(?:%|percent\b))?")
_IN_QUOTES = re.compile(r"""(?<!\w)(?:'([^'\n]{1,200})'|"([^"\n]{1,200})"|“([^”\n]{1,200})”|`([^`\n]{1,200})`)(?!\w)""")
_CAPITALS = re.compile(r"\b[A-Z][\w.&-]*(?:[ ,]{1,2}(?:(?:of|the|and|de)\s)?[A-Z][\w.&-]*)*")
_JSON = "JSON"
"""A word in capitals that prompts contain, and that is not a name."""

_LINE = re.compile(r"[^\s\"'{}\[\]<>,;|][^\n\"{}\[\]<>,;|]{0,79}")

_ENCODER = json.JSONEncoder(ensure_ascii=False)

Form = Literal["number", "integer", "quoted", "capital"]


class PromptValues:
    """Values in one prompt, as written in JSON. Types are those of JSON.

    text: the prompt's end. tail: the question at its end, without schemas.
    """

    def __init__(self, text: str) -> None:
        self.text = text[-_MOST_PROMPT:]
        self._told = without_schemas(self.text)  # in schemas names have types, not values
        self._in_small = _in_small(self._told)
        self.tail = question(self._told)
        self._written: dict[Form, list[str]] = {}
        self._keyed: dict[tuple[str, frozenset[str]], Piece | None] = {}

    def keyed(self, name: str, types: frozenset[str]) -> Piece | None:
        """The value after the last occurrence of the name, or of its words."""
        key = name, types
        if key not in self._keyed:
            self._keyed[key] = self._look_after(name, types)
        return self._keyed[key]

    def _look_after(self, name: str, types: frozenset[str]) -> Piece | None:
        words = [word.lower() for word in WORDS.findall(name)]
        if not words or len(words) > _MOST_WORDS or len(name) > _MOST_NAME:
            return None
        for end in islice(self._ends_of(words), _MOST_NAMED):
            match = _LED.match(self._told, end)
            if match is None:
                continue
            value = _value_in(self._told[match.end() : match.end() + _MOST_VALUE], types, is_line=bool(match[1]))
            if value is not None:
                return Piece(value, KEYED)
        return None

    def _ends_of(self, words: list[str]) -> Iterator[int]:
        """Where a name of `words` ends, in any case and with at most one sign between two words; the last one first.

        Not by a regex: each name would have to be compiled, and few are needed twice.
        """
        text, first = self._in_small, words[0]
        start = len(text)
        while (start := text.rfind(first, 0, start + len(first) - 1)) >= 0:
            if is_word(text[start - 1 : start]):
                continue
            end = start + len(first)
            for word in words[1:]:
                end += text[end : end + 1] in _BETWEEN_WORDS
                if not text.startswith(word, end):
                    break
                end += len(word)
            else:
                yield end

    def written(self, form: Form) -> list[str]:
        """The values in the question that have this form, in order. A number may be a share: 5 % is 0.05."""
        found = self._written.get(form)
        if found is None:
            found = self._written[form] = list(dict.fromkeys(self._read(form)))
        return found

    def _read(self, form: Form) -> Iterator[str]:
        tail = self.tail
        if form in ("number", "integer"):
            return (_number(match, is_share=form == "number") for match in _NUMBER.finditer(tail))
        if form == "quoted":
            return (written(next(filter(None, match.groups()))) for match in _IN_QUOTES.finditer(tail))
        return (written(match[0].rstrip(".")) for match in _CAPITALS.finditer(tail) if _is_named(tail, match))

    def plain(self, name: str, begun: str, *, is_text: bool) -> Piece | None:
        """The value of `name` that begins with `begun`, as written in the prompt; is_text: a quoted string."""
        for found in self._candidates(name, is_text=is_text):
            text = json.loads(found.text) if is_text else found.text
            if text.startswith(begun) and text != begun:
                return Piece(text, found.evidence)
        return None

    def _candidates(self, name: str, *, is_text: bool) -> Iterator[Piece]:
        """Candidate values, the surest first."""
        keyed = self.keyed(name, STRINGS if is_text else NUMBERS)
        if keyed is not None:
            yield keyed
        if not is_text:
            yield from (Piece(text, TYPED) for text in self.written("integer"))
            return
        yield from (Piece(text, QUOTED) for text in self.written("quoted"))
        yield from (Piece(text, CAPITAL) for text in self.written("capital"))


def written(value: Any) -> str:
    """A value as JSON, on one line."""
    return _ENCODER.encode(value)


def is_word(character: str) -> bool:
    """Whether it is part of a word: a letter, a digit or an underscore; "" is not."""
    return character.isalnum() or character == "_"


def _in_small(text: str) -> str:
    """`text` in lower case, with its length unchanged: İ becomes a single i."""
    small = text.lower()
    return small if len(small) == len(text) else "".join([each.lower()[0] for each in text])


def _number(match: re.Match[str], *, is_share: bool) -> str:
    """A number as JSON; is_share: a percentage is written as a share of one."""
    text = match[1].replace(",", "")
    return f"{float(text) / 100:g}" if match[2] and is_share else text


def _value_in(text: str, types: frozenset[str], *, is_line: bool) -> str | None:
    """The value that `text` begins with, as JSON; is_line: a string need not be quoted."""
    if "string" in types:
        quoted = _IN_QUOTES.match(text)
        if quoted:
            return written(next(filter(None, quoted.groups())))
    number = _NUMBER.match(text) if types & NUMBERS else None
    if number:
        return _number(number, is_share="integer" not in types)
    line = _LINE.match(text) if "string" in types and is_line else None
    return None if line is None else written(line[0].strip())


def _is_named(text: str, match: re.Match[str]) -> bool:
    """Whether words are capitalised like a name; not at the start of a sentence, nor as in "JSON"."""
    before = text[: match.start()].rstrip(" \"'(")
    if _JSON in match[0]:
        return False
    return " " in match[0] or (bool(before) and before[-1] not in ".?!:\n]>-")
