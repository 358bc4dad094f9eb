"""A SELECT statement that is being written: its clauses so far, and its current position."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from ngramspec.foresight.sql.tables import Column, Table, Tables

_TOKEN = re.compile(r"""'(?:[^']|'')*'?|"[^"]*"?|\w+|<>|[<>!]=|\S""")
_QUOTES = "'\""
_CLAUSES = frozenset(["select", "from", "join", "on", "where", "group", "order", "having", "limit"])
_SET_OPERATORS = frozenset(["union", "intersect", "except"])
_JOINTS = (
    _CLAUSES
    | _SET_OPERATORS
    | frozenset(["with", "distinct", "as", "by", "and", "or", "not", "in", "is", "like", "between", "!"])
)
_KEYWORDS = _JOINTS | frozenset(["null", "asc", "desc"])
ONE_SIDE = len(("a", ".", "b"))
"""Tokens of one side of a join condition."""

COMPARISONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "<>", "like"])


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

    def said(self, clause: str) -> set[str]:
        """The columns in `clause`, without prefixes and in lower case."""
        return {bare(name) for name in self.columns.get(clause, ())}


class Statement:
    """The content of a statement, and its current position."""

    def __init__(self, text: str, tables: Tables) -> None:
        """text: from the start of the statement."""
        self.text, self._tables = text, tables
        self._tokens: list[str] = _TOKEN.findall(text)
        self.has_blank = text[-1:].isspace()
        self.begun = ""
        """The name, number or string at the end that may continue."""
        if self._tokens and not self.has_blank and _may_go_on(self._tokens[-1]):
            self.begun = self._tokens.pop()
        self._words = [token.lower() for token in self._tokens]
        self.is_lower = bool(self._tokens) and self._tokens[0].islower()
        self.calls: set[str] = set()
        """The functions called, in upper case."""
        self.has_lower_calls = False
        self.prefixes: list[str] = []
        """The prefixes of column names, once each."""
        self._outer: list[Query | None] = []
        self.query = Query()
        for index, word in enumerate(self._words):
            self._read(index, word)

    @property
    def is_in_call(self) -> bool:
        """Whether the innermost open bracket is that of a call, not of a subquery."""
        return bool(self._outer) and self._outer[-1] is None

    @property
    def is_in_subquery(self) -> bool:
        """Whether a subquery is open."""
        return any(self._outer)

    @property
    def outer_tables(self) -> list[Table]:
        """The tables of the enclosing queries."""
        return [relation.table for query in self._outer if query is not None for relation in query.relations]

    @property
    def sought(self) -> str | None:
        """The column that is compared with this query's result: in `id IN (SELECT`, `id`."""
        outer = self._outer[-1] if self._outer else None
        if outer is None or self.last() != "select" or self.last(3) != "in":
            return None
        said = outer.columns.get(outer.clause)
        return said[-1] if said else None

    @property
    def is_after_operand(self) -> bool:
        """Whether the last complete token is a name, a value, or the end of either."""
        last = self.last()
        return last != "" and (last[0] in _QUOTES or last[0].isalnum() or last[0] in "_)*") and last not in _JOINTS

    @property
    def undefined(self) -> str | None:
        """The first prefix without a table so far."""
        return next((prefix for prefix in self.prefixes if self.relation(prefix) is None), None)

    @property
    def relations(self) -> Iterable[Relation]:
        """The tables read from, or all tables if there are none yet."""
        return self.query.relations or [Relation(table) for table in self._tables.all]

    def relation(self, prefix: str) -> Relation | None:
        """The table of `prefix`, as in `prefix.column`."""
        for relation in self.query.relations:
            if prefix.lower() in ((relation.alias or "").lower(), relation.table.name.lower()):
                return relation
        table = self._tables.named(prefix)
        return None if table is None else Relation(table)

    def column(self, name: str) -> Column | None:
        """The first column of that name."""
        return next((found for relation in self.relations if (found := relation.table.column(name))), None)

    def last(self, number: int = 1) -> str:
        """The complete token at `number` from the end, in lower case; "" if there is none."""
        return self._token(len(self._words) - number)

    def num_since(self, keyword: str) -> int:
        """Number of complete tokens after the last `keyword`."""
        return next((back for back in range(len(self._words)) if self.last(back + 1) == keyword), len(self._words))

    def _read(self, index: int, word: str) -> None:
        if word == "(":
            is_query = self._token(index + 1) == "select"
            self._outer.append(self.query if is_query else None)
            self.query = Query() if is_query else self.query
        elif word == ")" and self._outer:
            self.query = self._outer.pop() or self.query
        elif word in _SET_OPERATORS:
            self.query = Query()
        elif word in _CLAUSES:
            self.query.clause = word
        elif _is_name(word):
            self._take(index, self._tokens[index])

    def _take(self, index: int, name: str) -> None:
        query, before, after = self.query, self._token(index - 1), self._token(index + 1)
        if after == "(":
            self.calls.add(name.upper())
            self.has_lower_calls |= name.islower()
        elif query.clause == "select" and before == "as":
            query.labels.append(name)
        elif query.clause not in ("from", "join"):
            self._take_column(index, name)
        elif before in ("from", "join", ","):
            table = self._tables.named(name)
            if table is not None:
                query.relations.append(Relation(table))
        elif before != "." and query.relations and query.relations[-1].alias is None:
            query.relations[-1] = Relation(query.relations[-1].table, name)

    def _take_column(self, index: int, name: str) -> None:
        if self._token(index + 1) != ".":
            full = f"{self._tokens[index - 2]}.{name}" if self._token(index - 1) == "." and index > 1 else name
            self.query.columns.setdefault(self.query.clause, []).append(full)
        elif name not in self.prefixes:
            self.prefixes.append(name)

    def _token(self, index: int) -> str:
        return self._words[index] if 0 <= index < len(self._words) else ""


def bare(name: str) -> str:
    """The name without its prefix, in lower case."""
    return name.rpartition(".")[2].lower()


def _is_name(word: str) -> bool:
    return (word[:1].isalpha() or word[:1] == "_") and word not in _KEYWORDS


def _may_go_on(token: str) -> bool:
    if token[0] in _QUOTES:
        return len(token) == 1 or token[-1] != token[0]
    return (token[0].isalnum() or token[0] == "_") and token.lower() not in _KEYWORDS
