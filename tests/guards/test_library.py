"""The grammars in the package: their examples on every backend, and comparison with other readers of the formats."""

import csv
import datetime
import difflib
import io
import json
import random
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary, library
from ngramspec.guards.source import Backend, Language
from ngramspec.guards.types import num_words, unpacked
from tests.guards.readers import READERS, is_read

END = 256
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos_tokens=[END])
UNREAD = {("sql-select", "xgrammar"): "terminal intersection"}
"""What a backend cannot read, and its word for why; the grammar's file says so too."""

BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")
READ = [(name, backend) for name in library.names() for backend in BACKENDS if (name, backend) not in UNREAD]


@cache
def loaded(name: str, backend: Backend) -> Guard:
    return Guard.load(name, BYTES, backend=backend)


def examples(name: str) -> dict[str, list[str]]:
    text = (library.folder() / f"{name}.examples.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def test_the_ten_grammars_are_there() -> None:
    expected = "arithmetic csv email function-call iso-8601 json json-lines semver sql-select unified-diff"
    assert expected.split() == library.names()


@pytest.mark.parametrize("name", library.names())
def test_each_grammar_has_examples_and_a_line_in_the_readme(name: str) -> None:
    found = examples(name)
    assert {"accepted", "rejected"} == set(found)
    assert all(len(texts) >= 12 and len(set(texts)) == len(texts) for texts in found.values())
    assert f"`{name}`" in (library.folder() / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "backend"), READ)
def test_a_grammar_accepts_its_accepted_and_rejects_its_rejected_examples(name: str, backend: Backend) -> None:
    guard = loaded(name, backend)
    found = {text: guard.accepts(text) for texts in examples(name).values() for text in texts}
    expected = {text: verdict == "accepted" for verdict, texts in examples(name).items() for text in texts}
    assert expected == found


@pytest.mark.parametrize(("name", "backend"), READ)
def test_the_bitmasks_allow_an_accepted_example_and_its_end_and_no_rejected_one(name: str, backend: Backend) -> None:
    guard = loaded(name, backend)
    for verdict, texts in examples(name).items():
        for text in texts:
            tokens = [*text.encode(), END]
            out = np.zeros((len(tokens) + 1, num_words(len(BYTES))), np.int32)
            is_whole = guard.matcher().fill(tokens, out) == len(tokens)
            assert (verdict == "accepted") == is_whole, text


@pytest.mark.parametrize(("name", "backend"), UNREAD)
def test_a_backend_that_cannot_read_a_grammar_is_named_with_its_reason(name: str, backend: Backend) -> None:
    with pytest.raises(GuardError, match=f"{backend} must be able to compile.*{UNREAD[name, backend]}"):
        Guard.load(name, BYTES, backend=backend)
    assert backend in (library.folder() / f"{name}.lark").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READERS)
def test_examples_are_accepted_where_another_reader_of_the_format_takes_them(name: str) -> None:
    for verdict, texts in examples(name).items():
        for text in texts:
            assert (verdict == "accepted") == is_read(name, text), text


@pytest.mark.parametrize("name", [name for name in library.names() if library.source(name).language is Language.REGEX])
def test_a_regex_reads_its_examples_as_pythons_re_does(name: str) -> None:
    for verdict, texts in examples(name).items():
        for text in texts:
            assert (verdict == "accepted") == bool(re.fullmatch(library.source(name).text, text)), text


# What a guard may write: walks along its bitmasks, over pieces that soon lead to whole texts; "·" is a blank.
PIECES = {
    "arithmetic": "0 1 20 3.5 . + - * / ( ) ·",
    "csv": 'a é , " \n \r\n · "" ",',
    "email": "a Z 9 . - @ _ + é example org",
    "function-call": '{"name":" f ","arguments":{ "x": 1 , } [ ] · "a" \\n null -',
    "iso-8601": "0 1 2 3 5 9 00 - 02-29 19 20 T : :59 . Z + 24 60",
    "json": '{ } [ ] : , " "a": 0 1 - . e \\ u00e9 n true null · é \n',
    "json-lines": '{ } [ ] : , " "a": 0 1 - . e \\ u00e9 n true null · é \n {} \n1',
    "semver": "0 1 23 . - + a rc alpha",
    "sql-select": "SELECT· ·FROM· ·WHERE· ·AS· ·JOIN· ·USING( ·ON· ·AND· ·NOT· ·IN· ·LIKE· ·BETWEEN· ·IS· NULL WITH·"
    " ·UNION· ·EXCEPT· ·GROUP·BY· ·HAVING· ·ORDER·BY· ·LIMIT· ·OVER· PARTITION·BY· CASE· ·WHEN· ·THEN· ·END EXISTS·"
    " CAST( ·INTEGER) DISTINCT· ·LEFT· order from a t b2 1 2.5 'x' \"q\" ' \" = <> >= + - · * / || . , ( )",
}


