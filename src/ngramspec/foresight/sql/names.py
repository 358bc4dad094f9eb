"""Which table or column of a prompt comes next in a statement?"""

from itertools import product

from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.sql.question import Question
from ngramspec.foresight.sql.statement import Statement, bare
from ngramspec.foresight.sql.tables import Column, Table, Tables, stems

_SURELY = 0.9
"""A name of whose words the question has so much is meant."""

_NEAR = 4
"""Columns that are selected together stand so many words from one another in the question."""


class Names:
    """Chooses among the names of one prompt by where its question mentions them."""

    def __init__(self, tables: Tables, question: Question) -> None:
        self._tables, self._question = tables, question

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
        best, most, evidence = None, (False, -1.0, 0), Evidence.UNMENTIONED
        for source in at.sources if named is None else [named]:
            for column in source.table.columns:
                text = f"{at.undefined or source.prefix}.{column.name}" if is_prefixed else column.name
                if not _begins(text, at) or column.name.lower() in said:
                    continue
                mention = self._tables.mention(column.name)
                is_fit = clause == "where" and self._question.has_text == column.is_text
                worth = is_fit, mention.share, -abs(mention.first) if clause == "select" else mention.last
                if worth > most:
                    best, most = text, worth
                    evidence = Evidence.COLUMN if at.begun or mention.share > _SURELY else Evidence.UNMENTIONED
        return None if best is None else Piece(best, evidence)

    def key(self, at: Statement) -> Piece | None:
        """The column on one side of what joins the last table to one before it."""
        if not at.query.sources:
            return None
        *earlier, last = at.query.sources
        best, most = None, 0.0
        for source in earlier:
            for left, right in product(source.table.columns, last.table.columns):
                likeness = _likeness(source.table, left, last.table, right)
                if likeness > most:
                    best, most = ((source, left), (last, right)), likeness
        if best is None:
            return None
        side, column = best[at.num_since("on") >= len(("a", ".", "b"))]
        text = column.name if at.last() == "." else f"{side.prefix}.{column.name}"
        return Piece(text, Evidence.KEY) if _begins(text, at) else None

    def selects_more(self, at: Statement) -> bool:
        """Whether a column that was not selected is mentioned close behind the last one."""
        said = at.query.said("select")
        here = self._tables.mention(at.last()).first
        for source in at.sources:
            for column in source.table.columns:
                share, first, _ = self._tables.mention(column.name)
                if share > _SURELY and here < first <= here + _NEAR and column.name.lower() not in said:
                    return True
        return False


def _begins(name: str, at: Statement) -> bool:
    return name.lower().startswith(at.begun.lower())


def _shares_column(one: Table | None, other: Table) -> bool:
    return one is not None and any(one.column(column.name) for column in other.columns)


def _likeness(one: Table, left: Column, other: Table, right: Column) -> float:
    """How likely columns of two tables are to say the same: 0.0 to 1.0, and more where they have one name."""
    if left.name.lower() == right.name.lower():
        return 2.0 if left.name.lower().endswith("id") else 1.5
    words, others = set(stems(left.name)), set(stems(right.name))
    shared = words & others | words & set(stems(other.name)) | others & set(stems(one.name))
    return len(shared) / len(words | others) if words and others else 0.0
