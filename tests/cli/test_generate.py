"""`ngramspec generate`: plain decoding's text, on standard output."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, MambaConfig, MambaForCausalLM

from ngramspec.replay import load_tokenizer, read_traces
from tests.cli.conftest import ALPHABET, Command, save_tiny
from tests.hf.tokenizers import character_tokenizer

Write = Callable[[str, str], Path]

PROMPTS = ["abcabcabcab", "hij hij hij", "a", "ed ed ed ed", "cab cab"]
LINES = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS)


def plain(model: Path, prompt: str, max_new_tokens: int) -> str:
    loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(model)
    encoded = tokenizer(prompt, return_tensors="pt")
    output = loaded.generate(encoded["input_ids"], max_new_tokens=max_new_tokens, do_sample=False)
    text = tokenizer.decode(output[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    assert isinstance(text, str)
    return text


def test_one_prompt_comes_out_as_plain_text(run: Command, model: Path, write: Write) -> None:
    file = write("prompt.txt", PROMPTS[0])
    outcome = run("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 40)
    assert outcome.code == 0
    assert outcome.output == plain(model, PROMPTS[0], 40) + "\n"


def test_statistics_go_to_standard_error(run: Command, model: Path, write: Write) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), "--max-new-tokens", 40)
    assert "40 tokens in" in outcome.errors
    assert "tokens per pass" in outcome.errors
    assert "tokens/s" in outcome.errors


def test_one_prompt_streams(run: Command, model: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        num_flushes = 0

        def flush(self) -> None:
            self.num_flushes += 1

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), "--max-new-tokens", 40)
    assert terminal.num_flushes > 10


@pytest.mark.parametrize("batch", [1, 3])
def test_lines_come_out_as_lines_in_their_order(run: Command, model: Path, write: Write, batch: int) -> None:
    file = write("prompts.jsonl", LINES)
    outcome = run("generate", "--model", model, "--prompt-file", file, "--batch", batch, "--max-new-tokens", 30)
    assert outcome.code == 0
    assert outcome.lines == [{"prompt": prompt, "output": plain(model, prompt, 30)} for prompt in PROMPTS]


def test_what_lines_come_out_as_can_be_replayed(run: Command, model: Path, write: Write) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompts.jsonl", LINES), "--max-new-tokens", 30)
    traces = list(read_traces(write("outputs.jsonl", outcome.output), load_tokenizer(str(model))))
    assert [trace.prompt.size for trace in traces] == [len(prompt) for prompt in PROMPTS]


def test_a_dash_reads_one_prompt_from_standard_input(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PROMPTS[0].encode())))
    outcome = run("generate", "--model", model, "--prompt-file", "-", "--max-new-tokens", 20)
    assert outcome.output == plain(model, PROMPTS[0], 20) + "\n"


def test_the_same_seed_samples_the_same_text(run: Command, model: Path, write: Write) -> None:
    file = write("prompt.txt", PROMPTS[0])

    def sampled(seed: int) -> str:
        options = ("--sample", "--temperature", 1.5, "--top-p", 0.9, "--seed", seed, "--max-new-tokens", 30)
        return run("generate", "--model", model, "--prompt-file", file, *options).output

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_chat_puts_prompts_through_the_template(run: Command, write: Write, tmp_path: Path) -> None:
    model = save_tiny(tmp_path / "chat", chat=True)
    file = write("prompt.txt", "cde")
    outcome = run("generate", "--model", model, "--prompt-file", file, "--chat", "--max-new-tokens", 20)
    assert outcome.output == plain(model, "acdeb", 20) + "\n"


def test_a_batch_without_a_pad_token_is_padded_with_the_end_of_sequence(
    run: Command, write: Write, tmp_path: Path
) -> None:
    model = save_tiny(tmp_path / "padless", pad=False)
    file = write("prompts.jsonl", LINES)
    outcome = run("generate", "--model", model, "--prompt-file", file, "--batch", 5, "--max-new-tokens", 20)
    assert [line["output"] for line in outcome.lines] == [plain(model, prompt, 20) for prompt in PROMPTS]


@pytest.mark.filterwarnings("default::ngramspec.errors.NgramspecWarning")
def test_a_model_that_cannot_be_drafted_for_is_named_in_one_line(run: Command, write: Write, tmp_path: Path) -> None:
    tokenizer = character_tokenizer(ALPHABET)
    config = MambaConfig(vocab_size=len(tokenizer), hidden_size=8, state_size=2, num_hidden_layers=1)
    MambaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    outcome = run("generate", "--model", tmp_path, "--prompt-file", write("prompt.txt", "abab"), "--max-new-tokens", 5)
    assert outcome.code == 0
    assert outcome.output == plain(tmp_path, "abab", 5) + "\n"
    assert "ngramspec: MambaForCausalLM keeps a running state that cannot take a step back" in outcome.errors
    assert "speculator.py" not in outcome.errors
    assert "1.00 tokens per pass" in outcome.errors
