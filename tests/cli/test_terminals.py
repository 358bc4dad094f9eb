"""Untrusted text reaches a terminal without control sequences and without markup, whichever command prints it."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ngramspec.cli import main
from ngramspec.cli.terminal import json_line
from ngramspec.printing import is_shown, named, on_one_line, printable
from tests.hf.models import tiny
from tests.hf.tokenizers import character_tokenizer

HOSTILE = "\x1b\x9b\x9d\x07\x08\r\x7f\x00\u202e\u2066\u2028\ud800\ue000\ufeff\u200f\U000e0041"
"""What terminals obey or hide: escape, CSI, OSC, bell, backspace, carriage return, turned directions, tags."""

texts = st.lists(
    st.sampled_from(
        [*HOSTILE, "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "[red]", "[/]", "[/red]", "[link=x]", "[@click]", ":tada:",
         "a", "é", "語", "\u3000", "\u200d", "\u200c", "\ufe0f", "\u0301", "❤", "\n", "\t", " "]
    ),
    min_size=1,
    max_size=8,
).map("".join)  # fmt: skip
"""Texts of strangers."""


class Terminal(io.TextIOWrapper):
    """Standard output, or error, that says it is a terminal; a dumb one, so that rich itself sends no sequences."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", errors="surrogatepass", newline="", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("utf-8", "surrogatepass")


def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """The exit code, and what two terminals were sent."""
    output, errors = Terminal(), Terminal()
    program = ["ngramspec", *map(str, arguments)]
    replaced: dict[str, Any] = {"argv": program, "stdout": output, "stderr": errors}
    replaced["stdin"] = io.TextIOWrapper(io.BytesIO(stdin))
    settings = {"TERM": "dumb", "COLUMNS": "200"}
    with patch.multiple(sys, **replaced), patch.dict(os.environ, settings):
        with pytest.raises(SystemExit) as ended:
            main()
        sent = output.shown, errors.shown
    return int(ended.value.code or 0), *sent


def check_that_it_is_shown(*sent: str) -> None:
    hidden = {character for text in sent for character in text if not is_shown(character)}
    assert set() == hidden


@given(texts)
@example(HOSTILE)
@example("\u200d")
def test_what_is_printable_is_shown_and_nothing_is_lost(text: str) -> None:
    check_that_it_is_shown(printable(text), on_one_line(text), named(text.replace("\0", "")))
    assert "\n" not in on_one_line(text)
    if "\\" not in text:
        spelled = printable(text).encode("raw_unicode_escape", "surrogatepass").decode("unicode_escape")
        assert text == spelled


def test_a_joiner_is_kept_between_characters_and_spelled_elsewhere() -> None:
    heart = "❤️\u200d🔥"
    assert heart == printable(heart)
    assert "\\u200da\\u200c b\\u200d\\u200dc\\u200d" == printable("\u200da\u200c b\u200d\u200dc\u200d")


@given(texts)
def test_a_line_of_json_is_shown_and_says_the_same(text: str) -> None:
    line = json_line({text: [text]})
    check_that_it_is_shown(line)
    assert "\n" not in line
    assert {text: [text]} == json.loads(line)


@given(st.lists(texts, min_size=1, max_size=3))
@example(["\u200d"])
@example(["\ufe0f", "\u200d\u200d語語"])
@settings(max_examples=30, deadline=None)
def test_replay_shows_names_of_segments(tmp_path_factory: pytest.TempPathFactory, names: Sequence[str]) -> None:
    path = tmp_path_factory.mktemp("replay") / "rows.jsonl"
    rows = [{"prompt_ids": [1], "output_ids": [1, 2], "segment": name} for name in names]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, output, errors = run("replay", path)
    assert 0 == code, errors
    check_that_it_is_shown(output, errors)
    assert all(on_one_line(name).rstrip() in output for name in names)
    code, output, _ = run("replay", path, "--json")
    assert set(names) == set(json.loads(output)["segments"])


