"""`ngramspec check`: a table, differences, one verdict, and an exit code for scripts."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel, T5Config, T5ForConditionalGeneration

from ngramspec.cli.loading import load
from ngramspec.cli.prompts import Prompt
from ngramspec.hf import Speculator
from ngramspec.testing import equivalence
from tests.cli.conftest import ALPHABET, Command, save_tiny
from tests.hf.models import MAX_POSITIONS
from tests.hf.tokenizers import character_tokenizer

Write = Callable[[str, str], Path]
LINES = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("abcabcabcab", "hij", "ed ed ed"))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let speculation lose the last token of every text."""

    class Broken(Speculator):
        def __call__(self, *arguments: Any, **more: Any) -> Any:
            return super().__call__(*arguments, **more)[:, :-1]

    monkeypatch.setattr(equivalence, "Speculator", Broken)


def test_equal_texts_end_in_exit_code_0_and_a_table_of_what_was_tried(run: Command, model: Path, write: Write) -> None:
    outcome = run("check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 12)
    assert outcome.code == 0
    assert outcome.output.endswith("identical: every text, token by token\n")
    rows = [line.split() for line in outcome.output.splitlines() if line.endswith("  identical")]
    assert [["greedy,", "alone"], ["sampled,", "alone"], ["greedy,", "batch"], ["sampled,", "batch"]] == [
        row[:2] for row in rows
    ]
    for row in rows:
        *_, accepted, rolled_back, differ, _finding = row
        assert int(accepted) > 0
        assert int(rolled_back) > 0
        assert differ == "0"
    assert "greedy, batch 4: against plain generate(), same batch" in outcome.output
    assert "sampled, batch 4: against plain generate(), each row alone with its own seed" in outcome.output


def test_a_file_without_the_suffix_holds_one_prompt_per_line(run: Command, model: Path, write: Write) -> None:
    file = write("p.txt", "abab\n\nhij\n")
    outcome = run("check", "--model", model, "--prompts", file, "--max-new-tokens", 12, "--batch", 1, "--json")
    assert outcome.code == 0
    report = json.loads(outcome.output)
    assert [f"{file}:1", f"{file}:3"] == report["prompts"]
    assert "identical" == report["finding"]
    assert str(model) == report["model"]
    assert ["ngramspec", "torch", "transformers"] == list(report["versions"])
    assert [4, 4] == [mode["texts"] for mode in report["modes"]]


@pytest.mark.usefixtures("broken")
def test_a_defect_ends_in_exit_code_1_and_is_named(run: Command, model: Path, write: Write) -> None:
    file = write("p.jsonl", LINES)
    outcome = run("check", "--model", model, "--prompts", file, "--max-new-tokens", 12)
    assert outcome.code == 1
    assert f"greedy, alone, {file}:1, emitted token 11: defect\n  plain chose " in outcome.output
    assert ", with drafts (default settings) the end\n  top-2 gap " in outcome.output
    assert "greedy, alone: 3 more differences, which --json lists\n" in outcome.output
    assert outcome.output.endswith(
        "defect: with drafts something is not as in plain decoding, and rounding does not explain it\n"
    )


@pytest.mark.usefixtures("broken")
def test_json_lists_every_difference(run: Command, model: Path, write: Write) -> None:
    outcome = run("check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 12, "--json")
    assert outcome.code == 1
    report = json.loads(outcome.output)
    assert [6, 6, 8, 8] == [len(mode["differences"]) for mode in report["modes"]]


def test_texts_that_nothing_was_drafted_for_are_no_pass(run: Command, model: Path, write: Write) -> None:
    outcome = run("check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 1)
    assert outcome.code == 3
    assert "untested: no draft was accepted, or none rolled back, so equal texts prove nothing" in outcome.output


def test_a_model_that_cannot_be_drafted_for_is_untested(run: Command, write: Write, tmp_path: Path) -> None:
    tokenizer = character_tokenizer(ALPHABET)
    config = OpenAIGPTConfig(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, eos_token_id=1)
    OpenAIGPTLMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    outcome = run("check", "--model", tmp_path, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 5)
    assert outcome.code == 3
    assert "untested: OpenAIGPTLMHeadModel takes no cache of keys and values" in outcome.output


def test_an_encoder_decoder_model_is_loaded_as_one_and_its_output_is_all_its_own(tmp_path: Path) -> None:
    tokenizer = character_tokenizer(ALPHABET)
    sizes: dict[str, Any] = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    tokens: dict[str, Any] = {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    config = T5Config(vocab_size=len(tokenizer), **sizes, **tokens)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = load(str(tmp_path))
    assert isinstance(loaded.model, T5ForConditionalGeneration)
    prompt = loaded.encode([Prompt("abcabc", "here")])
    model: Any = loaded.model
    plain = model.generate(**prompt, max_new_tokens=7)
    assert plain[:, 1:].tolist() == loaded.generate(prompt, None, max_new_tokens=7).tolist()


def test_a_precision_can_be_asked_for(run: Command, model: Path, write: Write) -> None:
    arguments = ["check", "--model", model, "--prompts", write("p.txt", "ab"), "--max-new-tokens", 8, "--batch", 1]
    assert json.loads(run(*arguments, "--json").output)["dtype"] == "float64"
    assert json.loads(run(*arguments, "--json", "--dtype", "float32").output)["dtype"] == "float32"
    assert load("pico", "bfloat16").model.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", " \n", "empty.txt: a file of prompts must hold at least one line, got none: write a prompt"),
        ("empty.jsonl", "\n", 'empty.jsonl: a file of prompts must hold at least one line, got none: write {"prompt":'),
        ("b.jsonl", '{"prompt": "a"}\n{"prompt"', "b.jsonl:2: a line must hold one JSON object, got '{\"prompt\"'"),
        (
            "long.txt",
            f"ab\n{'a' * MAX_POSITIONS}",
            f"long.txt:2: prompt and --max-new-tokens must fit the model's {MAX_POSITIONS} positions,"
            f" got {MAX_POSITIONS} + 64 tokens: shorten one of them",
        ),
    ],
)
def test_unusable_prompts_end_in_exit_code_2(
    run: Command, model: Path, write: Write, name: str, content: str, message: str
) -> None:
    outcome = run("check", "--model", model, "--prompts", write(name, content))
    assert outcome.code == 2
    assert outcome.output == ""
    assert message in outcome.errors
    assert outcome.errors.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--prompts", "nowhere.txt"],
            "nowhere.txt must be a file that can be read, got: No such file or directory: name",
        ),
        ([], "Missing option '--prompts'"),
        (["--prompts", "p.txt", "--dtype", "int8"], "Invalid value for '--dtype'"),
        (["--prompts", "p.txt", "--batch", "0"], "Invalid value for '--batch'"),
        (["--prompts", "p.txt", "--max-draft-tokens", "0"], "Invalid value for '--max-draft-tokens'"),
    ],
)
def test_options_that_make_no_sense_end_in_exit_code_2(run: Command, options: list[str], message: str) -> None:
    outcome = run("check", *options)
    assert outcome.code == 2
    assert message in outcome.errors


