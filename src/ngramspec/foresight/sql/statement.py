"""A SELECT statement that is being written: its clauses so far, and its current position."""

import re
from collections.abc import Iterable

from ngramspec.foresight.sql.clauses import JOINTS, KEYWORDS, Clauses, Relation, read
from ngramspec.foresight.sql.tables import Column, Table, Tables

_TOKEN = re.compile(r"""\w+|'(?:[^']|'')*'?|"[^"]*"?|<>|[<>!]=|\S""")
_QUOTES = "'\""
ONE_SIDE = len(("a", ".", "b"))
"""Tokens of one side of a join condition."""

COMPARISONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "<>", "like"])

_OPEN = 2
"""Tokens at the end of a text that are read again when it continues: the last one may grow, and decides what the one
before it is. After a blank only one is read again: it cannot grow."""


_Read = tuple[int, list[str], list[str], Clauses]
"""What is not read again: the number of characters, the tokens as they are and in lower case, and their clauses."""

_UNREAD: _Read = 0, [], [], Clauses()


class Statement:
    """The content of a statement, and its current position."""

    __slots__ = (
        "_clauses",
        "_read",
        "_tables",
        "_words",
        "begun",
        "calls",
        "has_blank",
        "is_lower",
        "prefixes",
        "query",
        "text",
    )

    def __init__(self, text: str, tables: Tables, begun: "Statement | None" = None) -> None:
        """text: from the start of the statement. begun: a statement with which it begins; that is not read again."""
        self.text, self._tables = text, tables
        start, known, known_words, clauses = _UNREAD if begun is None else begun._read
        new = _TOKEN.findall(text, start)
        tokens, words = known + new, known_words + [token.lower() for token in new]
        num_known, num_open = len(known), min(_OPEN, len(new))
        if new and not text.endswith(new[-1]):
            num_open = 1
        if num_open < len(new):
            num_read = len(tokens) - num_open
            clauses = read(clauses, tokens, words, num_known, num_read, tables)
            known, known_words, num_known, start = tokens[:num_read], words[:num_read], num_read, len(text)
            for token in reversed(new[-num_open:]):
                start = text.rindex(token, 0, start)
        self._read: _Read = start, known, known_words, clauses
        self.has_blank = text[-1:].isspace()
        self.begun = ""
        """The name, number or string at the end that may continue."""
        if tokens and not self.has_blank and _may_go_on(tokens[-1]):
            self.begun = tokens.pop()
            words.pop()
        self._words = words
        self.is_lower = bool(tokens) and tokens[0].islower()
        self._clauses = clauses = read(clauses, tokens, words, num_known, len(tokens), tables)
        self.query, self.calls, self.prefixes = clauses.query, clauses.calls, clauses.prefixes
        """The innermost query; the functions called, in upper case; the prefixes of column names, once each."""

    @property
    def has_lower_calls(self) -> bool:
        """Whether one of them is written in lower case."""
        return self._clauses.has_lower_calls

    @property
    def is_in_call(self) -> bool:
        """Whether the innermost open bracket is that of a call, not of a subquery."""
        return bool(self._clauses.outer) and self._clauses.outer[-1] is None

    @property
    def is_in_subquery(self) -> bool:
        """Whether a subquery is open."""
        return any(self._clauses.outer)

    @property
    def outer_tables(self) -> list[Table]:
        """The tables of the enclosing queries."""
        return [relation.table for query in self._clauses.outer if query is not None for relation in query.relations]

    @property
    def sought(self) -> str | None:
        """The column that is compared with this query's result: in `id IN (SELECT`, `id`."""
        outer = self._clauses.outer[-1] if self._clauses.outer else None
        if outer is None or self.last() != "select" or self.last(3) != "in":
            return None
        said = outer.columns.get(outer.clause)
        return said[-1] if said else None

    @property
    def is_after_operand(self) -> bool:
        """Whether the last complete token is a name, a value, or the end of either."""
        last = self.last()
        return last != "" and (last[0] in _QUOTES or last[0].isalnum() or last[0] in "_)*") and last not in JOINTS

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
        if not self.query.relations:
            return self._tables.column(name)
        return next((found for relation in self.query.relations if (found := relation.table.column(name))), None)

    def last(self, number: int = 1) -> str:
        """The complete token at `number` from the end, in lower case; "" if there is none."""
        return self._words[-number] if number <= len(self._words) else ""

    def num_since(self, keyword: str) -> int:
        """Number of complete tokens after the last `keyword`."""
        return next((back for back, word in enumerate(reversed(self._words)) if word == keyword), len(self._words))


def _may_go_on(token: str) -> bool:
    if token[0] in _QUOTES:
        return len(token) == 1 or token[-1] != token[0]
    return (token[0].isalnum() or token[0] == "_") and token.lower() not in KEYWORDS
