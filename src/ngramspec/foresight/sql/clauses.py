"""The structure of a SELECT statement: its queries, their clauses, and the names in each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ngramspec.foresight.sql.tables import Table, Tables

_CLAUSES = frozenset(["select", "from", "join", "on", "where", "group", "order", "having", "limit"])
_SET_OPERATORS = frozenset(["union", "intersect", "except"])
JOINTS = (
    _CLAUSES
    | _SET_OPERATORS
    | frozenset(["with", "distinct", "as", "by", "and", "or", "not", "in", "is", "like", "between", "!"])
)
KEYWORDS = JOINTS | frozenset(["null", "asc", "desc"])


class Relation(NamedTuple):
    """A table that is read from, and its alias."""

    table: Table
    alias: str | None = None

    @property
    def prefix(self) -> str:
        """Prefix of the names of its columns."""
        return self.alias or self.table.name


class Query(NamedTuple):
    """One SELECT of a statement, as far as it has been written.

    columns: the names in each clause, with their prefixes, as written. labels: names of the computed columns.
    """

    clause: str = ""
    relations: tuple[Relation, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    labels: tuple[str, ...] = ()

    def said(self, clause: str) -> set[str]:
        """The columns in `clause`, without prefixes and in lower case."""
        return {bare(name) for name in self.columns.get(clause, ())}


class Clauses(NamedTuple):
    """What was read of a statement. It is immutable, so reading can continue from any of its positions.

    query: the innermost open one. outer: those around it; None for a bracket that is not a query. calls: functions
    called, in upper case. prefixes: of column names, once each.
    """

    query: Query = Query()
    outer: tuple[Query | None, ...] = ()
    calls: frozenset[str] = frozenset()
    has_lower_calls: bool = False
    prefixes: tuple[str, ...] = ()


def read(
    clauses: Clauses, tokens: Sequence[str], words: Sequence[str], start: int, end: int, tables: Tables
) -> Clauses:
    """Read the tokens from `start` to `end`, with a look at the next one. words: the tokens in lower case."""
    for index in range(start, end):
        word = words[index]
        after = words[index + 1] if index + 1 < len(words) else ""
        query, outer = clauses.query, clauses.outer
        if word == "(":
            is_query = after == "select"
            clauses = _within(clauses, Query() if is_query else query, (*outer, query if is_query else None))
        elif word == ")" and outer:
            clauses = _within(clauses, outer[-1] or query, outer[:-1])
        elif word in _SET_OPERATORS:
            clauses = _within(clauses, Query(), outer)
        elif word in _CLAUSES:
            clauses = _within(clauses, Query(word, query.relations, query.columns, query.labels), outer)
        elif _is_name(word):
            before = words[index - 1] if index else ""
            clauses = _with_name(clauses, tokens, index, before, after, tables)
    return clauses


def _within(clauses: Clauses, query: Query, outer: tuple[Query | None, ...]) -> Clauses:
    """`clauses` in another query. Not `_replace`, which takes more than twice as long."""
    return Clauses(query, outer, clauses.calls, clauses.has_lower_calls, clauses.prefixes)


def _with_name(clauses: Clauses, tokens: Sequence[str], index: int, before: str, after: str, tables: Tables) -> Clauses:
    name, query, outer = tokens[index], clauses.query, clauses.outer
    clause, relations, columns, labels = query
    if after == "(":
        has_lower_calls = clauses.has_lower_calls or name.islower()
        return Clauses(query, outer, clauses.calls | {name.upper()}, has_lower_calls, clauses.prefixes)
    if clause == "select" and before == "as":
        return _within(clauses, Query(clause, relations, columns, (*labels, name)), outer)
    if clause not in ("from", "join"):
        return _with_column(clauses, tokens, index, before, after)
    table = tables.named(name) if before in ("from", "join", ",") else None
    if table is not None:
        return _within(clauses, Query(clause, (*relations, Relation(table)), columns, labels), outer)
    if before not in ("from", "join", ",", ".") and relations and relations[-1].alias is None:
        *others, last = relations
        return _within(clauses, Query(clause, (*others, Relation(last.table, name)), columns, labels), outer)
    return clauses


def _with_column(clauses: Clauses, tokens: Sequence[str], index: int, before: str, after: str) -> Clauses:
    name, (clause, relations, columns, labels) = tokens[index], clauses.query
    if after == ".":
        return clauses if name in clauses.prefixes else clauses._replace(prefixes=(*clauses.prefixes, name))
    full = f"{tokens[index - 2]}.{name}" if before == "." and index > 1 else name
    columns = {**columns, clause: (*columns.get(clause, ()), full)}
    return _within(clauses, Query(clause, relations, columns, labels), clauses.outer)


def bare(name: str) -> str:
    """The name without its prefix, in lower case."""
    return name.rpartition(".")[2].lower()


def _is_name(word: str) -> bool:
    return (word[:1].isalpha() or word[:1] == "_") and word not in KEYWORDS
