"""`ngramspec generate --record`: the same texts, and a recording of them with what the model held for likely."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, T5Config, T5ForConditionalGeneration

from ngramspec.replay import Trace, load_tokenizer, read_traces
from tests.cli.conftest import ALPHABET, Command
from tests.hf.tokenizers import character_tokenizer

Write = Callable[[str, str], Path]

PROMPTS = ["abcabcabcab", "hij hij hij", "a", "ed ed ed ed", "cab cab"]
LINES = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS)
SAMPLED = ("--sample", "--temperature", 1.3)


@pytest.fixture
def generate(run: Command, model: Path, write: Write) -> Callable[..., Any]:
    def generate(*options: object, prompts: str = LINES) -> Any:
        file = write("prompts.jsonl", prompts)
        outcome = run("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 30, *options)
        assert outcome.code == 0, outcome.errors
        return outcome

    return generate


def likeliest(model: Path, trace: Trace) -> tuple[Any, Any]:
    """What plain reading of the whole text says at each position of the output, 8 tokens."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
    text = torch.tensor([trace.prompt.tolist() + trace.output.tolist()])
    with torch.no_grad():
        logits = loaded(text).logits[0, trace.prompt.size - 1 : -1].float()
    top = torch.log_softmax(logits, -1).topk(8)
    return top.indices.numpy(), top.values.numpy()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("options", [(), SAMPLED], ids=["greedy", "sampled"])
def test_texts_stay_and_each_is_recorded_with_the_model_s_own_likeliest_tokens(
    generate: Callable[..., Any], model: Path, tmp_path: Path, batch: int, options: tuple[object, ...]
) -> None:
    path = tmp_path / "recorded.jsonl"
    expected = generate("--batch", batch, *options)
    outcome = generate("--batch", batch, *options, "--record", path, "--segment", "letters")
    assert expected.output == outcome.output
    tokenizer = load_tokenizer(str(model))
    traces = list(read_traces(path))
    assert [tokenizer.encode(prompt) for prompt in PROMPTS] == [trace.prompt.tolist() for trace in traces]
    assert {"letters"} == {trace.segment for trace in traces}
    own = AutoModelForCausalLM.from_pretrained(model, dtype="auto").generation_config.eos_token_id
    for trace in traces:
        ends = [position for position, token in enumerate(trace.output.tolist()) if token == own]
        assert ends in ([], [trace.output.size - 1])
        assert ends or trace.output.size == 30
        ids, logprobs = likeliest(model, trace)
        assert trace.output_top is not None
        assert ids.tolist() == trace.output_top.ids.tolist()
        assert np.abs(logprobs - trace.output_top.logprobs).max() < 0.006


def test_of_a_guarded_text_the_scores_before_the_masks_are_recorded(
    generate: Callable[..., Any], model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "recorded.jsonl"
    expected = generate("--regex", "(ab|cd){5}")
    assert expected.output == generate("--regex", "(ab|cd){5}", "--record", path).output
    traces = list(read_traces(path))
    assert len(PROMPTS) == len(traces)
    ignored = 0
    for trace in traces:
        ids, _ = likeliest(model, trace)
        assert trace.output_top is not None
        assert ids.tolist() == trace.output_top.ids.tolist()
        ignored += int((ids[:, 0] != trace.output).sum())
    assert ignored


def test_a_comparison_is_recorded_once_and_a_second_run_is_appended(
    generate: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "recorded.jsonl"
    generate("--compare", "--record", path)
    assert len(PROMPTS) == len(list(read_traces(path)))
    generate("--record", path)
    rows = path.read_text().splitlines()
    assert rows[: len(PROMPTS)] == rows[len(PROMPTS) :]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_line_keeps_its_own_segment_before_that_of_the_option(
    generate: Callable[..., Any], tmp_path: Path, batch: int
) -> None:
    path = tmp_path / "recorded.jsonl"
    rows: list[dict[str, Any]] = [{"prompt": prompt} for prompt in PROMPTS]
    rows[1]["segment"] = rows[3]["segment"] = "words"
    prompts = "".join(json.dumps(row) + "\n" for row in rows)
    texts = [json.loads(line)["output"] for line in generate("--batch", batch).output.splitlines()]
    outcome = generate("--batch", batch, "--segment", "letters", "--record", path, prompts=prompts)
    printed = [json.loads(line) for line in outcome.output.splitlines()]
    assert [row | {"output": text} for row, text in zip(rows, texts, strict=True)] == printed
    assert ["letters", "words", "letters", "words", "letters"] == [trace.segment for trace in read_traces(path)]
    assert "words: 2 requests" in outcome.errors


def test_a_recording_that_cannot_grow_is_refused_in_one_sentence(
    run: Command, model: Path, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "old.jsonl.gz").write_bytes(b"old")
    file = write("p.txt", "ab")
    outcome = run("generate", "--model", model, "--prompt-file", file, "--record", tmp_path / "old.jsonl.gz")
    said = "a file that grows must be new or empty, got one that has something in it: name another"
    assert (2, f"ngramspec: {tmp_path / 'old.jsonl.gz'}: {said}\n") == (outcome.code, outcome.errors)


def test_a_streamed_text_is_recorded_gzipped_by_name(run: Command, model: Path, write: Write, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl.gz"
    file = write("prompt.txt", PROMPTS[0])
    arguments = ("generate", "--model", model, "--prompt-file", file, "--max-new-tokens", 20)
    assert run(*arguments).output == run(*arguments, "--record", path).output
    (trace,) = read_traces(path)
    assert load_tokenizer(str(model)).encode(PROMPTS[0]) == trace.prompt.tolist()


def test_a_file_that_cannot_be_written_is_told_before_the_model_is_loaded(
    run: Command, write: Write, tmp_path: Path
) -> None:
    file = write("prompt.txt", PROMPTS[0])
    outcome = run("generate", "--model", tmp_path / "none", "--prompt-file", file, "--record", tmp_path / "no" / "f")
    assert 2 == outcome.code
    assert "No such file or directory" in outcome.errors
    assert str(tmp_path / "no" / "f") in outcome.errors


def test_of_an_encoder_decoder_the_prompt_is_what_the_encoder_reads(run: Command, write: Write, tmp_path: Path) -> None:
    tokenizer = character_tokenizer(ALPHABET)
    ids: dict[str, Any] = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 1,
        "num_heads": 2,
    }
    ids["decoder_start_token_id"] = tokenizer.pad_token_id
    config = T5Config(**sizes, **ids)
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(config).double().eval()
    for saved in (model, tokenizer):
        saved.save_pretrained(tmp_path / "t5")
    file, path = write("prompts.jsonl", LINES), tmp_path / "recorded.jsonl"
    command = ("generate", "--model", tmp_path / "t5", "--prompt-file", file, "--max-new-tokens", 12, "--batch", 5)
    assert run(*command).output == run(*command, "--record", path).output
    traces = list(read_traces(path))
    assert [len(prompt) for prompt in PROMPTS] == [trace.prompt.size for trace in traces]
    for trace in traces:
        written = [tokenizer.pad_token_id, *trace.output.tolist()[:-1]]
        with torch.no_grad():
            read = torch.tensor([trace.prompt.tolist()])
            logits = model(input_ids=read, decoder_input_ids=torch.tensor([written])).logits[0].float()
        assert trace.output_top is not None
        assert logits.topk(8).indices.tolist() == trace.output_top.ids.tolist()
