"""Which table or column of a prompt comes next in a statement?"""

from collections.abc import Iterator
from itertools import product

from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.sql.question import Question
from ngramspec.foresight.sql.statement import ONE_SIDE, Source, Statement, bare
from ngramspec.foresight.sql.tables import Column, Table, Tables

_SURELY = 0.9
"""A name of whose words the question has so much is meant."""

_NEAR = 4
"""Columns that are selected together stand so many words from one another in the question."""

_MOST_COMPARED = 48
"""Of a table so many columns are looked at for one that joins it to another."""


class Names:
    """Chooses among the names of one prompt by where its question mentions them."""

    def __init__(self, tables: Tables, question: Question) -> None:
        self._tables, self._question = tables, question
        self._pairs: dict[tuple[str, str], tuple[Column, Column, float]] = {}

    def table(self, at: Statement) -> Piece | None:
        """The table that is read from next: one of the columns that were said, joined to the one before."""
        said = [bare(name) for names in at.query.columns.values() for name in names]
        before = at.query.sources[-1].table if at.query.sources else None
        taken = [source.table for source in at.query.sources]
        taken += at.outer_tables if self._question.is_negated else []
        best, most = None, (-1.0, 0)
        for table in self._tables.all:
            if not _begins(table.name, at) or any(table is other for other in taken):
                continue
            mention = self._tables.mention(table.name)
            holds = sum(table.column(name) is not None for name in said)
            worth = holds + mention.share + _shares_column(before, table) / 2, -abs(mention.first)
            if worth > most:
                best, most = table.name, worth
        return None if best is None else Piece(best, Evidence.TABLE)

    def column(self, at: Statement) -> Piece | None:
        """A column of the tables that are read from, with its prefix where these have some."""
        clause, is_behind_point = at.query.clause, at.last() == "."
        selected = at.query.columns.get("select")
        if clause == "group" and selected and not at.begun and not is_behind_point:
            return Piece(selected[0], Evidence.COLUMN)
        if at.sought and not at.begun:
            return Piece(at.sought.rpartition(".")[2], Evidence.COLUMN)
        is_prefixed = not is_behind_point and (at.prefixes or any(source.alias for source in at.query.sources))
        named = at.source(at.last(2)) if is_behind_point else None
        said: set[str] = set() if at.is_in_call else at.query.said(clause)
        undefined = at.undefined
        best, most, evidence = None, (False, -1.0, 0), Evidence.UNMENTIONED
        for source, column in self._columns(at, named):
            text = f"{undefined or source.prefix}.{column.name}" if is_prefixed else column.name
            if not _begins(text, at) or column.name.lower() in said:
                continue
            mention = self._tables.mention(column.name)
            is_fit = clause == "where" and self._question.has_text == column.is_text
            worth = is_fit, mention.share, -abs(mention.first) if clause == "select" else mention.last
            if worth > most:
                best, most = text, worth
                evidence = Evidence.COLUMN if at.begun or mention.share > _SURELY else Evidence.UNMENTIONED
        return None if best is None else Piece(best, evidence)

    def _columns(self, at: Statement, named: Source | None) -> Iterator[tuple[Source, Column]]:
        """Those of `named`, or of what is read from; before that is known, all that are mentioned or begin alike."""
        if named is None and not at.query.sources and not at.begun:
            yield from ((Source(table), column) for table, column in self._tables.mentioned)
            return
        for source in at.sources if named is None else [named]:
            yield from ((source, column) for column in source.table.columns)

    def key(self, at: Statement) -> Piece | None:
        """The column on one side of what joins the last table to one before it."""
        if not at.query.sources:
            return None
        *earlier, last = at.query.sources
        best, most = None, 0.0
        for source in earlier:
            left, right, likeness = self._pair(source.table, last.table)
            if likeness > most:
                best, most = ((source, left), (last, right)), likeness
        if best is None:
            return None
        side, column = best[at.num_since("on") >= ONE_SIDE]
        text = column.name if at.last() == "." else f"{side.prefix}.{column.name}"
        return Piece(text, Evidence.KEY) if _begins(text, at) else None

    def _pair(self, one: Table, other: Table) -> tuple[Column, Column, float]:
        """The columns of two tables that say the same most likely, and how likely."""
        key = one.name, other.name
        found = self._pairs.get(key)
        if found is None:
            pairs = product(one.columns[:_MOST_COMPARED], other.columns[:_MOST_COMPARED])
            rated = ((left, right, self._likeness(one, left, other, right)) for left, right in pairs)
            found = self._pairs[key] = max(rated, key=lambda pair: pair[2])
        return found

    def _likeness(self, one: Table, left: Column, other: Table, right: Column) -> float:
        """How likely columns of two tables are to say the same: 0.0 to 1.0, and more where they have one name."""
        if left.name.lower() == right.name.lower():
            return 2.0 if left.name.lower().endswith("id") else 1.5
        stems = self._tables.stems
        words, others = set(stems(left.name)), set(stems(right.name))
        shared = words & others | words & set(stems(other.name)) | others & set(stems(one.name))
        return len(shared) / len(words | others) if words and others else 0.0

    def selects_more(self, at: Statement) -> bool:
        """Whether a column that was not selected is mentioned close behind the last one."""
        said = at.query.said("select")
        here = self._tables.mention(at.last()).first
        for _, column in self._columns(at, None):
            share, first, _ = self._tables.mention(column.name)
            if share > _SURELY and here < first <= here + _NEAR and column.name.lower() not in said:
                return True
        return False


def _begins(name: str, at: Statement) -> bool:
    return name.lower().startswith(at.begun.lower())


def _shares_column(one: Table | None, other: Table) -> bool:
    return one is not None and not one.by_name.keys().isdisjoint(other.by_name)
