"""SQL over tables that the prompt declares: which names and keywords are foreseen, and that any text is read."""

import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.foresight import SqlText
from ngramspec.foresight.sql.statement import Statement
from ngramspec.foresight.sql.tables import Column, Mention, Table, Tables

TABLES = """CREATE TABLE singer (
  singer_id int PRIMARY KEY,
  name varchar(20),
  country text,
  age numeric(3, 0), -- in years, of course
  CONSTRAINT grown CHECK (age > 18)
);
CREATE TABLE IF NOT EXISTS public.concert (concert_id int, singer_id int, "stadium" text, year int);
"""


def foreseen(question: str, text: str = "") -> str:
    kind = SqlText(lambda: f"{TABLES}\n-- {question}\n")
    return "".join(piece.text for piece in islice(kind.foresee(kind.read(kind.start(), text)), 40))


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("How many singers are there?", "", "SELECT COUNT(*) FROM singer"),
        ("How many concerts were there in each year?", "select ye", "ar, count(*) from concert group by year"),
        ("List the different countries.", "", "SELECT DISTINCT country FROM singer"),
        ("Show the name and age of singers, sorted by age.", "", "SELECT name, age FROM singer ORDER BY age"),
        ("Names of singers from 'France'?", "SELECT name FROM singer WHERE co", "untry = 'France'"),
        ('Names of singers from "France"?', "SELECT name FROM singer WHERE country = ", '"France"'),
        ("Whose name contains 'an'?", "SELECT name FROM singer", " WHERE name LIKE '%an%'"),
        ("Names of singers who are older than 30", "SELECT name FROM singer WHERE age", " > 30"),
        ("Names of singers who are older than 30", "SELECT name FROM singer WHERE age !", "= 30"),
        ("The name of the oldest singer?", "SELECT name FROM singer ORDER BY age", " DESC LIMIT 1"),
        ("Names of the 3 oldest singers?", "SELECT name FROM singer ORDER BY age DESC ", "LIMIT 3"),
        ("Who has no concert?", "SELECT age FROM singer WHERE singer_id", " NOT IN (SELECT singer_id FROM concert)"),
        ("Average age?", "SELECT avg(", "age) FROM singer"),
        ("", "SELECT T1.country FROM singer", " AS T1 JOIN concert AS T2 ON T1.singer_id = T2.singer_id"),
        ("", "SELECT c.year FROM concert", " c JOIN singer ON c.singer_id = singer.singer_id"),
        ("", "SELECT s.SIN", "ger_id"),
        ("Count the singers", "WITH", ""),
    ],
)  # fmt: skip
def test_a_statement_goes_on_as_the_question_asks(question: str, text: str, expected: str) -> None:
    assert foreseen(question, text).startswith(expected)


def test_without_tables_no_statement_is_foreseen() -> None:
    kind = SqlText(lambda: "Which orders has ACME?")
    assert [] == list(kind.foresee(""))
    assert [] == list(kind.foresee("SELECT "))


PIECES = st.sampled_from(
    ["select", "from", "singer", "concert", "as", "t1", "t", ".", ",", "(", ")", "*", "on", "=", "!", "'", '"', "'x'",
     "name", "na", "count", "where", "like", "%", "group by", "order by", "limit", "in", "join", "union", "5", " ", "é"]
)  # fmt: skip


ASKED = st.lists(
    st.sampled_from(
        ["how many", "older than 5", "each", "not", "average", "most", "'an'", "start with", "singers", "\n"]
    )
).map(" ".join)

SAID = {"singer", "singer_id", "name", "country", "age", "concert", "concert_id", "stadium", "year"}
SAID |= {"select", "distinct", "from", "as", "join", "on", "where", "not", "in", "like", "group", "order", "by", "desc"}
SAID |= {"limit", "count", "avg", "max", "min", "sum", "1"} | {f"t{number}" for number in range(1, 30)}
"""All words that may be foreseen, beside those of the statement and of its question."""


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


@given(st.lists(PIECES), ASKED)
def test_any_statement_goes_on_with_names_of_the_prompt_words_of_sql_and_values_of_the_question(
    pieces: list[str], question: str
) -> None:
    assert foreseen(question, "SELECT name")
    text = "SELECT " + " ".join(pieces)
    for length in range(0, len(text), 3):
        whole = text[:length] + foreseen(question, text[:length])
        assert words_of(whole) - words_of(text[:length]) <= SAID | words_of(question)


