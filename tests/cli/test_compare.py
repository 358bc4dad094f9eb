"""`ngramspec generate --compare`: the same texts, or exit code 1."""

from pathlib import Path

import pytest

from ngramspec.cli.models import Loaded
from tests.cli.conftest import Command, break_speculation
from tests.cli.test_generate import LINES, PROMPTS, Write, plain


@pytest.mark.parametrize("batch", [1, 3])
def test_compare_decodes_plainly_too_and_finds_the_same_texts(
    run: Command, model: Path, write: Write, batch: int
) -> None:
    file = write("prompts.jsonl", LINES)
    outcome = run(
        "generate", "--model", model, "--prompt-file", file, "--batch", batch, "--max-new-tokens", 30, "--compare"
    )
    assert outcome.code == 0
    assert "identical: 5 of 5 texts" in outcome.errors
    assert "plain" in outcome.errors
    assert [line["prompt"] for line in outcome.lines] == PROMPTS


def test_compare_counts_no_warm_up(run: Command, model: Path, write: Write) -> None:
    file = write("prompt.txt", PROMPTS[0])
    outcome = run("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 30, "--compare")
    assert outcome.errors.startswith("1 requests, 30 tokens")
    assert outcome.output == plain(model, PROMPTS[0], 30) + "\n"


def test_compare_exits_with_1_where_a_text_differs(
    run: Command, model: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_speculation(monkeypatch)
    file = write("prompts.jsonl", LINES)
    outcome = run("generate", "--model", model, "--prompt-file", file, "--batch", 5, "--compare")
    assert outcome.code == 1
    assert "identical: 4 of 5 texts" in outcome.errors
    assert "near-tie" not in outcome.errors


def test_compare_explains_a_difference_in_half_precision(
    run: Command, model: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_speculation(monkeypatch)
    monkeypatch.setattr(Loaded, "dtype", "bfloat16")
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), "--compare")
    assert outcome.code == 1
    assert "In bfloat16" in outcome.errors
    assert "near-tie" in outcome.errors


def test_sampled_texts_compare_too_prompt_by_prompt(run: Command, model: Path, write: Write) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompts.jsonl", LINES), "--sample", "--compare",
                  "--max-new-tokens", 30)  # fmt: skip
    assert outcome.code == 0
    assert "identical: 5 of 5 texts" in outcome.errors
