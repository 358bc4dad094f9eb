"""Inside vLLM: the answers are those of vLLM without speculation, whatever is drafted, and drafts are used."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

pytest.importorskip("vllm")

from ngramspec.stats import Counters, GuardOutcome
from tests.vllm.inside import BLIND, OURS, Answers, Job, decoded, draft_always, knowing, scheduler_of, vllm_engine

END = 1
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"enum": ["Ada", "Adam", "Bo"]},
        "city": {"enum": ["Graz", "Gent"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 999},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    },
    "required": ["name", "city", "age", "tags"],
    "additionalProperties": False,
}
REGEX = "(yes|no|maybe)(, (yes|no|maybe)){3}"


def prompts(number: int, seed: int, most: int = 60) -> list[list[int]]:
    """Prompts that repeat something, of many lengths."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        piece = rng.integers(2, 258, rng.integers(3, 20)).tolist()
        made.append((piece * 20)[: rng.integers(5, most)])
    return made


FREE: Mapping[str, Job] = {
    "alone": Job(prompts(8, 1), {"max_tokens": 40}, is_batch=False),
    "together": Job(
        prompts(40, 2), [{"max_tokens": 5 + 3 * (row % 16), "ignore_eos": row % 2 == 0} for row in range(40)]
    ),
    "to the end of the model": Job(prompts(6, 3, most=150), {"max_tokens": 1000, "ignore_eos": True}),
    "twins": Job([prompts(1, 4)[0]] * 6, {"max_tokens": 60, "ignore_eos": True}),
}
FORMS: Mapping[str, Job] = {
    "alone": Job(prompts(4, 5), {"max_tokens": 120, "structured_outputs": "json"}, is_batch=False),
    "together": Job(prompts(24, 6), {"max_tokens": 120, "structured_outputs": "json"}),
    "regex": Job(prompts(6, 7), {"max_tokens": 60, "structured_outputs": "regex"}),
    "cut off": Job(prompts(6, 9), [{"max_tokens": 4 + 9 * row, "structured_outputs": "json"} for row in range(6)]),
    "free beside": Job(
        prompts(8, 8), [{"max_tokens": 40, **({"structured_outputs": "json"} if row % 2 else {})} for row in range(8)]
    ),
}


def asked(job: Job) -> Job:
    """With vLLM's own objects in it."""
    from vllm.sampling_params import StructuredOutputsParams

    forms = {"json": {"json": SCHEMA}, "regex": {"regex": REGEX}}
    given = [job.parameters] * len(job.prompts) if isinstance(job.parameters, Mapping) else job.parameters
    made = [
        {
            name: StructuredOutputsParams(**forms[value]) if name == "structured_outputs" else value  # type: ignore[arg-type]
            for name, value in each.items()
        }
        for each in given
    ]
    return job._replace(parameters=made)


def all_decoded(llm: Any, jobs: Mapping[str, Job]) -> dict[str, Answers]:
    return {name: decoded(llm, asked(job)) for name, job in jobs.items()}


@pytest.fixture(scope="module")
def plain(model: Path) -> dict[str, Answers]:
    """Answers of vLLM without speculation, to FREE."""
    with vllm_engine(model) as llm:
        return all_decoded(llm, FREE)


def counted(llm: Any) -> Counters:
    """Once nothing is decoded any more: the counters, of drafts that no error has ended."""
    drafts = scheduler_of(llm).drafts
    assert {} == drafts.drafting.rows
    assert 0 == drafts.trouble.num_errors
    total: Counters = drafts.drafting.stats.total
    return total


def preemptions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that vLLM preempts from now on."""
    from vllm.v1.core.sched.scheduler import Scheduler

    preempted: list[str] = []
    preempt = Scheduler._preempt_request

    def counted(scheduler: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        preempted.append(request.request_id)
        return preempt(scheduler, request, *arguments, **named)

    monkeypatch.setattr(Scheduler, "_preempt_request", counted)
    return preempted


def cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens vLLM's grammars cut from each draft from now on."""
    from vllm.v1.structured_output import StructuredOutputManager

    cut: list[int] = []
    validate = StructuredOutputManager.validate_tokens

    def counted(manager: Any, request: Any, tokens: list[int]) -> list[int]:
        valid: list[int] = validate(manager, request, tokens)
        if tokens:
            cut.append(len(tokens) - len(valid))
        return valid

    monkeypatch.setattr(StructuredOutputManager, "validate_tokens", counted)
    return cut


