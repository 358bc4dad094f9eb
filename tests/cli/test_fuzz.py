"""`ngramspec fuzz`: what was tried, in what shares, what failed and how to repeat it; exit codes for scripts."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngramspec import Guard, Speculator
from ngramspec.testing.fuzzing import playing
from tests.cli.conftest import Command

Write = Callable[[str, str], Path]
SCHEMA = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'
EMPTY = str(Path(__file__).parent)
"""A folder without constraints."""
SHARES = [
    "partial acceptance",
    "illegal token in mid-draft",
    "end of sequence in mid-draft",
    "marker inside a token",
]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let speculation lose the last token of a text of which drafts were accepted."""

    class Broken(Speculator):
        def __call__(self, *arguments: Any, **more: Any) -> Any:
            output = super().__call__(*arguments, **more)
            return output[:, :-1] if self.stats.total.num_accepted_tokens else output

    monkeypatch.setattr(playing, "Speculator", Broken)


def test_nothing_fails_and_the_shares_are_printed(run: Command) -> None:
    # What Hypothesis draws for a seed depends on all modules that are loaded, and seldom is too little of one thing.
    for seed in (2, 3, 4):
        outcome = run("fuzz", "--examples", 300, "--seed", seed)
        first, *lines = outcome.output.splitlines()
        assert first.startswith("300 outputs with drafts, ")
        printed = dict(line.split("%", 1)[::-1] for line in lines[:4])
        assert SHARES == [name.strip() for name in printed]
        is_tested = all(5.0 <= float(share) <= 100.0 for share in printed.values())
        assert (0 if is_tested else 3) == outcome.code, outcome.output
        assert outcome.output.endswith("nothing failed\n" if is_tested else "give more examples\n")
        if is_tested:
            return
    pytest.fail("none of three seeds has tried enough")


@pytest.mark.usefixtures("broken")
def test_what_fails_is_small_and_says_how_it_comes_again(run: Command) -> None:
    outcome = run("fuzz", "--regex", "[0-9]{4}-[0-9]{2}", "--examples", 100, "--seed", 7)
    assert outcome.code == 1
    assert "\nidentity: without drafts [" in outcome.output
    assert "1 failed; again: ngramspec fuzz --regex '[0-9]{4}-[0-9]{2}' --examples 100 --seed 7\n" in outcome.output
    (snippet,) = [line.strip() for line in outcome.output.splitlines() if "import *" in line]
    with pytest.raises(AssertionError, match=r"^identity: without drafts"):
        exec(snippet, {})


@pytest.mark.usefixtures("broken")
def test_json_lists_what_failed(run: Command, write: Write) -> None:
    file = write("a.schema.json", SCHEMA)
    outcome = run("fuzz", "--schema", file, "--examples", 50, "--json")
    assert outcome.code == 1
    report = json.loads(outcome.output)
    assert "identity" == report["failures"][0]["kind"]
    assert "a.schema.json" == report["failures"][0]["constraint"]
    assert SHARES == list(report["shares"])
    assert {"ngramspec", "llguidance", "jsonschema"} <= set(report["versions"])


def test_a_guard_that_is_too_wide_is_found(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Guard.regex
    monkeypatch.setattr(Guard, "regex", lambda pattern, *more, **options: right(f"({pattern})a*", *more, **options))
    outcome = run("fuzz", "--regex", "a{2}", "--examples", 100)
    assert outcome.code == 1
    assert "regex 'a{2}'" in outcome.output


def test_a_corpus_is_read_and_its_texts_are_held_against_the_guards(run: Command, tmp_path: Path) -> None:
    row = {"id": "right", "schema": json.loads(SCHEMA), "valid": [{"a": 1}], "invalid": [{"a": "1"}, {}]}
    wrong = {"id": "wrong", "schema": {"type": "integer"}, "valid": [1], "invalid": [2]}
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n" + json.dumps(wrong) + "\n")
    (tmp_path / "date.regex").write_text("[0-9]{4}-[0-9]{2}\n")
    (tmp_path / "sum.lark").write_text('start: DIGIT ("+" DIGIT)*\nDIGIT: /[0-9]/\n')
    outcome = run("fuzz", "--corpus", tmp_path, "--examples", 160, "--json")
    assert outcome.code == 1
    report = json.loads(outcome.output)
    assert {"wrong"} == {failure["constraint"] for failure in report["failures"]}
    again = [failure["example"] for failure in report["failures"] if "'2', " in failure["example"]]
    with pytest.raises(AssertionError, match=r"agreement: .* accepts '2', and jsonschema does not"):
        exec(f"from ngramspec.testing.fuzzing import *; {again[0]}", {})
    assert 160 <= report["examples"] + 40


def test_the_grammars_that_come_along_hold(run: Command) -> None:
    outcome = run("fuzz", "--corpus", Path(__file__).parents[2] / "grammars", "--examples", 150, "--json")
    report = json.loads(outcome.output)
    assert [] == report["failures"]
    assert 500 <= report["texts"], "the examples beside the grammars were not read"


def test_a_tokenizer_can_be_named(run: Command) -> None:
    outcome = run("fuzz", "--regex", "(yes|no) [0-9]+", "--tokenizer", "pico", "--examples", 40, "--json")
    assert outcome.code in (0, 3)
    assert 40 <= json.loads(outcome.output)["examples"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--regex", "a", "--schema", "b"], "one constraint at a time, got --schema and --regex"),
        (["--schema", "missing.json"], "missing.json must be a file that can be read, got: No such file or directory"),
        (["--grammar", EMPTY], f"{EMPTY} must be a file that can be read, got: Is a directory"),
        (["--regex", "a("], "llguidance must be able to compile the regex"),
        (["--regex", "a", "--tokenizer", "nowhere/at-all"], "a tokenizer must be 'tekken', 'pico', or a path or name"),
        (["--corpus", EMPTY], f"a corpus must hold .schema.json, .regex, .lark or .jsonl files, got none in {EMPTY}"),
    ],
)
def test_errors_that_the_user_can_fix_end_in_exit_code_2(run: Command, arguments: list[str], said: str) -> None:
    outcome = run("fuzz", *arguments)
    assert outcome.code == 2
    assert said in " ".join(outcome.errors.replace("│", " ").split())


def test_a_row_that_is_something_else_is_named(run: Command, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"schema": {}}\n{"prompt": "a"}\n')
    outcome = run("fuzz", "--corpus", tmp_path)
    assert outcome.code == 2
    assert 'a row must be {"schema": …, "valid": […], "invalid": […]}, got ' in outcome.errors
    assert "rows.jsonl:2: KeyError('schema')" in outcome.errors
