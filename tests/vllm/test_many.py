"""Inside vLLM: two hundred requests, alone and sixteen at a time, and on two ranks of tensor parallelism."""

from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("vllm")

from tests.vllm.inside import BLIND, OURS, Answers, Job, draft_always, knowing, vllm_engine
from tests.vllm.test_identity import END, all_decoded, assert_used, counted, prompts

MANY: Mapping[str, Job] = {
    "alone": Job(prompts(200, 21), {"max_tokens": 24}, is_batch=False),
    "sixteen at a time": Job(prompts(200, 22), {"max_tokens": 24}),
}
RANKS: Mapping[str, Job] = {
    "alone": Job(prompts(4, 23), {"max_tokens": 40}, is_batch=False),
    "together": Job(prompts(32, 24), {"max_tokens": 40}),
}


@pytest.fixture(scope="module")
def plain(model: Path) -> dict[str, Answers]:
    """Answers of vLLM without speculation, to MANY."""
    with vllm_engine(model, max_num_seqs=16) as llm:
        return all_decoded(llm, MANY)


@pytest.mark.parametrize("drafter", ["usual", "knowing"])
def test_two_hundred_answers_are_those_without_speculation(
    model: Path, plain: dict[str, Answers], drafter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_always(monkeypatch, knowing(MANY, plain, 258, END) if drafter == "knowing" else None)
    with vllm_engine(model, **OURS, max_num_seqs=16) as llm:
        assert plain == all_decoded(llm, MANY)
        assert_used(counted(llm))


@pytest.mark.nightly
def test_answers_of_two_ranks_are_those_without_speculation(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vllm_engine(model, tensor_parallel_size=2) as llm:
        expected = all_decoded(llm, RANKS)
    draft_always(monkeypatch, knowing(RANKS, expected, 258, END))
    with vllm_engine(model, **OURS, tensor_parallel_size=2) as llm:
        assert expected == all_decoded(llm, RANKS)
        assert_used(counted(llm))
    with vllm_engine(model, speculative_config=BLIND, tensor_parallel_size=2) as llm:
        assert expected == all_decoded(llm, RANKS)