def assert_used(counters: Counters) -> None:
    assert counters.num_accepted_tokens > 100
    assert counters.num_draft_tokens > counters.num_accepted_tokens + 50


ENGINES: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "prompts in parts": {"max_num_batched_tokens": 32, "max_num_seqs": 8},
    "a cache so small that rows are preempted": {"num_gpu_blocks_override": 8, "max_num_seqs": 8},
    "without a prefix cache": {"enable_prefix_caching": False},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("drafter", ["usual", "knowing"])
def test_answers_are_those_without_speculation(
    model: Path, plain: dict[str, Answers], engine: str, drafter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if drafter == "usual" and engine not in ("as it is", "prompts in parts"):
        pytest.skip("the knowing one goes further")
    draft_always(monkeypatch, knowing(FREE, plain, 258, END) if drafter == "knowing" else None)
    preempted = preemptions(monkeypatch)
    with vllm_engine(model, **OURS, **ENGINES[engine]) as llm:
        assert plain == all_decoded(llm, FREE)
        if "preempted" in engine:
            assert len(preempted) > 3
        assert_used(counted(llm))


def compact(backend: str) -> dict[str, Any]:
    """Without whitespace, which a random model would write until the end."""
    return {"backend": backend, "disable_any_whitespace": True}


@pytest.fixture(scope="module", params=["xgrammar", "guidance"])
def plain_forms(request: pytest.FixtureRequest, model: Path) -> tuple[str, dict[str, Answers]]:
    """A backend of vLLM's, and its answers to FORMS without speculation."""
    with vllm_engine(model, structured_outputs_config=compact(request.param)) as llm:
        answers = all_decoded(llm, FORMS)
    return request.param, answers


def outcomes(answers: Mapping[str, Answers], tokenizer: Any) -> Mapping[GuardOutcome, int]:
    """How the answers to FORMS that were asked for in a form have ended."""
    found: Counter[GuardOutcome] = Counter()
    for name, job in FORMS.items():
        given = [job.parameters] * len(job.prompts) if isinstance(job.parameters, Mapping) else job.parameters
        for parameters, answer in zip(given, answers[name], strict=True):
            text = tokenizer.decode(answer, skip_special_tokens=True)
            if "structured_outputs" in parameters:
                is_complete = fits(text, str(parameters["structured_outputs"]))
                found[GuardOutcome.COMPLETE if is_complete else GuardOutcome.CUT_OFF] += 1
    return found


def fits(text: str, form: str) -> bool:
    if form == "regex":
        return re.fullmatch(REGEX, text) is not None
    try:
        jsonschema.validate(json.loads(text), SCHEMA)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("drafter", ["usual", "knowing"])
def test_answers_in_a_form_are_those_without_speculation_and_valid(
    model: Path, plain_forms: tuple[str, dict[str, Answers]], drafter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, expected = plain_forms
    draft_always(monkeypatch, knowing(FORMS, expected, 258, END) if drafter == "knowing" else None)
    with vllm_engine(model, **OURS, structured_outputs_config=compact(backend)) as llm:
        cut = cuts(monkeypatch)
        assert expected == all_decoded(llm, FORMS)
        assert len(cut) > 100
        assert [0] == sorted(set(cut))  # steered drafts are legal, as vLLM's own matcher finds
        counters = counted(llm)
        tokenizer = llm.get_tokenizer()
    assert counters.num_accepted_tokens > 100
    assert outcomes(expected, tokenizer) == counters.num_guarded_per_outcome
    assert min(counters.steering_seconds, counters.verifying_seconds) > 0.0
    texts = [tokenizer.decode(answer, skip_special_tokens=True) for answer in expected["together"]]
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA)


def test_answers_of_the_blind_proposer_are_those_without_speculation(
    model: Path, plain: dict[str, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft_always(monkeypatch)
    with vllm_engine(model, speculative_config=BLIND, max_num_batched_tokens=64) as llm:
        assert plain == all_decoded(llm, FREE)
        runner = llm.llm_engine.model_executor.driver_worker.worker.model_runner
        proposer = runner.drafter
        assert 0 == proposer.trouble.num_errors
        total = proposer.drafting.stats.total
    assert total.num_accepted_tokens > 100