@given(texts, texts)
@settings(max_examples=30, deadline=None)
def test_errors_show_names_of_files_and_what_is_in_them(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: str
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    name = name.replace("\0", "").replace("\ud800", "").replace("/", "") or "a"
    path = folder / f"{name}.jsonl"
    path.write_text(content.replace("\ud800", ""), newline="")
    (folder / "prompt.txt").write_text("abc")
    prompt = ["--prompt-file", folder / "prompt.txt"]
    for command in (
        ["replay", path],
        ["replay", path, "--cost", path],
        ["replay", path, "--tokenizer", path],
        ["check", "--prompts", path],
        ["generate", "--prompt-file", path],
        ["generate", *prompt, "--schema", path],
        ["generate", *prompt, "--model", path],
        ["generate", *prompt, "--model", folder / name],
        ["generate", *prompt, f"--{name}"],
        [name],
        ["replay", folder / f"{name}.json"],
        ["generate", "--prompt-file", folder / f"missing {name}"],
    ):
        code, output, errors = run(*command)
        assert 2 == code, (command, output, errors)
        check_that_it_is_shown(output, errors)


@given(texts)
@settings(max_examples=20, deadline=None)
def test_errors_show_what_is_wrong_in_rows(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    for row in (
        {"prompt": text, "output": 5},
        {"prompt": text, "output": text},
        {"segment": text, text: text},
        {"messages": [{"role": text, "content": text}]},
        {"messages": [{"role": "user", "content": {text: text}}]},
        {"prompt_ids": [text], "output_ids": []},
    ):
        path.write_text(json.dumps(row))
        for command in (["replay", path, "--tokenizer", "pico"], ["check", "--prompts", path, "--model", "/missing"]):
            code, output, errors = run(*command)
            assert code in (0, 2), errors
            check_that_it_is_shown(output, errors)


@pytest.fixture(scope="module")
def hostile_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose every token is a control or markup."""
    folder = tmp_path_factory.mktemp("[red]hostile")
    tokenizer = character_tokenizer("\x1b[\x9b]/ab\u202e\x07\r")
    tiny("llama", vocabulary=len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("text", ["ab[/]", "a\x1b[b", "[a]\x9b\u202e", "\x1b]0;a\x07b"])
def test_generate_and_check_show_what_a_model_wrote(
    hostile_model: Path, tmp_path: Path, text: str, lines: bool
) -> None:
    path = tmp_path / ("p.jsonl" if lines else "p.txt")
    path.write_text(f"{json.dumps({'prompt': text})}\n" * 2 if lines else text)
    settings: list[Any] = ["--model", hostile_model, "--max-new-tokens", 20]
    code, output, errors = run("generate", "--prompt-file", path, *settings, "--segment", text, "--compare")
    assert 0 == code, errors
    check_that_it_is_shown(output, errors)
    assert on_one_line(text) in errors
    sent = output + errors  # of several lines on one terminal, above the bar
    code, streamed, errors = run("generate", "--prompt-file", path, *settings)
    assert 0 == code, errors
    check_that_it_is_shown(streamed, errors)
    assert any(spelled in sent for spelled in ("\\x1b", "\\x9b", "\\u202e", "\\u001b", "\\u009b", "\\x07", "\\u0007"))
    code, output, errors = run("check", "--prompts", path, *settings)
    assert code in (0, 3), errors
    check_that_it_is_shown(output, errors)


def test_a_file_or_a_pipe_gets_the_text_as_it_is(hostile_model: Path, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a\x1b[b")
    with patch.object(Terminal, "isatty", lambda self: False):
        code, output, _ = run("generate", "--prompt-file", tmp_path / "p.txt", "--model", hostile_model)
    assert 0 == code
    assert any(character in output for character in HOSTILE)


def test_a_bug_of_ours_is_shown_without_controls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("\x1b]0;a bug\x07")

    monkeypatch.setattr(sys.modules["ngramspec.cli.replay"], "replay_traces", fail)
    code, output, errors = run("replay", tmp_path)
    assert 70 == code
    assert "ZeroDivisionError: \\x1b]0;a bug" in errors
    check_that_it_is_shown(output, errors)
