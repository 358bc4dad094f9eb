"""Answers of an engine are recorded as they end, with the model's own likeliest tokens, and no request suffers."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ngramspec import FixedBudget, ModelEngine, Speculator
from ngramspec.replay import Recording, Trace, read_traces
from tests.hf.choice.test_guards import guard_of
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.engine.test_model_engine import HEADS, drained, model_of
from tests.hf.models import EOS, PAD

PROMPTS = [[*HEADS[number % 2], 5, 6, *HEADS[0][:number]] for number in range(6)]
ENDS: dict[str, Any] = {"max_new_tokens": 30, "pad_token_id": PAD, "eos_token_id": EOS}
KINDS: list[dict[str, Any]] = [{}, {"do_sample": True, "temperature": 1.3, "seed": 3}]


def likeliest(trace: Trace) -> Any:
    """What plain reading of the whole text says at each position of the output."""
    text = torch.tensor([trace.prompt.tolist() + trace.output.tolist()])
    with torch.no_grad():
        logits = model_of("llama")(text).logits[0, trace.prompt.size - 1 : -1].float()
    return torch.log_softmax(logits, -1).topk(8)


def answers(engine: ModelEngine) -> list[list[int]]:
    asked = [KINDS[number % 2] for number in range(len(PROMPTS))]
    made = [
        engine.add(torch.tensor([prompt]), segment="s", **ENDS, **kind)
        for prompt, kind in zip(PROMPTS, asked, strict=True)
    ]
    made.append(engine.add(torch.tensor([PROMPTS[0]]), logits_processor=[guard_of("regex")], **ENDS))
    drained(engine)
    return [answer.emitted for answer in made]


def test_texts_stay_and_each_is_recorded_with_the_model_s_own_likeliest_tokens(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    with ModelEngine(model_of("llama"), Speculator(budget=FixedBudget(5)), max_rows=2) as engine:
        expected = answers(engine)
    with (
        Recording(path) as recording,
        ModelEngine(model_of("llama"), Speculator(budget=FixedBudget(5)), max_rows=2, record=recording.write) as engine,
    ):
        assert expected == answers(engine)
    assert_accepted_and_rolled_back(engine.spec.stats.total)
    traces = list(read_traces(path))
    recorded = sorted((trace.prompt.tolist(), trace.output.tolist()) for trace in traces)
    assert sorted(zip([*PROMPTS, PROMPTS[0]], expected, strict=True)) == recorded
    assert {"s", None} == {trace.segment for trace in traces}
    for trace in traces:
        top = likeliest(trace)
        assert trace.output_top is not None
        assert top.indices.tolist() == trace.output_top.ids.tolist()
        assert (top.values.numpy() - trace.output_top.logprobs).max() < 0.006


def test_each_answer_is_in_the_file_once_it_has_ended_and_one_that_is_removed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    with Recording(path) as recording, ModelEngine(model_of("llama"), record=recording.write) as engine:
        short, removed, long = (
            engine.add(torch.tensor([PROMPTS[number]]), **ENDS | {"max_new_tokens": size})
            for number, size in enumerate((2, 40, 40))
        )
        while not short.ended:
            engine.step()
        assert [short.emitted] == [trace.output.tolist() for trace in read_traces(path)]
        engine.remove(removed)
        drained(engine)
    assert [short.emitted, long.emitted] == [trace.output.tolist() for trace in read_traces(path)]


def test_what_cannot_be_recorded_ends_no_request_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with ModelEngine(model_of("llama")) as engine:
        expected = answers(engine)
    with caplog.at_level(logging.ERROR), ModelEngine(model_of("llama"), record=full) as engine:
        assert expected == answers(engine)
        assert len(expected) == engine.num_unrecorded
    (logged,) = caplog.records
    assert "an answer could not be recorded; further ones are counted, and not logged" == logged.message


def test_an_answer_that_has_failed_is_not_recorded(tmp_path: Path) -> None:
    def failing(input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] > len(PROMPTS[0]) + 3:
            raise ValueError("enough")
        return scores

    path = tmp_path / "recorded"
    with Recording(path) as recording, ModelEngine(model_of("llama"), record=recording.write) as engine:
        answer = engine.add(torch.tensor([PROMPTS[0]]), logits_processor=[failing], **ENDS)
        drained(engine)
        with pytest.raises(ValueError, match="enough"):
            answer.result()
    assert b"" == path.read_bytes()
