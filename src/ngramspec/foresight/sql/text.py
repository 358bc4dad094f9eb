"""SELECT statements, under a grammar that has them, if the prompt declares tables."""

import re
from collections.abc import Iterator
from functools import cached_property

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.keyed_text import KeyedText
from ngramspec.foresight.kinds import JSON_SCHEMA, Grammar, Kind, register
from ngramspec.foresight.sql.evidence import SqlEvidence
from ngramspec.foresight.sql.statements import Statements
from ngramspec.foresight.sql.tables import Tables

_BEGINS_AS_SQL = re.compile(r"(?is)\s*(?:(?:select|with)\b.*)?")
"""Matches texts that are, or may become, a statement."""

_SELECT = re.compile(r"(?:(?<![a-z_])|\\[a-z])select(?![a-z_])")
"""Matches the keyword as a whole word in a lower-case grammar; `\\s` may precede it directly."""


class SqlText(KeyedText):
    """A `Text` of SELECT statements; without a statement or without tables, foreseen as `KeyedText`."""

    in_words = True

    @cached_property
    def _statements(self) -> Statements | None:
        tables = Tables(self._prompt_of_row())
        return Statements(tables) if tables.all else None

    def foresee(self, cursor: str) -> Iterator[Piece]:
        """See `Text`."""
        if _BEGINS_AS_SQL.fullmatch(cursor) and self._statements is not None:
            return self._statements.foresee(cursor)
        return super().foresee(cursor)


def _suits(grammar: Grammar) -> bool:
    return grammar.language != JSON_SCHEMA and _SELECT.search(grammar.text.lower()) is not None


register(Kind("SQL", _suits, lambda _, prompt: SqlText(prompt), SqlEvidence))
