"""Choice of the table or column that comes next in a statement."""

from collections.abc import Iterator
from itertools import product

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.sql.clauses import Relation, bare
from ngramspec.foresight.sql.evidence import COLUMN, KEY, TABLE, UNMENTIONED
from ngramspec.foresight.sql.question import Question
from ngramspec.foresight.sql.statement import ONE_SIDE, Statement
from ngramspec.foresight.sql.tables import Column, Table, Tables

_SURELY = 0.9
"""A name is meant if the question contains at least this share of its words."""

_NEAR = 4
"""Columns that are selected together are at most this many words apart in the question."""

_MOST_COMPARED = 48
"""Columns of a table that are tried for a join."""


class Names:
    """Chooses among the names of one prompt by where its question mentions them."""

    def __init__(self, tables: Tables, question: Question) -> None:
        self._tables, self._question = tables, question
        self._pairs: dict[tuple[str, str], tuple[Column, Column, float]] = {}

    def table(self, at: Statement) -> Piece | None:
        """The next table to read from: it has columns used so far, or can be joined to the one before."""
        said = [bare(name) for names in at.query.columns.values() for name in names]
        before = at.query.relations[-1].table if at.query.relations else None
        taken = [relation.table for relation in at.query.relations]
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
        return None if best is None else Piece(best, TABLE)

    def column(self, at: Statement) -> Piece | None:
        """A column of the tables that are read from, with its prefix if they have any."""
        clause, is_after_point = at.query.clause, at.last() == "."
        selected = at.query.columns.get("select")
        if clause == "group" and selected and not at.begun and not is_after_point:
            return Piece(selected[0], COLUMN)
        if at.sought and not at.begun:
            return Piece(at.sought.rpartition(".")[2], COLUMN)
        is_prefixed = not is_after_point and (at.prefixes or any(relation.alias for relation in at.query.relations))
        named = at.relation(at.last(2)) if is_after_point else None
        said: set[str] = set() if at.is_in_call else at.query.said(clause)
        undefined, begun, has_text = at.undefined, at.begun.lower(), self._question.has_text
        best, most, evidence = None, (False, -1.0, 0), UNMENTIONED
        for relation, column in self._columns(at, named):
            if said and column.name.lower() in said:
                continue
            mention = self._tables.mention(column.name)
            is_fit = clause == "where" and has_text == column.is_text
            worth = is_fit, mention.share, -abs(mention.first) if clause == "select" else mention.last
            if worth <= most:
                continue
            text = f"{undefined or relation.prefix}.{column.name}" if is_prefixed else column.name
            if begun and not text.lower().startswith(begun):
                continue
            best, most = text, worth
            evidence = COLUMN if at.begun or mention.share > _SURELY else UNMENTIONED
        return None if best is None else Piece(best, evidence)

    def _columns(self, at: Statement, named: Relation | None) -> Iterator[tuple[Relation, Column]]:
        """The columns of `named`, or of the tables read from; before these are known, all that are mentioned."""
        if named is None and not at.query.relations and not at.begun:
            yield from ((Relation(table), column) for table, column in self._tables.mentioned)
            return
        for relation in at.relations if named is None else [named]:
            yield from ((relation, column) for column in relation.table.columns)

    def key(self, at: Statement) -> Piece | None:
        """The column on one side of the join condition between the last table and an earlier one."""
        if not at.query.relations:
            return None
        *earlier, last = at.query.relations
        best, most = None, 0.0
        for relation in earlier:
            left, right, likeness = self._pair(relation.table, last.table)
            if likeness > most:
                best, most = ((relation, left), (last, right)), likeness
        if best is None:
            return None
        side, column = best[at.num_since("on") >= ONE_SIDE]
        text = column.name if at.last() == "." else f"{side.prefix}.{column.name}"
        return Piece(text, KEY) if _begins(text, at) else None

    def _pair(self, one: Table, other: Table) -> tuple[Column, Column, float]:
        """The two columns, one of each table, that most likely match, and how likely."""
        key = one.name, other.name
        found = self._pairs.get(key)
        if found is None:
            pairs = product(one.columns[:_MOST_COMPARED], other.columns[:_MOST_COMPARED])
            rated = ((left, right, self._likeness(one, left, other, right)) for left, right in pairs)
            found = self._pairs[key] = max(rated, key=lambda pair: pair[2])
        return found

    def _likeness(self, one: Table, left: Column, other: Table, right: Column) -> float:
        """How likely columns of two tables match: 0.0 to 1.0, and more if their names are equal."""
        if left.name.lower() == right.name.lower():
            return 2.0 if left.name.lower().endswith("id") else 1.5
        stems = self._tables.stems
        words, others = set(stems(left.name)), set(stems(right.name))
        shared = words & others | words & set(stems(other.name)) | others & set(stems(one.name))
        return len(shared) / len(words | others) if words and others else 0.0

    def selects_more(self, at: Statement) -> bool:
        """Whether a column that is not selected yet is mentioned shortly after the last one."""
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
