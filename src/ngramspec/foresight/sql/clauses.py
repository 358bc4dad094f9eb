"""What the words of a SELECT statement say: its queries, their clauses, and the names in each."""

from collections.abc import Sequence
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


class Query:
    """One SELECT of a statement, as far as it has been written."""

    def __init__(self) -> None:
        self.clause = ""
        self.relations: list[Relation] = []
        self.columns: dict[str, list[str]] = {}
        """The names in each clause, with their prefixes, as written."""
        self.labels: list[str] = []
        """Names of the computed columns."""

    def copy(self) -> "Query":
        """The same, to be read on from here."""
        made = Query()
        made.clause, made.relations, made.labels = self.clause, [*self.relations], [*self.labels]
        made.columns = {clause: [*names] for clause, names in self.columns.items()}
        return made

    def said(self, clause: str) -> set[str]:
        """The columns in `clause`, without prefixes and in lower case."""
        return {bare(name) for name in self.columns.get(clause, ())}


class Clauses:
    """What was read of a statement.

    query: the innermost one that is open. outer: those around it; None for a bracket that is none. calls: functions
    called, in upper case. prefixes: of column names, once each.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.query = Query()
        self.outer: list[Query | None] = []
        self.calls: set[str] = set()
        self.has_lower_calls = False
        self.prefixes: list[str] = []

    def copy(self) -> "Clauses":
        """The same, to be read on from here."""
        made = Clauses(self._tables)
        made.query, made.outer = self.query.copy(), [query and query.copy() for query in self.outer]
        made.calls, made.has_lower_calls, made.prefixes = {*self.calls}, self.has_lower_calls, [*self.prefixes]
        return made

    def read(self, tokens: Sequence[str], words: Sequence[str], start: int, end: int) -> None:
        """Read the tokens from `start` to `end`; the one after them is looked at. words: the tokens in lower case."""
        for index in range(start, end):
            after = words[index + 1] if index + 1 < len(words) else ""
            self._read(tokens, words, index, after)

    def _read(self, tokens: Sequence[str], words: Sequence[str], index: int, after: str) -> None:
        word = words[index]
        if word == "(":
            self.outer.append(self.query if after == "select" else None)
            self.query = Query() if after == "select" else self.query
        elif word == ")" and self.outer:
            self.query = self.outer.pop() or self.query
        elif word in _SET_OPERATORS:
            self.query = Query()
        elif word in _CLAUSES:
            self.query.clause = word
        elif _is_name(word):
            self._take(tokens, words, index, after)

    def _take(self, tokens: Sequence[str], words: Sequence[str], index: int, after: str) -> None:
        name, query, before = tokens[index], self.query, words[index - 1] if index else ""
        if after == "(":
            self.calls.add(name.upper())
            self.has_lower_calls |= name.islower()
        elif query.clause == "select" and before == "as":
            query.labels.append(name)
        elif query.clause not in ("from", "join"):
            self._take_column(tokens, index, before, after)
        elif before in ("from", "join", ","):
            table = self._tables.named(name)
            if table is not None:
                query.relations.append(Relation(table))
        elif before != "." and query.relations and query.relations[-1].alias is None:
            query.relations[-1] = Relation(query.relations[-1].table, name)

    def _take_column(self, tokens: Sequence[str], index: int, before: str, after: str) -> None:
        name = tokens[index]
        if after != ".":
            full = f"{tokens[index - 2]}.{name}" if before == "." and index > 1 else name
            self.query.columns.setdefault(self.query.clause, []).append(full)
        elif name not in self.prefixes:
            self.prefixes.append(name)


def bare(name: str) -> str:
    """The name without its prefix, in lower case."""
    return name.rpartition(".")[2].lower()


def _is_name(word: str) -> bool:
    return (word[:1].isalpha() or word[:1] == "_") and word not in KEYWORDS
