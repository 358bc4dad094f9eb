"""How commands end: exit codes with one meaning each, and suggestions for mistyped names."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import ngramspec
from tests.cli.conftest import Command

PROGRAM = [sys.executable, "-c", "import sys; sys.argv[0] = 'ngramspec'; from ngramspec.cli import main; main()"]


def test_the_version_is_the_packages(run: Command) -> None:
    outcome = run("--version")
    assert outcome.code == 0
    assert outcome.output == f"ngramspec {ngramspec.__version__}\n"


def test_the_installed_version_is_the_one_that_is_printed() -> None:
    assert version("ngramspec") == ngramspec.__version__


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generte"], "No such command 'generte'. Did you mean 'generate'?"),
        (["chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["generate", "--modle", "pico"], "No such option"),
        (["generate", "--prompt-file", "p", "--backend", "xgramar"], "'xgramar' is not one of"),
    ],
)
def test_a_typo_gets_the_right_word(run: Command, arguments: list[str], said: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert said in outcome.errors


def test_a_file_that_only_ends_alike_is_not_meant(run: Command, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text("")
    assert "did you mean" not in run("replay", tmp_path / "missing.jsonl").errors


@pytest.mark.parametrize(
    "command",
    [["replay"], ["fuzz", "--schema"], ["fuzz", "--grammar"], ["generate", "--prompt-file", "p.txt", "--schema"]],
)
def test_a_file_that_cannot_be_read_is_named_in_a_sentence_with_the_one_beside_it(
    run: Command, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    missing = run(*command, tmp_path / "row.jsonl")
    assert missing.code == 2
    rule = f"ngramspec: {tmp_path / 'row.jsonl'} must be a file that can be read, got: No such file or directory"
    rule += ": name one that exists"
    assert missing.errors == f"{rule} (did you mean {tmp_path / 'rows.jsonl'}?)\n"
    folder = run(*command, tmp_path)
    assert folder.code == 2
    assert (
        folder.errors
        == f"ngramspec: {tmp_path} must be a file that can be read, got: Is a directory: name a file in it\n"
    )


@pytest.mark.parametrize("option", ["--prompt-file", "--record"])
def test_a_file_in_a_folder_that_is_not_there_is_told_from_a_missing_file(
    run: Command, tmp_path: Path, option: str
) -> None:
    (tmp_path / "p.txt").write_text("Hello")
    outcome = run("generate", "--prompt-file", tmp_path / "p.txt", option, tmp_path / "nowhere" / "rows.jsonl")
    assert outcome.code == 2
    assert outcome.errors.endswith("No such file or directory: make the folder, or name one that exists\n")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["replay", "rows.jsonl", "--json"], ["replay", "rows.jsonl"]]
)
def test_a_reader_that_has_gone_is_no_finding(tmp_path: Path, arguments: list[str]) -> None:
    """`ngramspec … | head` may end in 141, as any program does there; 1 would say that a check has found a defect."""
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt_ids": [1], "output_ids": [1, 2]}))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*PROGRAM, *arguments], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (141, "") == (done.returncode, done.stderr)


def test_a_bug_of_ours_has_another_exit_code_than_a_finding(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(sys.modules["ngramspec.cli.replay"], "replay_traces", fail)
    outcome = run("replay", tmp_path)
    assert outcome.code == 70
    assert "Traceback" in outcome.errors
    assert "ZeroDivisionError: a bug" in outcome.errors


def test_an_interrupt_is_no_finding(run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt  # as SIGINT does, which a job in the background may ignore

    monkeypatch.setattr(sys.modules["ngramspec.cli.replay"], "replay_traces", interrupt)
    assert run("replay", tmp_path).code == 130