def written(name: str, backend: Backend, rng: random.Random) -> str | None:
    """A text that the guard's bitmasks lead to, None where it has no end after a while."""
    texts = [piece.replace("·", " ") for piece in PIECES[name].split(" ")]
    end = len(texts)
    vocabulary = Vocabulary([text.encode() for text in [*texts, "<end>"]], eos_tokens=[end])
    matcher = Guard.load(name, vocabulary, backend=backend).matcher()
    out = np.zeros((1, num_words(len(vocabulary))), np.int32)
    tokens: list[int] = []
    while len(tokens) < 50:
        matcher.fill((), out)
        allowed = np.flatnonzero(unpacked(out[0])[: end + 1]).tolist()
        if not allowed:
            return None
        token = end if end in allowed and rng.random() < 0.2 else rng.choice(allowed)
        if token == end:
            return "".join(texts[token] for token in tokens)
        matcher.advance([token])
        tokens.append(token)
    return None


@pytest.mark.parametrize(("name", "backend"), [pair for pair in READ if pair[0] in READERS])
def test_what_a_guard_lets_be_written_is_read_by_others(name: str, backend: Backend) -> None:
    rng = random.Random(7)
    texts = {text for _ in range(300) if (text := written(name, backend, rng)) is not None}
    assert len(texts) > 30
    assert [] == [text for text in texts if not is_read(name, text)]


@pytest.mark.parametrize("backend", BACKENDS)
@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1), min_size=1))
@settings(max_examples=100, deadline=None)
def test_what_pythons_csv_writes_is_accepted(backend: Backend, rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    assert loaded("csv", backend).accepts(file.getvalue())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@pytest.mark.parametrize("backend", BACKENDS)
@given(value=JSON, indent=st.none() | st.integers(0, 3), is_ascii=st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_pythons_json_writes_is_accepted(backend: Backend, value: Any, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert loaded("json", backend).accepts(text)
    assert ("\n" not in text) == loaded("json-lines", backend).accepts(text)


LINES = st.lists(st.sampled_from(["", "a", "b", "- c", "-- d", "++ e", "@@ f", "é😀", "\tg\r"]), max_size=12)


@pytest.mark.parametrize("backend", BACKENDS)
@given(before=LINES, after=LINES, context=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_what_pythons_difflib_writes_is_accepted(
    backend: Backend, before: list[str], after: list[str], context: int
) -> None:
    old, new = ([line + "\n" for line in lines] for lines in (before, after))
    text = "".join(difflib.unified_diff(old, new, "a/x", "b/x", "2026-01-01", "", n=context))
    assert (before != after) == loaded("unified-diff", backend).accepts(text)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("year", ["0000", "0004", "0100", "0400", "1900", "2000", "2023", "2024", "2100", "9999"])
def test_every_day_of_a_calendar_is_accepted_and_no_other(backend: Backend, year: str) -> None:
    guard = loaded("iso-8601", backend)
    days = [f"{year}-{month:02}-{day:02}" for month in range(14) for day in range(33)]
    start = datetime.date(int(year), 1, 1) if int(year) else None
    expected = []
    if start is not None:
        is_leap = (datetime.date(int(year), 12, 31) - start).days == 365
        expected = [(start + datetime.timedelta(days=day)).isoformat() for day in range(365 + is_leap)]
    assert expected == [day for day in days if guard.accepts(day)]


def test_an_unknown_grammar_is_refused_with_the_names_there_are_and_the_nearest() -> None:
    with pytest.raises(GuardError, match=r"one of arithmetic, .*sql-select, .*got 'sql_selct': did you mean 'sql-sel"):
        Guard.load("sql_selct", BYTES)
    with pytest.raises(GuardError, match=r"one of arithmetic, .*, got 'zzzz'$"):
        Guard.load("zzzz", BYTES)


def test_a_loaded_guard_is_named_by_its_grammar() -> None:
    assert "Guard.load('semver')" == repr(loaded("semver", "llguidance"))
