"""The tables that a prompt declares, and the positions at which its question mentions their names."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ngramspec.foresight.prompt_values import WORDS

_MOST_PROMPT, _MOST_QUESTION = 50_000, 1500
"""Characters of a prompt, and of its question, that are read, from the end."""

_NAME = r'(?:[\w"`\[\]]+\.)?["`\[]?(\w+)["`\]]?'
_DECLARED = re.compile(
    rf"(?im)\bCREATE TABLE (?:IF NOT EXISTS )?{_NAME}\s*(?=\()"
    rf"|^[^\w\n]*(?:table )?{_NAME} ?(?=\(\w+(?:, ?\w+)*\)[^\w\n]*$)"  # on a line of its own: singer(id, name)
)
_NO_COLUMN = frozenset(["primary", "foreign", "constraint", "unique", "key", "check", "index"])
_NO_TEXT = re.compile(r"(?i)int|num|real|float|double|dec|serial|bool|bit")
_ENDING = re.compile(r"(?<=\w{3})(?:ies|es|ed|ing|y|e)$|(?<=\w\w)s$")
_ASKING = frozenset(["return", "show", "list", "give", "find", "what", "which"])
_FAR = 1000


class Column(NamedTuple):
    """A column; is_text: its values are quoted."""

    name: str
    is_text: bool


@dataclass(frozen=True)
class Table:
    """A table, and its columns in the order of declaration."""

    name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """The column `name`, case-insensitively."""
        return self.by_name.get(name.lower())

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names in lower case."""
        return {column.name.lower(): column for column in self.columns}


class Mention(NamedTuple):
    """A question's mention of a name: the share of its words found, 0.0 to 1.0, and the positions of the surest ones.

    first: in words, counted from where the question says what it wants; negative before that, and if the name is not
    mentioned. last: position of the last mention, -1 if there is none.
    """

    share: float
    first: int
    last: int


class Tables:
    """The tables that a prompt declares, in order; and its question, which is the rest."""

    def __init__(self, prompt: str) -> None:
        prompt = prompt[-_MOST_PROMPT:]
        found: dict[str, Table] = {}
        rest, end = [], 0
        for match in _DECLARED.finditer(prompt):
            if match.start() < end:
                continue
            close = _closing(prompt, match.end())
            columns = _columns(prompt[match.end() + 1 : close])
            if columns:
                name = match[1] or match[2]
                found[name.lower()] = Table(name, columns)
                rest.append(prompt[end : match.start()])
                end = close + 1
        self._by_name = found
        self.all = tuple(found.values())
        self.question = ("".join(rest) + prompt[end:])[-_MOST_QUESTION:]
        self._mentions: dict[str, Mention] = {}
        self._stems: dict[str, tuple[str, ...]] = {}

    def named(self, name: str) -> Table | None:
        """The table `name`, case-insensitively."""
        return self._by_name.get(name.lower())

    def column(self, name: str) -> Column | None:
        """The first column `name` of any table, case-insensitively."""
        return self._columns_by_name.get(name.lower())

    @cached_property
    def _columns_by_name(self) -> dict[str, Column]:
        return {name: column for table in reversed(self.all) for name, column in table.by_name.items()}

    @cached_property
    def mentioned(self) -> list[tuple[Table, Column]]:
        """The columns of which the question contains at least one word."""
        every = ((table, column) for table in self.all for column in table.columns)
        return [(table, column) for table, column in every if self.mention(column.name).share > 0]

    def mention(self, name: str) -> Mention:
        """Where the question mentions `name`. A word that many names share says little about each."""
        found = self._mentions.get(name)
        if found is None:
            weights = {word: 1 / max(1, self._uses[word]) for word in self.stems(name)}
            in_question = {word: weight for word, weight in weights.items() if word in self._positions}
            surest = self._positions[max(in_question, key=lambda word: in_question[word])] if in_question else [-1]
            first = next((position for position in surest if position >= self._question_start), surest[0] - _FAR)
            share = sum(in_question.values()) / sum(weights.values()) if in_question else 0.0
            found = self._mentions[name] = Mention(share, first, surest[-1])
        return found

    def stems(self, name: str) -> tuple[str, ...]:
        """The words of a name, once each, without their endings."""
        found = self._stems.get(name)
        if found is None:
            found = self._stems[name] = tuple(dict.fromkeys(_stem(word) for word in WORDS.findall(name)))
        return found

    @cached_property
    def _words(self) -> list[str]:
        """The words of the question."""
        return WORDS.findall(self.question)

    @cached_property
    def _question_start(self) -> int:
        return max((position for position, word in enumerate(self._words) if word.lower() in _ASKING), default=0)

    @cached_property
    def _uses(self) -> Counter[str]:
        names = {table.name for table in self.all} | {column.name for table in self.all for column in table.columns}
        return Counter(word for name in names for word in self.stems(name))

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for position, word in enumerate(self._words):
            found.setdefault(_stem(word), []).append(position)
        return found


def _stem(word: str) -> str:
    return _ENDING.sub("", word.lower())


def _closing(text: str, start: int) -> int:
    """The position of the bracket that closes the one at `start`, or the end of the text."""
    depth = 0
    for match in re.finditer(r"[()]", text[start:]):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return start + match.start()
    return len(text)


def _columns(body: str) -> tuple[Column, ...]:
    """The columns between the brackets of a declaration."""
    found = []
    for entry in re.sub(r"\([^()]*\)", "", re.sub(r"--.*", "", body)).split(","):
        words = entry.split()
        name = words[0].strip('"`[]') if words else ""
        if re.fullmatch(r"\w+", name) and name.lower() not in _NO_COLUMN:
            found.append(Column(name, len(words) > 1 and not _NO_TEXT.match(words[1])))
    return tuple(found)
