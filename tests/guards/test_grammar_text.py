"""Guard.grammar: text or path, and what is said of what it cannot read."""

from pathlib import Path

import pytest

from ngramspec.errors import GuardError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.guards.source import Backend

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos_tokens=[256])
BACKENDS: tuple[Backend, ...] = ("llguidance", "xgrammar")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('start: "a" b\n', "1.*unknown name"),
        ('start: "a"\nb "c"\n', "2.*xpected"),
        ("start: A\nA: /[a-z/\n", "2.*[uU]nclosed"),
        ('start: "a"\n%import common.NOPE\n', "2.*common.NOPE"),
        ('root: "a"\n', "no start rule"),
    ],
)
def test_an_error_in_lark_is_told_with_its_line(text: str, place: str, backend: Backend) -> None:
    with pytest.raises(GuardError, match=f"(?s){backend} must be able to compile the Lark grammar, got: .*{place}"):
        Guard.grammar(text, VOCABULARY, backend=backend)


def test_xgrammars_errors_come_without_the_places_of_its_own_source() -> None:
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
def test_a_path_is_a_path_object_or_a_line_that_ends_as_a_grammars_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert Guard.grammar(path, VOCABULARY).accepts("éé")
    assert Guard.grammar(str(path), VOCABULARY).accepts("éé")


@pytest.mark.parametrize("as_type", [str, Path])
def test_a_path_without_a_file_is_named(tmp_path: Path, as_type: type) -> None:
    with pytest.raises(GuardError, match=r"a grammar's path must be a file's, got .*none.lark.*: No such file"):
        Guard.grammar(as_type(tmp_path / "none.lark"), VOCABULARY)


@pytest.mark.parametrize("as_type", [str, Path])
@pytest.mark.parametrize(("name", "instead"), [("a.regex", "Guard.regex"), ("a.schema.json", "Guard.json_schema")])
def test_a_file_of_another_kind_is_told_where_it_goes(as_type: type, name: str, instead: str) -> None:
    with pytest.raises(GuardError, match=rf"a grammar is Lark or GBNF, got '{name}': call {instead} with its content"):
        Guard.grammar(as_type(name), VOCABULARY)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(GuardError, match="a grammar must be a text or a Path, got 7"):
        Guard.grammar(7, VOCABULARY)  # type: ignore[arg-type]
