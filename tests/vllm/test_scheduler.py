"""Inside vLLM: requests are closed with their drafts, histories are kept, and no error of ours reaches vLLM."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm")

from ngramspec.drafting import Draft, TokenArray
from ngramspec.errors import HistoryError
from tests.vllm.inside import OURS, Job, decoded, draft_always, knowing, scheduler_of, vllm_engine
from tests.vllm.test_identity import END, prompts

PROMPT = [*range(40, 90)]


def job(**parameters: Any) -> Job:
    return Job([PROMPT], {"max_tokens": 60, "ignore_eos": True, **parameters})


def of_segment(name: Any) -> Job:
    return job(extra_args={"segment": name})


def test_an_aborted_request_is_closed_and_the_others_go_on(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm import SamplingParams

    draft_always(monkeypatch)
    prompts = [[token + row for token in PROMPT] for row in range(6)]
    with vllm_engine(model, **OURS) as llm:
        expected = decoded(llm, Job(prompts, {"max_tokens": 60, "ignore_eos": True}))
        engine = llm.llm_engine
        for row, prompt in enumerate(prompts):
            parameters = SamplingParams(temperature=0.0, max_tokens=60, ignore_eos=True)
            engine.add_request(str(row), {"prompt_token_ids": prompt}, parameters)
        found: dict[str, tuple[int, ...]] = {}
        for number in range(1000):
            if not engine.has_unfinished_requests():
                break
            if number == 3:
                assert len(scheduler_of(llm).drafts.drafting.rows) == 6
                engine.abort_request(["1", "4"])
            for output in engine.step():
                if output.finished:
                    found[output.request_id] = tuple(output.outputs[0].token_ids)
        assert {str(row): expected[row] for row in (0, 2, 3, 5)} == found
        assert {} == scheduler_of(llm).drafts.drafting.rows


def test_prompts_that_wait_are_read_as_soon_as_without_speculation(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes are so small that drafts would displace them."""
    from vllm.v1.core.sched.scheduler import Scheduler

    job = Job(prompts(16, 31), {"max_tokens": 60, "ignore_eos": True})
    small = {"max_num_batched_tokens": 48, "enable_prefix_caching": False}
    read: list[tuple[int, int]] = []  # of each pass: tokens of prompts, and drafted ones
    schedule = Scheduler.schedule

    def seen(scheduler: Any, *arguments: Any, **named: Any) -> Any:
        begun = {request.request_id: request.num_output_tokens for request in scheduler.running}
        output = schedule(scheduler, *arguments, **named)
        prompts = sum(number for key, number in output.num_scheduled_tokens.items() if not begun.get(key))
        read.append((prompts, sum(map(len, output.scheduled_spec_decode_tokens.values()))))
        return output

    monkeypatch.setattr(Scheduler, "schedule", seen)
    with vllm_engine(model, **small) as llm:
        expected = decoded(llm, job)
    plain = [tokens for tokens, _ in read if tokens]
    read.clear()
    draft_always(monkeypatch, knowing({"": job}, {"": expected}, 258, END))
    with vllm_engine(model, **OURS, **small) as llm:
        assert expected == decoded(llm, job)
    assert plain == [tokens for tokens, _ in read if tokens]
    assert len(plain) > 8
    drafted = [drafts for _, drafts in read]
    assert 0 == max(drafted[: len(plain) - 1])
    assert sum(drafted) > 100


def test_histories_outlive_the_engine_by_segment(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_always(monkeypatch)
    settings = {"ngramspec": {"history": str(tmp_path / "history")}}
    with vllm_engine(model, **OURS, additional_config=settings) as llm:
        expected = decoded(llm, of_segment("a"))
        first = scheduler_of(llm).drafts.drafting.stats.segments["a"]
    with vllm_engine(model, **OURS, additional_config=settings) as llm:
        assert expected == decoded(llm, of_segment("b")) == decoded(llm, of_segment("a"))
        segments = scheduler_of(llm).drafts.drafting.stats.segments
    assert first.target_passes == segments["b"].target_passes
    assert first.target_passes > 2 * segments["a"].target_passes


def test_a_file_that_is_no_history_is_refused_when_vllm_starts(model: Path, tmp_path: Path) -> None:
    (tmp_path / "history").write_bytes(b"mine")
    with (
        pytest.raises(HistoryError),
        vllm_engine(model, **OURS, additional_config={"ngramspec": {"history": str(tmp_path / "history")}}),
    ):
        pass
    assert b"mine" == (tmp_path / "history").read_bytes()


class Failing:
    """A drafter with sessions that raise, sooner or later."""

    def __init__(self, where: str) -> None:
        self.where = where

    def open(self, segment: str | None = None, references: object = ()) -> "Failing":
        return self

    def _fail(self, where: str) -> None:
        if self.where == where:
            raise RuntimeError(f"failed in {where}")

    def extend(self, tokens: TokenArray) -> None:
        self._fail("extend")

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        self._fail("propose")
        return Draft(np.array([5, 6, 7], np.int32)[:max_tokens])

    def observe(self, draft: Draft, num_accepted: int) -> None:
        self._fail("observe")

    def close(self) -> None:
        self._fail("close")


def test_what_fails_while_drafting_is_counted_and_told_once_and_the_answer_comes(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing("nowhere")
    draft_always(monkeypatch, failing)
    with vllm_engine(model, **OURS) as llm:
        expected = decoded(llm, of_segment("a"))
        for where in ("extend", "propose", "observe", "close"):
            failing.where = where
            trouble = scheduler_of(llm).drafts.trouble
            before = trouble.num_errors
            caplog.clear()
            assert expected == decoded(llm, of_segment("a")) == decoded(llm, of_segment("a"))
            assert trouble.num_errors >= before + 2
            assert {} == scheduler_of(llm).drafts.drafting.rows
            assert len([record for record in caplog.records if record.name == "ngramspec.vllm"]) <= 1


def test_on_another_vllm_it_says_so_once_and_vllm_goes_on(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vllm.__version__", "0.99.0")
    with vllm_engine(model, **OURS) as llm:
        assert scheduler_of(llm).drafts is None
        (answer,) = decoded(llm, job())
        assert 60 == len(answer)
    told = [record.getMessage() for record in caplog.records if record.name == "ngramspec.vllm"]
    assert [
        "ngramspec drafts nothing, and vLLM goes on as it is: vLLM must be one of 0.32.*, got 0.99.0: see docs/vllm.md"
    ] == told


def test_on_another_vllm_no_counters_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from ngramspec.vllm import StatLogger

    monkeypatch.setattr("vllm.__version__", "0.99.0")
    StatLogger(None).record(None, None)  # of a configuration that it cannot read


def test_without_speculation_it_says_so_and_vllm_goes_on(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with vllm_engine(model, scheduler_cls="ngramspec.vllm.Scheduler") as llm:
        assert scheduler_of(llm).drafts is None
        assert 60 == len(decoded(llm, job())[0])
    assert "got no --speculative-config" in caplog.text
