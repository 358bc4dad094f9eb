"""Bad input to `ngramspec generate`: one line on standard error, exit code 2, and no text."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, save_tiny
from tests.hf.models import MAX_POSITIONS

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", " \n", "empty.txt: a prompt must hold some text, got ' \\n': write one"),
        (
            "empty.jsonl",
            "\n",
            'empty.jsonl: a file of prompts must hold at least one line, got none: write {"prompt": ',
        ),
        ("a.jsonl", '{"prompt": "a"}\n\n{"prompt": ""}', "a.jsonl:3: a prompt must hold some text, got ''"),
        (
            "b.jsonl",
            '{"prompt": "a"}\n{"prompt"',
            "b.jsonl:2: a line must hold one JSON object, got '{\"prompt\"' (Expe",
        ),
        (
            "c.jsonl",
            '{"text": "a"}',
            "c.jsonl:1: a line must be {\"prompt\": text} or {\"messages\": […]}, got {'text': 'a'}: add the prompt",
        ),
        (
            "d.jsonl",
            '{"prompt": 5}',
            'd.jsonl:1: a line must be {"prompt": text} or {"messages": […]}, got {\'prompt\': 5}: add the prompt',
        ),
        ("f.jsonl", '{"prompt": "a \\ud800"}', r"f.jsonl:1: a prompt must be valid Unicode, got 'a \ud800': pair its"),
        ("e.jsonl", "[1]", 'e.jsonl:1: a line must be {"prompt": text} or {"messages": […]}, got [1]: add the prompt'),
    ],
)
def test_an_unusable_prompt_is_named_by_its_origin(
    run: Command, model: Path, write: Write, name: str, content: str, message: str
) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write(name, content))
    assert outcome.code == 2
    assert outcome.output == ""
    assert outcome.errors.startswith("ngramspec: ")
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1


def test_a_missing_file_is_named(run: Command, tmp_path: Path) -> None:
    outcome = run("generate", "--prompt-file", tmp_path / "nowhere.txt")
    assert outcome.code == 2
    assert "nowhere.txt must be a file that can be read, got: No such file or directory: name" in outcome.errors


def test_a_file_that_is_not_text_is_named(run: Command, tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(b"\xff\xd8")
    outcome = run("generate", "--prompt-file", tmp_path / "picture.txt")
    assert outcome.code == 2
    assert "picture.txt: prompts must be UTF-8, got 'utf-8' codec can't decode byte 0xff" in outcome.errors


def test_a_model_that_is_not_there_is_named(run: Command, write: Write, tmp_path: Path) -> None:
    outcome = run("generate", "--model", tmp_path, "--prompt-file", write("prompt.txt", "abab"))
    assert outcome.code == 2
    rule = f"ngramspec: --model must be pico, a model's folder or its name on the hub, got {str(tmp_path)!r}: "
    assert outcome.errors.startswith(rule)
    assert outcome.errors.count("\n") == 1


def test_a_prompt_longer_than_the_model_allows_is_named_before_anything_is_decoded(
    run: Command, model: Path, write: Write
) -> None:
    lines = [json.dumps({"prompt": prompt}) for prompt in ("ab", "a" * MAX_POSITIONS)]
    file = write("long.jsonl", "\n".join(lines))
    outcome = run("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 20)
    assert outcome.code == 2
    assert outcome.output == ""
    assert (
        f"long.jsonl:2: prompt and --max-new-tokens must fit the model's {MAX_POSITIONS} positions,"
        f" got {MAX_POSITIONS} + 20 tokens: shorten one of them\n" in outcome.errors
    )


def test_chat_without_a_template_is_refused(run: Command, model: Path, write: Write) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), "--chat")
    assert outcome.code == 2
    assert f"--chat needs a tokenizer with a chat template, got {model} without one: leave it out\n" in outcome.errors


def test_a_batch_needs_a_pad_token(run: Command, write: Write, tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "bare", pad=False, end=False)
    file = write("prompts.jsonl", '{"prompt": "ab"}\n{"prompt": "abc"}')
    outcome = run("generate", "--model", model, "--prompt-file", file, "--batch", 2)
    assert outcome.code == 2
    assert f"a batch needs a pad token, got a tokenizer without one for {model}: use --batch 1\n" in outcome.errors


def test_a_batch_of_samples_cannot_be_compared(run: Command, model: Path, write: Write) -> None:
    file = write("prompts.jsonl", '{"prompt": "ab"}')
    outcome = run("generate", "--model", model, "--prompt-file", file, "--batch", 2, "--sample", "--compare")
    assert outcome.code == 2
    assert "--compare with --sample needs --batch 1" in outcome.errors
    assert outcome.errors.endswith("got --batch 2\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--temperature", "0.5"], "--temperature and --top-p are for sampling: add --sample, or leave them out"),
        (["--sample", "--temperature", "0"], "--temperature must be > 0 and finite, got 0.0: leave --sample out"),
        (["--sample", "--temperature", "nan"], "--temperature must be > 0 and finite, got nan"),
        (["--sample", "--seed", "9" * 40], "Invalid value for '--seed'"),
        (["--sample", "--top-p", "1.5"], "--top-p must be > 0 and <= 1, got 1.5"),
        (["--batch", "0"], "Invalid value for '--batch'"),
        (["--max-new-tokens", "0"], "Invalid value for '--max-new-tokens'"),
        (["--bach", "3"], "No such option"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    run: Command, model: Path, write: Write, options: list[str], message: str
) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), *options)
    assert outcome.code == 2
    assert message in outcome.errors
