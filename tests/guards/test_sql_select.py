"""sql-select: words that SQLite reserves are not names."""

import pytest

from ngramspec.guards import Guard, Vocabulary
from tests.guards.readers import is_read

KEYWORDS = """ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY
CASCADE CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT
EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP GROUPS HAVING IF
IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LAST LEFT LIKE LIMIT
MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS OUTER OVER PARTITION PLAN
PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT RETURNING
RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO TRANSACTION TRIGGER UNBOUNDED UNION
UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHOUT"""
"""sqlite.org/lang_keywords.html; most of them are names all the same."""

PLACES = ["SELECT {} FROM t", "SELECT a FROM {}", "SELECT a FROM t AS {}", "SELECT a FROM t {}", "SELECT {}(a) FROM t"]


@pytest.mark.parametrize("place", PLACES)
def test_a_keyword_is_a_name_only_where_sqlite_takes_it_for_one(place: str) -> None:
    guard = Guard.load("sql-select", Vocabulary([b"<end>"], eos_tokens=[0]))
    texts = [place.format(word) for word in KEYWORDS.split()]
    accepted = [text for text in texts if guard.accepts(text)]
    assert len(accepted) > 20
    assert [] == [text for text in accepted if not is_read("sql-select", text)]


def test_a_reserved_word_in_quotes_is_a_name() -> None:
    guard = Guard.load("sql-select", Vocabulary([b"<end>"], eos_tokens=[0]))
    assert guard.accepts('SELECT "order" FROM "group"')
    assert not guard.accepts("SELECT order FROM t")
    assert not guard.accepts("SELECT a FROM Group")