def test_a_pipe_shows_each_mode_as_it_is_finished(run: Command, model: Path, write: Write) -> None:
    outcome = run("check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 8)
    assert outcome.errors.splitlines() == [
        "greedy, alone: identical; 6 texts, 0 differ (3 of 8 batches)",
        "sampled, alone: identical; 6 texts, 0 differ (6 of 8 batches)",
        "greedy, batch 4: identical; 8 texts, 0 differ (7 of 8 batches)",
        "sampled, batch 4: identical; 8 texts, 0 differ (8 of 8 batches)",
    ]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupted_check_says_what_it_had_found(
    run: Command, model: Path, write: Write, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    whole = equivalence._ModeCheck.compare

    def interrupt(self: Any, indices: list[int]) -> None:
        if indices == [2]:
            raise KeyboardInterrupt  # as SIGINT does, which a job in the background may ignore
        whole(self, indices)

    monkeypatch.setattr(equivalence._ModeCheck, "compare", interrupt)
    file = write("p.jsonl", LINES)
    outcome = run("check", "--model", model, "--prompts", file, "--max-new-tokens", 8, *["--json"] * as_json)
    assert outcome.code == 130
    if as_json:
        report = json.loads(outcome.output)
        assert ("defect", 8, 2) == (report["finding"], report["batches"], report["batches_done"])
        assert [4] == [len(mode["differences"]) for mode in report["modes"]]
    else:
        assert "interrupted: what follows was found in 2 of 8 batches\n" in outcome.output
        assert f"greedy, alone, {file}:1, emitted token 7: defect" in outcome.output


def test_where_prompts_come_from_is_shown(run: Command, model: Path, write: Write) -> None:
    file = write("p.txt", "abab\nhij\n")
    outcome = run("check", "--model", model, "--prompts", file, "--max-new-tokens", 4, "--batch", 1)
    assert f"\n2 prompts from {file}, a line each\n" in outcome.output


@pytest.mark.parametrize("content", ["abab\nhij\n", LINES])
def test_standard_input_holds_lines_of_text_or_of_json(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    outcome = run("check", "--model", model, "--prompts", "-", "--max-new-tokens", 4, "--batch", 1, "--json")
    places = [f"standard input:{number}" for number in range(1, content.count("\n") + 1)]
    assert places == json.loads(outcome.output)["prompts"]


def test_a_draft_length_makes_the_same_passes_in_every_run(run: Command, model: Path, write: Write) -> None:
    arguments = ["check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 12, "--json"]
    reports = [json.loads(run(*arguments, "--max-draft-tokens", length).output) for length in (3, 3, 5)]
    drafted = [[mode["num_rolled_back_tokens"] for mode in report["modes"]] for report in reports]
    assert drafted[0] == drafted[1]
    assert drafted[0] != drafted[2]


def test_a_mistyped_model_is_named(run: Command, write: Write, tmp_path: Path) -> None:
    outcome = run("check", "--model", tmp_path / "nothing", "--prompts", write("p.txt", "ab"))
    assert outcome.code == 2
    assert "--model must be pico, a model's folder or its name on the hub, got" in outcome.errors


def test_a_batch_is_checked_without_a_pad_token_too(run: Command, write: Write, tmp_path: Path) -> None:
    model = save_tiny(tmp_path, pad=False, end=False)
    outcome = run("check", "--model", model, "--prompts", write("p.jsonl", LINES), "--max-new-tokens", 8)
    assert outcome.code == 0
