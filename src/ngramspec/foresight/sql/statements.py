"""What comes next in a statement: operands, and the keywords and signs between them."""

import re
from collections.abc import Iterator
from enum import IntEnum

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.sql.evidence import CALL, CLAUSE, COLUMN, KEY, TABLE, UNMENTIONED
from ngramspec.foresight.sql.names import NameChoice
from ngramspec.foresight.sql.question import CALLED, Question
from ngramspec.foresight.sql.statement import COMPARISONS, ONE_SIDE, Statement
from ngramspec.foresight.sql.tables import Tables

_NUMBERED = re.compile(r"[Tt]\d")
_TIGHT = (",", ")", "")
"""No blank precedes these."""

_NAMES = frozenset([TABLE, COLUMN, UNMENTIONED, KEY])
"""Evidence for a name of a table or column."""


class Statements:
    """Foresees SELECT statements over the tables of one prompt."""

    def __init__(self, tables: Tables) -> None:
        self._tables, self._question = tables, Question(tables.question)
        self._names = NameChoice(tables, self._question)
        self._begun: list[Statement] = []  # each begins with the one before it

    def foresee(self, text: str) -> Iterator[Piece]:
        """Pieces that may follow `text`, which begins at the start of the statement."""
        is_named = False
        while True:
            found = self._next(self._statement(text), is_named=is_named)
            if found is None or not found.text:
                return
            yield found
            text += found.text
            is_named = found.evidence in _NAMES

    def _statement(self, text: str) -> Statement:
        """The statement in `text`; reading continues from the latest one that `text` begins with."""
        while self._begun and not text.startswith(self._begun[-1].text):
            self._begun.pop()
        if not self._begun or self._begun[-1].text != text:
            self._begun.append(Statement(text, self._tables, self._begun[-1] if self._begun else None))
        return self._begun[-1]

    def _next(self, at: Statement, *, is_named: bool) -> Piece | None:
        """is_named: the statement ends with a whole name that was foreseen."""
        if at.is_after_operand:
            keywords = self._joint(at)
            if at.begun and (keywords == at.begun or not keywords.startswith(at.begun)):
                return self._after_begun(at) if at.query.clause in ("from", "join") else None  # it is an alias
            return _spaced(at, keywords, CLAUSE)
        found = None if is_named and at.begun and at.begun.lower() not in CALLED else self._operand(at)
        if at.begun and (found is None or len(found.text) <= len(at.begun)):
            is_known = at.column(at.begun) or at.begun in at.query.labels or at.query.clause in ("from", "join")
            return self._after_begun(at) if is_known else None
        return None if found is None else _spaced(at, found.text, found.evidence)

    def _after_begun(self, at: Statement) -> Piece:
        keywords = self._joint(self._statement(f"{at.text} "))
        return Piece(keywords if keywords in _TIGHT else f" {keywords}", CLAUSE)

    def _operand(self, at: Statement) -> Piece | None:
        """A name, a call, or a value."""
        clause, last = at.query.clause, at.last()
        if not last:
            return _spelled(at, "SELECT", CLAUSE)
        if last == "!":
            return Piece("=", CLAUSE)
        if last == "as":
            num_relations = len(at.query.relations)
            alias = at.undefined or (f"T{num_relations}" if num_relations else "")
            is_known = clause != "select" and alias
            return _spelled(at, alias, CLAUSE) if is_known else None
        if clause in ("from", "join"):
            return self._names.table(at)
        if clause == "on":
            return self._names.key(at)
        if last in COMPARISONS:
            return self._value(at)
        return (None if last == "." else self._call(at)) or self._names.column(at)

    def _call(self, at: Statement) -> Piece | None:
        """A function call that the question asks for."""
        if self._question.is_distinct and at.last() in ("select", "(") and at.query.clause == "select":
            return _spelled(at, "DISTINCT", CALL)
        if at.is_in_call:
            return Piece("*", CLAUSE) if at.last(2) == "count" and not at.begun else None
        if at.begun.lower() in CALLED:
            return Piece(_opened(at.begun), CALL)
        if at.query.clause == "select":
            name = self._not_called(at)
            return None if name is None else _called(at, name)
        if at.query.clause == "order" and "group" in at.query.columns and not at.begun:
            labels = at.query.labels
            return Piece(labels[-1], COLUMN) if labels else _called(at, "COUNT")
        return None

    def _not_called(self, at: Statement) -> str | None:
        return next((name for name in self._question.calls if name not in at.calls), None)

    def _value(self, at: Statement) -> Piece | None:
        """The value that a column is compared with."""
        quote = at.begun[:1] if at.begun[:1] in ("'", '"') else self._question.quote
        is_alike, column = at.last() == "like", at.column(at.last(2))
        is_text = at.begun[:1] == quote if at.begun else is_alike or (column is not None and column.is_text)
        begun = at.begun[1:] if is_text else at.begun
        anything = "%" if begun[:1] == "%" or (is_alike and not begun) else ""
        value = self._question.prompt.plain(at.last(2), begun.removeprefix(anything), is_text=is_text)
        if value is None:
            return None
        return Piece(f"{quote}{anything}{value.text}{anything}{quote}" if is_text else value.text, value.evidence)

    def _joint(self, at: Statement) -> str:
        """The keywords or the sign after an operand; "" if unknown."""
        match at.query.clause:
            case _ if at.is_in_call:
                keywords = ")"
            case "select":
                keywords = self._after_selected(at)
            case "from" | "join":
                keywords = self._after_relation(at)
            case "on" if at.num_since("on") <= ONE_SIDE:
                keywords = "="
            case "where" if at.last() == ")":
                keywords = self._next_clause(at)
            case "where" | "having" if at.last(2) not in COMPARISONS:
                keywords = self._comparison()
            case "order":
                keywords = self._after_order(at)
            case _:
                keywords = self._next_clause(at)
        return keywords.lower() if at.is_lower else keywords

    def _after_selected(self, at: Statement) -> str:
        if at.last() == ")" and at.query.labels:
            return "AS"
        return "," if self._not_called(at) or self._names.selects_more(at) else "FROM"

    def _after_relation(self, at: Statement) -> str:
        relation = at.query.relations[-1] if at.query.relations else None
        if relation is not None and relation.alias is None:
            if any(_NUMBERED.fullmatch(name) for name in (at.undefined, at.query.relations[0].alias) if name):
                return "AS"
            if at.undefined is not None:
                return at.undefined
        if at.query.clause == "join":
            return "ON"
        is_named = relation is not None and relation.alias is not None
        return "JOIN" if is_named or at.undefined else self._next_clause(at)

    def _comparison(self) -> str:
        if self._question.is_negated:
            return "NOT IN (SELECT"
        return "LIKE" if self._question.is_alike else self._question.comparison

    def _next_clause(self, at: Statement) -> str:
        if at.is_in_subquery:
            return ")"
        question, columns = self._question, at.query.columns
        if question.is_filtered and "where" not in columns:
            return "WHERE"
        if question.is_grouped and "group" not in columns:
            return "GROUP BY"
        return "ORDER BY" if question.is_sorted and "order" not in columns else ""

    def _after_order(self, at: Statement) -> str:
        question = self._question
        if question.is_descending and at.last() not in ("asc", "desc"):
            return "DESC"
        return f"LIMIT {question.limit}" if question.is_cut else ""


def _spaced(at: Statement, text: str, evidence: IntEnum) -> Piece:
    """The rest of `text` that is still to be written, with the blank before it."""
    is_tight = at.has_blank or at.begun or text in _TIGHT or at.last() in ("(", ".", "!", "")
    return Piece(("" if is_tight else " ") + text[len(at.begun) :], evidence)


def _called(at: Statement, name: str) -> Piece | None:
    return _spelled(at, _opened(name.lower() if at.has_lower_calls else name), CALL)


def _opened(name: str) -> str:
    """A call as far as its name decides it: COUNT is of rows, any other of a column."""
    return name + ("(*)" if name.lower() == "count" else "(")


def _spelled(at: Statement, text: str, evidence: IntEnum) -> Piece | None:
    written = text.lower() if at.is_lower else text
    return Piece(written, evidence) if written.startswith(at.begun) else None
