"""`serve --record`: answers in a file as they end, whatever ends the service; none by default."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ngramspec.cli import app
from ngramspec.replay import Recording, read_traces
from tests.serve.serving import NAME, generated, pico, serving
from tests.serve.test_process import PATIENCE, address_in, asked, process

PROMPT = "### rename value to column\ndef double(value):\n"
FIELDS: dict[str, Any] = {"max_tokens": 20, "metadata": {"segment": "code"}}


def reply(**settings: Any) -> str:
    async def ask() -> str:
        async with serving(**settings) as client:
            answer = await client.complete(PROMPT, repetition_penalty=1.5, **FIELDS)
            text: str = answer.json["choices"][0]["text"]
            return text

    return asyncio.run(ask())


def test_answers_are_recorded_with_scores_before_penalties_and_texts_stay(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    assert reply() == reply(record=path)
    (trace,) = read_traces(path)
    assert "code" == trace.segment
    assert pico()[1](PROMPT).input_ids == trace.prompt.tolist()
    assert generated(PROMPT, max_new_tokens=20, repetition_penalty=1.5) == trace.output.tolist()
    assert trace.output_top is not None
    # Without the penalty the first token is the likeliest one; with it, some of the others are not.
    assert generated(PROMPT, max_new_tokens=1) == trace.output_top.ids[0, :1].tolist()
    assert (trace.output_top.ids[:, 0] != trace.output).any()


def test_an_answer_that_cannot_be_recorded_is_sent_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def ask() -> tuple[str, bytes]:
        async with serving(record=tmp_path / "recorded") as client:
            answer = await client.complete(PROMPT, **FIELDS)
            metrics = await client.ask("/metrics")
            return answer.json["choices"][0]["text"], b"".join(metrics.pieces)

    monkeypatch.setattr(Recording, "write", full)
    text, metrics = asyncio.run(ask())
    assert pico()[1].decode(generated(PROMPT, max_new_tokens=20), skip_special_tokens=True) == text
    assert f'ngramspec:unrecorded_answers_total{{model_name="{NAME}"}} 1.0'.encode() in metrics


def test_a_killed_service_has_recorded_every_answer_that_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    with process("--record", str(path)) as (served, line):
        body = {"model": NAME, "prompt": PROMPT, **FIELDS}
        for _ in range(2):
            asked(address_in(line), "/v1/completions", body).read()
        served.send_signal(signal.SIGKILL)
        served.wait(PATIENCE)
    first, second = read_traces(path)
    assert first.output.tolist() == second.output.tolist() == generated(PROMPT, max_new_tokens=20)


@pytest.mark.parametrize(
    ("name", "said"), [("no/recorded", "No such file or directory"), (".", "a file is replaced where there is none")]
)
def test_a_file_that_cannot_be_written_is_told_before_the_model_is_loaded(tmp_path: Path, name: str, said: str) -> None:
    outcome = CliRunner().invoke(app, ["serve", "--port", "0", "--model", "none", "--record", str(tmp_path / name)])
    assert 2 == outcome.exit_code
    assert said in outcome.output
