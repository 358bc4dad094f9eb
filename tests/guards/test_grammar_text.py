"""Guard.grammar and Guard.grammar_file, and the errors for what they cannot read."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.source import Backend, is_gbnf

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos_tokens=[256])
BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('start: "a" b\n', "1.*unknown name"),
        ('start: "a"\nb "c"\n', "2.*xpected"),
        ("start: A\nA: /[a-z/\n", "2.*[uU]nclosed"),
        ('start: "a"\n%import common.NOPE\n', "2.*common.NOPE"),
        ('root: "a"\n', "no start rule"),
    ],
)
def test_an_error_in_lark_names_its_line(text: str, line: str, backend: Backend) -> None:
    with pytest.raises(GuardError, match=f"(?s){backend} must be able to compile the Lark grammar, got: .*{line}"):
        Guard.grammar(text, VOCABULARY, backend=backend)


def test_xgrammars_errors_come_without_positions_in_its_own_code() -> None:
    with pytest.raises(GuardError) as raised:
        Guard.grammar("start: A\nA: /[a-z/\n", VOCABULARY, backend="xgrammar")
    assert ".cc:" not in str(raised.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_word_that_marks_llguidances_lark_is_read_by_both(backend: Backend) -> None:
    guard = Guard.grammar('%llguidance {}\n\nstart: "a"+\n', VOCABULARY, backend=backend)
    assert guard.accepts("aa")
    assert not guard.accepts("")


def test_xgrammar_refuses_what_the_word_may_ask_for() -> None:
    with pytest.raises(GuardError, match=r"line 1.*%llguidance is not supported"):
        Guard.grammar('%llguidance {"no_forcing": true}\nstart: "a"\n', VOCABULARY, backend="xgrammar")


@pytest.mark.parametrize(("name", "text"), [("g.lark", 'start: "é"+\n'), ("g.gbnf", 'root ::= "é"+\n')])
@pytest.mark.parametrize("as_type", [str, Path])
def test_a_grammars_file_is_read_by_its_path(tmp_path: Path, name: str, text: str, as_type: type) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    guard = Guard.grammar_file(as_type(path), VOCABULARY)
    assert guard.accepts("éé")
    assert f"Guard.grammar_file({str(path)!r})" == repr(guard)


def test_a_text_is_never_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a:b.lark").write_text('start: "secret"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for text in ("a:b.lark", str(tmp_path / "a:b.lark")):
        with pytest.raises(GuardError, match=r"must be able to compile the Lark grammar|must have rules") as raised:
            Guard.grammar(text, VOCABULARY)
        assert "secret" not in str(raised.value)
    with pytest.raises(GuardError, match=r"a grammar must be a text, got .*: call Guard.grammar_file with a path"):
        Guard.grammar(Path("a:b.lark"), VOCABULARY)  # type: ignore[arg-type]


def test_a_path_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"a grammar's path must lead to a file, got .*none.lark.*: No such file"):
        Guard.grammar_file(tmp_path / "none.lark", VOCABULARY)
    with pytest.raises(GuardError, match="no file can have that name"):
        Guard.grammar_file("a\0.lark", VOCABULARY)


def test_only_regular_files_are_read_and_no_more_than_the_limit(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.lark"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(GuardError, match=r"must be a regular file, got|lead to a file, got .*: Is a directory"):
            Guard.grammar_file(path, VOCABULARY)
    sparse = tmp_path / "sparse.lark"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(GuardError, match=r"at most 1000000 bytes, got more, .*: raise max_source_bytes of limits="):
        Guard.grammar_file(sparse, VOCABULARY)


def test_an_error_quotes_nothing_of_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "g.lark"
    path.write_bytes(b"secret\xff")
    with pytest.raises(GuardError, match=r"grammar's file must be text in UTF-8, got .*: invalid at byte 6") as raised:
        Guard.grammar_file(path, VOCABULARY)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("as_type", [str, Path])
@pytest.mark.parametrize(("name", "instead"), [("a.regex", "Guard.regex"), ("a.schema.json", "Guard.json_schema")])
def test_a_file_in_another_language_is_an_error_that_names_the_constructor(
    as_type: type, name: str, instead: str
) -> None:
    with pytest.raises(GuardError, match=rf"must be Lark or GBNF, got '{name}': call {instead} with its content"):
        Guard.grammar_file(as_type(name), VOCABULARY)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(GuardError, match="a grammar must be a text, got 7"):
        Guard.grammar(7, VOCABULARY)  # type: ignore[arg-type]
    with pytest.raises(GuardError, match="a grammar's path must be a str or a Path, got 7"):
        Guard.grammar_file(7, VOCABULARY)  # type: ignore[arg-type]


NAMED = re.compile(r"^\s*[\w-]+\s*::=", re.MULTILINE)
"""What `is_gbnf` means; as a regex it takes time that grows with the square of the blank lines."""


@given(st.lists(st.sampled_from(["a", "-", "_", "é", " ", "\t", "\n", "\r", "\f", "::=", "::", '"', "|", "\u2028"])))
@settings(deadline=None)
def test_gbnf_is_recognised_as_the_obvious_regex_recognises_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert (NAMED.search(text) is not None) == is_gbnf(text)
