"""Inside vLLM: text is free until its reasoning ends, then guarded, and drafted for accordingly."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytest.importorskip("vllm")

from ngramspec.vllm.rows import EngineRow
from tests.vllm.inside import OURS, Answers, Job, decoded, draft_always, knowing, scheduler_of, vllm_engine
from tests.vllm.test_identity import END, SCHEMA, asked, compact, prompts

JOB = Job(prompts(24, 11, most=40), {"max_tokens": 150, "structured_outputs": "json"})


def common_token(answers: Answers) -> int:
    """The token that most answers have, but not soon."""
    counted = Counter(token for answer in answers for token in {*answer[4:]} - {*answer[:4]})
    return counted.most_common(1)[0][0]


def after(answer: Sequence[int], token: int) -> Sequence[int]:
    return answer[answer.index(token) + 1 :] if token in answer else ()


@pytest.mark.parametrize("backend", ["xgrammar", "guidance"])
def test_answers_with_reasoning_are_those_without_speculation_and_steered_after_it(
    model: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.reasoning.deepseek_r1_reasoning_parser import DeepSeekR1ReasoningParser

    with vllm_engine(model) as llm:
        free = decoded(llm, Job(JOB.prompts, {"max_tokens": 150}))
        tokenizer = llm.get_tokenizer()
    closes = common_token(free)
    monkeypatch.setattr(DeepSeekR1ReasoningParser, "start_token", "<pad>")
    monkeypatch.setattr(DeepSeekR1ReasoningParser, "end_token", tokenizer.convert_ids_to_tokens(closes))
    options: dict[str, Any] = {"structured_outputs_config": compact(backend) | {"reasoning_parser": "deepseek_r1"}}
    with vllm_engine(model, **options) as llm:
        expected = decoded(llm, asked(JOB))
    reasoned = [
        answer
        for prompt, answer in zip(JOB.prompts, expected, strict=True)
        if closes not in prompt and len(after(answer, closes)) > 10
    ]
    assert len(reasoned) > 3
    for answer in reasoned:
        if answer[-1] == END:
            text = tokenizer.decode(after(answer, closes), skip_special_tokens=True)
            jsonschema.validate(json.loads(text), SCHEMA)

    guarded: list[Sequence[int]] = []
    steer = EngineRow.steer

    def steered(row: EngineRow, follower: Any, tokens: Sequence[int], end_token: int | None) -> None:
        steer(row, follower, tokens, end_token)
        guarded.append(tokens)

    monkeypatch.setattr(EngineRow, "steer", steered)
    for drafter in (None, knowing({"": JOB}, {"": expected}, 258, END)):
        guarded.clear()
        draft_always(monkeypatch, drafter)
        with vllm_engine(model, **OURS, **options) as llm:
            assert expected == decoded(llm, asked(JOB))
            drafts = scheduler_of(llm).drafts
            assert 0 == drafts.trouble.num_errors
            assert 50 < drafts.drafting.stats.total.num_accepted_tokens
        assert len(reasoned) <= len([tokens for tokens in guarded if closes in tokens])
