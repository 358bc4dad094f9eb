"""Choice of the table or column that comes next in a statement."""

from collections.abc import Iterator
from itertools import product
from operator import attrgetter
from typing import NamedTuple

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.sql.clauses import Relation, bare
from ngramspec.foresight.sql.evidence import COLUMN, KEY, TABLE, UNMENTIONED
from ngramspec.foresight.sql.question import Question
from ngramspec.foresight.sql.statement import ONE_SIDE, Statement
from ngramspec.foresight.sql.tables import Column, Table, Tables

_SURELY = 0.9
"""Share of a name's words that the question must contain for the name to be meant."""

_NEAR = 4
"""Columns that are selected together are at most this many words apart in the question."""

_MOST_COMPARED = 48
"""Most columns of a table that are tried for a join."""

_MOST_RANKED = 64
"""Most lists of columns that are kept, for the clauses and tables of a row's statements."""


class RankedColumn(NamedTuple):
    """A column that may come next. worth: lowest for the likeliest. name: in lower case. is_meant: by the question."""

    worth: tuple[bool, float, int]
    relation: Relation
    column: Column
    name: str
    is_meant: bool


_BY_WORTH = attrgetter("worth")


class NameChoice:
    """Chooses among the names of one prompt by where its question mentions them."""

    def __init__(self, tables: Tables, question: Question) -> None:
        self._tables, self._question = tables, question
        self._pairs: dict[tuple[str, str], tuple[Column, Column, float]] = {}
        self._ranked: dict[tuple[str, bool, tuple[tuple[int, str | None], ...]], list[RankedColumn]] = {}

    def table(self, at: Statement) -> Piece | None:
        """The next table to read from: it has columns used so far, or can be joined to the one before."""
        said = [bare(name) for names in at.query.columns.values() for name in names]
        before = at.query.relations[-1].table if at.query.relations else None
        taken = [relation.table for relation in at.query.relations]
        taken += at.outer_tables if self._question.is_negated else []
        begun, best, most = at.begun.lower(), None, (-1.0, 0)
        for table in self._tables.all:
            if begun and not table.name.lower().startswith(begun):
                continue
            if taken and any(table is other for other in taken):
                continue
            mention, columns = self._tables.mention(table.name), table.by_name
            holds = sum([name in columns for name in said])
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
        undefined, begun = at.undefined, at.begun.lower()
        for likely in self._likeliest(at, named):
            name, prefix = likely.column.name, undefined or likely.relation.prefix
            if likely.name in said:
                continue
            if begun and not (f"{prefix}.{name}".lower() if is_prefixed else likely.name).startswith(begun):
                continue
            text = f"{prefix}.{name}" if is_prefixed else name
            return Piece(text, COLUMN if begun or likely.is_meant else UNMENTIONED)
        return None

    def _likeliest(self, at: Statement, named: Relation | None) -> list[RankedColumn]:
        """The columns that may come at `at`, the likeliest first; named: the table whose columns they are."""
        clause = at.query.clause if at.query.clause in ("select", "where") else ""
        relations = at.query.relations if named is None else (named,)
        key = clause, at.begun != "", tuple([(id(relation.table), relation.alias) for relation in relations])
        found = self._ranked.get(key)
        if found is None:
            if len(self._ranked) == _MOST_RANKED:
                self._ranked.clear()
            columns = self._columns(at, named)
            found = self._ranked[key] = sorted((self._likely(clause, *each) for each in columns), key=_BY_WORTH)
        return found

    def _likely(self, clause: str, relation: Relation, column: Column) -> RankedColumn:
        share, first, last = self._tables.mention(column.name)
        is_fit = clause == "where" and self._question.has_text == column.is_text
        worth = not is_fit, -share, abs(first) if clause == "select" else -last
        return RankedColumn(worth, relation, column, column.name.lower(), share > _SURELY)

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