DECLARED = st.sampled_from(
    [
        "create table ",
        "# ",
        "a",
        "b",
        "x_y",
        "key",
        "(",
        ")",
        "()",
        ",",
        ", ",
        ";",
        "\n",
        " int",
        ".",
        '"',
        "'",
        "--",
        "é",
    ]
)


@given(st.lists(DECLARED, max_size=40).map("".join))
def test_any_prompt_keeps_its_first_table_and_has_every_name_that_is_found_in_it(after: str) -> None:
    prompt = f"create table a (b int);\n{after}"
    tables = Tables(prompt)
    assert "a" == tables.all[0].name.lower()
    for table in tables.all:
        assert table is tables.named(table.name.upper())
        assert table.columns
        assert {table.name, *(column.name for column in table.columns)} <= set(re.findall(r"\w+", prompt))
    assert tables.question.startswith(";\n")
    rest = iter(prompt)
    assert all(character in rest for character in tables.question)  # what is left of the prompt, in its order


NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: name not in ("key", "check", "index", "table"))


@given(
    st.dictionaries(NAME, st.lists(NAME, min_size=1, max_size=5, unique=True), min_size=1, max_size=4), st.booleans()
)
def test_any_tables_are_read_as_they_are_declared(declared: dict[str, list[str]], is_short: bool) -> None:
    lines = [
        f"# {name}({', '.join(columns)})"
        if is_short
        else f"CREATE TABLE {name} (\n{','.join(f' {column} varchar(9) NOT NULL' for column in columns)}\n);"
        for name, columns in declared.items()
    ]
    tables = Tables("\n".join([*lines, "Who?"]))
    expected = [
        Table(name, tuple(Column(each, not is_short) for each in columns)) for name, columns in declared.items()
    ]
    assert expected == list(tables.all)
    assert tables.question.endswith("Who?")


def test_a_name_is_mentioned_by_its_words_and_the_rarest_counts_most() -> None:
    tables = Tables("CREATE TABLE song (song_id int, song_title text);\nTitles of songs, and show the songs' ids")
    assert Mention(1.0, 7, 7) == tables.mention("song_id")
    assert tables.mention("song_title").share == 1.0
    assert tables.mention("song_title").first < 0 <= tables.mention("song_title").last
    assert tables.mention("year") == (0.0, -1001, -1)


def test_a_statement_knows_what_stands_for_which_table() -> None:
    text = "SELECT a.name, COUNT(*) AS n FROM singer AS a JOIN concert b ON a.singer_id = b.singer_id WHERE b.yea"
    at = Statement(text, Tables(TABLES))
    assert ["a", "b"] == [relation.prefix for relation in at.query.relations]
    assert ("where", "yea", ".") == (at.query.clause, at.begun, at.last())
    assert {"COUNT"} == at.calls
    assert ("n",) == at.query.labels
    assert ("a.name",) == at.query.columns["select"]
    assert at.undefined is None
    inner = Statement("SELECT name FROM singer WHERE singer_id IN (SELECT ", Tables(TABLES))
    assert inner.is_in_subquery
    assert () == inner.query.relations
    assert ["singer"] == [table.name for table in inner.outer_tables]


WORDS = [
    "SELECT",
    "select",
    "FROM",
    "JOIN",
    "ON",
    "WHERE",
    "IN",
    "UNION",
    "AS",
    "COUNT",
    "sum",
    "singer",
    "concert",
    "T1",
]
SIGNS = [" ", "(", ")", ".", ",", "=", "<", ">", "'it'", "'", '"', "1", "*", "!"]


@given(st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=25), st.lists(st.integers(0, 80), max_size=4))
def test_a_statement_that_is_read_on_is_as_one_that_is_read_at_once(parts: list[str], cuts: list[int]) -> None:
    tables, text = Tables(TABLES), "".join(parts)
    begun: Statement | None = None
    for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        begun = Statement(text[:cut], tables, begun)
        whole = Statement(text[:cut], tables)
        assert described(whole) == described(begun)


def described(at: Statement) -> list[object]:
    """All that a statement says."""
    queries = [at.query, *(query for query in at._clauses.outer if query is not None)]
    of_queries = [(query.clause, query.relations, query.columns, query.labels) for query in queries]
    words = [at.last(number) for number in range(1, 40)]
    asked = (at.begun, at.has_blank, at.is_lower, at.calls, at.has_lower_calls, at.prefixes, at.is_in_call, at.sought)
    return [of_queries, words, asked, at.is_in_subquery, at.is_after_operand, at.undefined, at.num_since("on")]
