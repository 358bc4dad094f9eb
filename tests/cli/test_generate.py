"""`ngramspec generate`: plain decoding's text, on standard output."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, OpenAIGPTConfig, OpenAIGPTLMHeadModel

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


def test_output_lines_can_be_replayed(run: Command, model: Path, write: Write) -> None:
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
    config = OpenAIGPTConfig(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2)
    OpenAIGPTLMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    outcome = run("generate", "--model", tmp_path, "--prompt-file", write("prompt.txt", "abab"), "--max-new-tokens", 5)
    assert outcome.code == 0
    assert outcome.output == plain(tmp_path, "abab", 5) + "\n"
    assert "ngramspec: OpenAIGPTLMHeadModel takes no cache of keys and values" in outcome.errors
    assert "speculator.py" not in outcome.errors
    assert "1.00 tokens per pass" in outcome.errors


@pytest.mark.parametrize(
    ("option", "name", "content", "expected"),
    [
        ("--regex", None, "(ab|cd){3}e", r"(ab|cd){3}e"),
        ("--grammar", "a.lark", 'start: "ab" /[cd]{4}/', r"ab[cd]{4}"),
        ("--grammar", "a.gbnf", 'root ::= "ab" [cd] [cd]', r"ab[cd]{2}"),
    ],
)
def test_a_constraint_holds_and_the_text_is_plain_decodings_under_it(
    run: Command, model: Path, write: Write, option: str, name: str | None, content: str, expected: str
) -> None:
    constraint = content if name is None else write(name, content)
    file = write("prompts.jsonl", LINES)
    arguments = ["generate", "--model", model, "--prompt-file", file, option, constraint, "--max-new-tokens", 20]
    outcome = run(*arguments, "--compare")
    assert outcome.code == 0, outcome.errors
    assert "identical: 5 of 5 texts" in outcome.errors
    for line in outcome.lines:
        assert re.fullmatch(expected, line["output"])


def test_a_guarded_text_that_is_cut_off_is_told(run: Command, model: Path, write: Write) -> None:
    command = ["generate", "--model", model, "--prompt-file", write("p.txt", "abab"), "--regex", "(ab){4}"]
    told = "cut off by --max-new-tokens before the text was complete: 1 of 1: raise it\n"
    assert told in run(*command, "--max-new-tokens", 5).errors
    assert "cut off" not in run(*command, "--max-new-tokens", 16).errors


def test_a_schema_holds_with_the_whitespace_that_is_asked_for(run: Command, write: Write, tmp_path: Path) -> None:
    properties = {"a": {"enum": [1, 2]}}
    schema = {"type": "object", "properties": properties, "required": ["a"], "additionalProperties": False}
    file, prompt = write("a.schema.json", json.dumps(schema)), write("prompt.txt", '### repeat\n{"a": 1}\n### answer\n')
    outcome = run(
        "generate", "--prompt-file", prompt, "--schema", file, "--whitespace", "compact", "--max-new-tokens", 20
    )
    assert outcome.code == 0, outcome.errors
    assert outcome.output == '{"a":1}\n'


def test_a_segment_is_counted_and_drafts_from_earlier_answers(run: Command, model: Path, write: Write) -> None:
    file = write("prompts.jsonl", LINES * 2)
    options = ["generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 30]
    passes = [
        int(re.findall(r"in (\d+) target passes", run(*options, *segment).errors)[0])
        for segment in ([], ["--segment", "letters"])
    ]
    assert passes[1] < passes[0]
    assert "\n  letters: 10 requests" in run(*options, "--segment", "letters").errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--regex", "a("], "ngramspec: --regex: llguidance must be able to compile the regex"),
        (["--regex", "a", "--grammar", "b"], "one constraint at a time, got --regex and --grammar"),
        (["--whitespace", "compact"], "--whitespace is between the tokens of JSON: add --schema, or leave it out"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(
    run: Command, model: Path, write: Write, options: list[str], message: str
) -> None:
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), *options)
    assert outcome.code == 2
    assert message in outcome.errors


def test_a_schema_that_is_none_is_named_by_its_file(run: Command, model: Path, write: Write) -> None:
    file = write("a.json", "{")
    outcome = run("generate", "--model", model, "--prompt-file", write("prompt.txt", "abab"), "--schema", file)
    assert outcome.code == 2
    assert outcome.errors.startswith(f"ngramspec: --schema {file}: a schema as text must be JSON, got ")


@pytest.mark.parametrize("name", ["prompt.txt", "prompts.jsonl"])
def test_where_prompts_come_from_is_shown(run: Command, model: Path, write: Write, name: str) -> None:
    file = write(name, json.dumps({"prompt": "abab"}) if name.endswith("l") else "abab")
    outcome = run("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 4)
    way = "a line of JSON each" if name.endswith("l") else "the whole text"
    assert outcome.errors.endswith(f"\n1 prompt from {file}, {way}\n")


def test_lines_of_json_may_come_from_standard_input(run: Command, model: Path, stdin: Callable[[str], None]) -> None:
    stdin(LINES)
    outcome = run("generate", "--model", model, "--prompt-file", "-", "--max-new-tokens", 8)
    assert PROMPTS == [line["prompt"] for line in outcome.lines]
