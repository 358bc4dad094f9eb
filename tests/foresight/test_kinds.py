"""Kinds of text register themselves, with their own codes, and cost nothing under grammars that they do not fit."""

import ast
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ngramspec import foresight
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import AdaptiveLookup
from ngramspec.drafting.core.plain.features import NUM_EVIDENCE
from ngramspec.foresight import CONTINUED, Evidence, Grammar, Kind, Piece, kinds, register, text_of
from ngramspec.foresight.evidence import NUM_CODES
from ngramspec.foresight.json_text.evidence import JsonEvidence
from ngramspec.foresight.sql import text as sql
from ngramspec.foresight.sql.evidence import SqlEvidence
from ngramspec.foresight.sql.tables import Tables
from ngramspec.guards import Guard, library
from ngramspec.guards.source import Language
from tests.guards.vocabularies import BYTES

PROMPT = "CREATE TABLE singer (name text, age int);\n-- How many singers are older than 30? For customer: ACME\n"


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(kinds, "_registered", [*kinds._registered])


def drafted(guard: Guard, begun: str = "", prompt: str = PROMPT) -> str:
    """What is drafted where nothing can be copied: by what is foreseen alone."""
    matcher, session = guard.matcher(), AdaptiveLookup().open()
    tokens = [np.frombuffer(text.encode(), np.uint8).astype(np.int32) for text in (prompt, begun)]
    steering = RowSteering([matcher], tokens[:1])
    session.extend(tokens[1][:0])
    if begun:
        matcher.advance(tokens[1])
        steering.commit(tokens[1])
    return bytes(steering.draft(session, [matcher], 40, 0.0).tokens.tolist()).decode()


class Alphabet:
    """Small letters, in their order."""

    def __init__(self, grammar: Grammar, prompt: Callable[[], str]) -> None:
        self._letters = "abcdefghijklmnopqrstuvwxyz"

    def start(self) -> int:
        return 0

    def read(self, cursor: int, text: str) -> int:
        return cursor + len(text)

    def foresee(self, cursor: int) -> Iterator[Piece]:
        yield Piece(self._letters[cursor:], AlphabetEvidence.NEXT)

    def is_whole(self, cursor: int) -> bool:
        return cursor >= len(self._letters)


class AlphabetEvidence(IntEnum):
    NEXT = 30


LETTERS = "[a-z]{26}"


@pytest.mark.usefixtures("own_registry")
def test_a_registered_kind_is_foreseen_under_the_grammars_that_it_suits_and_no_others() -> None:
    assert "" == drafted(Guard.regex(LETTERS, BYTES), "abc")
    register(Kind("alphabet", lambda grammar: grammar.text == LETTERS, Alphabet, AlphabetEvidence))
    assert "defghijklmnopqrstuvwxyz" == drafted(Guard.regex(LETTERS, BYTES), "abc")
    assert "" == drafted(Guard.regex("[a-z]{25}", BYTES), "abc")


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("code", [-1, NUM_CODES, Evidence.SURE, JsonEvidence.DATE, SqlEvidence.TABLE])
def test_a_code_out_of_range_or_of_another_kind_is_refused_and_nothing_is_registered(code: int) -> None:
    before = [*kinds._registered]
    codes = IntEnum("codes", {"FIRST": 31, "SECOND": int(code)})
    with pytest.raises(ValueError, match=rf"codes of evidence must .* got {int(code)} of 'mine': use one of \[28, "):
        register(Kind("mine", lambda grammar: True, Alphabet, codes))
    assert before == kinds._registered


def test_every_code_belongs_to_one_kind_and_has_weights_that_learn() -> None:
    codes = [*Evidence, *(code for kind in kinds._registered for code in kind.evidence or ())]
    assert list(range(28)) == sorted(map(int, codes))
    assert 2 * NUM_CODES == CONTINUED + NUM_CODES == NUM_EVIDENCE


@pytest.mark.parametrize("language", Language)
def test_a_schema_is_json_and_any_other_grammar_is_not(language: Language) -> None:
    text = text_of(Grammar(language, '{"type": "string"}'), str)
    expected = foresight.JsonText if language is Language.JSON_SCHEMA else foresight.KeyedText
    assert expected is type(text)


@pytest.mark.parametrize(
    ("grammar", "has_select"),
    [
        (library.source("sql-select").text, True),
        (r"SELECT \w+ FROM \w+", True),
        (r"\sselect\s\w+", True),
        ('root ::= ("select" | "SELECT") " " name', True),
        (r"(?i:select) .*", True),
        (r"selected: \w+", False),
        ("preselect=[0-9]", False),
        ("select_all", False),
        ("[a-z]+", False),
    ],
)
def test_a_grammar_has_select_where_the_word_stands_in_it(grammar: str, has_select: bool) -> None:
    assert (foresight.SqlText if has_select else foresight.KeyedText) is type(text_of(Grammar("regex", grammar), str))


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts that are scanned for tables."""
    found: list[str] = []

    def counting(prompt: str) -> Tables:
        found.append(prompt)
        return Tables(prompt)

    monkeypatch.setattr(sql, "Tables", counting)
    return found


SCHEMA = {"type": "object", "properties": {"select": {"type": "string"}}, "required": ["select"]}


@pytest.mark.parametrize(
    ("guard", "begun", "num_scans"),
    [
        (lambda: Guard.json_schema(SCHEMA, BYTES), "", 0),
        (lambda: Guard.json_schema(SCHEMA, BYTES), '{"select": "', 0),
        (lambda: Guard.regex(r"customer = [A-Z]{4}", BYTES), "", 0),
        (lambda: Guard.grammar('start: "with " /[a-z ]+/\n', BYTES), "with ", 0),
        (lambda: Guard.load("arithmetic", BYTES), "", 0),
        (lambda: Guard.load("sql-select", BYTES), "", 1),
        (lambda: Guard.regex(r"SELECT [A-Z]+\(\*\) FROM [a-z]+", BYTES), "", 1),
    ],
)
def test_a_prompt_is_scanned_for_tables_once_and_only_under_a_grammar_that_has_select(
    guard: Callable[[], Guard], begun: str, num_scans: int, scanned: list[str]
) -> None:
    found = drafted(guard(), begun)
    assert [PROMPT] * num_scans == scanned
    assert num_scans == found.startswith("SELECT COUNT(*) FROM singer")


def test_no_prompt_is_read_before_something_is_foreseen(scanned: list[str]) -> None:
    def prompt() -> str:
        raise AssertionError("nobody needs it yet")

    for grammar in (Grammar("JSON schema", "{}"), Grammar("regex", "a"), Grammar("regex", "SELECT a")):
        text: Any = text_of(grammar, prompt)
        assert not text.is_whole(text.read(text.start(), "a"))
    assert [] == scanned


DOORS: dict[str, set[str]] = {"json_text": set(), "keyed_text": set(), "sql": {"keyed_text"}}
"""Kinds, by their modules, and the others that each may know."""


def test_a_kind_knows_no_other_and_what_they_share_knows_none() -> None:
    root = Path(foresight.__file__).parent
    assert {kind.begin.__module__.split(".")[2] for kind in kinds._registered} == set(DOORS)
    for path in root.rglob("*.py"):
        own = path.relative_to(root).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        modules = [
            node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        ]
        known = {module.split(".")[2] for module in modules if module.startswith("ngramspec.foresight.")}
        assert known & set(DOORS) <= {own, *DOORS.get(own, set())}, path
