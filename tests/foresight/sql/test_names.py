"""The next name of a statement is the one that a linear search over all names chooses."""

from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight import Piece
from ngramspec.foresight.sql.clauses import Relation
from ngramspec.foresight.sql.evidence import COLUMN, UNMENTIONED
from ngramspec.foresight.sql.names import NameChoice
from ngramspec.foresight.sql.question import Question
from ngramspec.foresight.sql.statement import Statement
from ngramspec.foresight.sql.tables import Column, Tables
from tests.foresight.sql.test_sql import SIGNS, TABLES, WORDS

QUESTIONS = ["Names of singers older than 30?", "Which stadium had 'Ann' in 2014?", "", "List each country and year."]
COLUMNS = ["name", "age", "singer_id", "stadium", "nam", "T2", "t1", "GROUP", "ORDER", "BY"]


def slow_column(at: Statement, tables: Tables, question: Question) -> Piece | None:
    """The column of the greatest worth: of equals the first one."""
    clause, is_after_point = at.query.clause, at.last() == "."
    named = at.relation(at.last(2)) if is_after_point else None
    is_prefixed = not is_after_point and (at.prefixes or any(relation.alias for relation in at.query.relations))
    said = set() if at.is_in_call else at.query.said(clause)
    if named is None and not at.query.relations and not at.begun:
        possible = [(Relation(table), column) for table, column in tables.mentioned]
    else:
        relations = at.relations if named is None else [named]
        possible = [(relation, column) for relation in relations for column in relation.table.columns]

    def worth(column: Column) -> tuple[bool, float, int]:
        share, first, last = tables.mention(column.name)
        is_fit = clause == "where" and question.has_text == column.is_text
        return is_fit, share, -abs(first) if clause == "select" else last

    def text(relation: Relation, column: Column) -> str:
        return f"{at.undefined or relation.prefix}.{column.name}" if is_prefixed else column.name

    fitting = [
        (worth(column), text(relation, column), tables.mention(column.name).share)
        for relation, column in possible
        if column.name.lower() not in said and text(relation, column).lower().startswith(at.begun.lower())
    ]
    if not fitting:
        return None
    _, found, share = max(fitting, key=lambda each: each[0])
    return Piece(found, COLUMN if at.begun or share > 0.9 else UNMENTIONED)


TEXTS = st.lists(st.sampled_from([*WORDS, *SIGNS, *COLUMNS, " ", " "]), max_size=25).map("".join)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(QUESTIONS))
def test_any_column_is_the_first_of_the_best(texts: list[str], asked: str) -> None:
    tables = Tables(f"{TABLES}\n-- {asked}\n")
    question = Question(tables.question)
    names = NameChoice(tables, question)
    for text in ["SELECT ", *texts]:
        at = Statement(f"SELECT {text}", tables)
        is_repeated = at.query.clause == "group" and at.query.columns.get("select") and at.last() != "."
        if at.begun or not (is_repeated or at.sought):
            assert slow_column(at, tables, question) == names.column(at)


@given(st.sampled_from([*COLUMNS, "NAME", "Concert_Id", "none"]))
def test_any_column_is_that_of_the_first_table_that_has_it(name: str) -> None:
    tables = Tables(TABLES)
    of_tables = [table.column(name) for table in tables.all]
    assert next(filter(None, of_tables), None) == tables.column(name)
