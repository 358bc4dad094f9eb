"""The oracle reports identical texts as such, and finds a planted defect at its position."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ngramspec.errors import PromptError
from ngramspec.hf import Speculator
from ngramspec.hf.seam import CACHE
from ngramspec.testing import Report, check_equivalence, equivalence
from tests.hf.models import EOS, FAMILIES, MAX_POSITIONS, PAD, tiny
from tests.hf.seq2seq import tiny_seq2seq
from tests.hf.target.test_aligned import aligned

PROMPTS = [[2, 3, 4, 2, 3, 4, 2], [5, 6], [7, 2, 3, 7, 2]]
Spoil = Callable[[Tensor], Tensor]


def check(model: Any, **more: Any) -> Report:
    return check_equivalence(model, PROMPTS, **{"max_new_tokens": 20, "batch": 2, **more})


def break_speculation(monkeypatch: pytest.MonkeyPatch, spoil: Spoil) -> None:
    """Let every output of speculation be spoilt."""

    class Broken(Speculator):
        def __call__(self, *arguments: Any, **more: Any) -> Tensor:
            return spoil(super().__call__(*arguments, **more))

    monkeypatch.setattr(equivalence, "Speculator", Broken)


@pytest.mark.parametrize("family", FAMILIES)
def test_models_that_are_drafted_for_are_found_identical(family: str) -> None:
    report = check(tiny(family), eos_token_id=EOS)
    assert "identical" == report.finding
    assert [("greedy", 1), ("sampled", 1), ("greedy", 2), ("sampled", 2)] == [
        (mode.name, mode.batch) for mode in report.modes
    ]
    for mode in report.modes:
        assert mode.num_accepted_tokens > 0
        assert mode.num_rolled_back_tokens > 0
    for mode in report.modes[:2]:
        assert mode.logits_difference is not None
        assert mode.logits_limit is not None
        assert mode.logits_difference < mode.logits_limit < 1e-11
    assert [6, 6, 8, 8] == [mode.texts for mode in report.modes]  # the last batch is filled up; two drafters


@pytest.mark.parametrize("name", ["t5", "bart", "bloom"])
def test_models_whose_rows_are_in_line_are_checked_too(name: str) -> None:
    model = aligned(name) if name == "bloom" else tiny_seq2seq(name)
    report = check(model, eos_token_id=EOS, min_new_tokens=12, no_repeat_ngram_size=2)
    assert "identical" == report.finding
    for mode in report.modes:
        assert 0 < mode.num_accepted_tokens
        assert 0 < mode.num_rolled_back_tokens
    for mode in report.modes[:2]:
        assert mode.logits_difference is not None


def test_warpers_and_processors_are_part_of_the_check() -> None:
    report = check(tiny("llama"), top_p=0.8, temperature=0.7, repetition_penalty=1.3, no_repeat_ngram_size=3)
    assert "identical" == report.finding


def test_a_changed_token_is_a_defect_at_its_position(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt_length, position = len(PROMPTS[0]), 5

    def spoil(output: Tensor) -> Tensor:
        output[0, prompt_length + position] = 9 if int(output[0, prompt_length + position]) != 9 else 10
        return output

    model = tiny("llama")
    plain = model.generate(torch.tensor(PROMPTS[:1]), max_new_tokens=20, do_sample=False)[0, prompt_length:].tolist()
    break_speculation(monkeypatch, spoil)
    report = check_equivalence(model, PROMPTS[:1], max_new_tokens=20, batch=2)
    assert "defect" == report.finding
    assert ["defect"] * 4 == [mode.finding for mode in report.modes]
    (first, second) = report.modes[0].differences
    assert (0, position, plain[position]) == (first.prompt, first.position, first.plain_token)
    assert first.speculative_token == (9 if plain[position] != 9 else 10)
    assert ["default settings", "oracle"] == [first.drafter, second.drafter]
    for mode in report.modes:
        for difference in mode.differences:
            assert position == difference.position
            assert difference.evidence.is_redone
            assert difference.evidence.shift is None or difference.evidence.shift > 1e-3
            assert difference.evidence.rounding < 1e-12


def test_a_text_that_ends_early_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    break_speculation(monkeypatch, lambda output: output[:, :-1])
    report = check_equivalence(tiny("gpt2"), PROMPTS[:1], max_new_tokens=20, batch=1)
    difference = report.modes[0].differences[0]
    assert (19, None) == (difference.position, difference.speculative_token)
    assert "defect" == difference.finding


@pytest.mark.parametrize("token", [7, PAD])
def test_a_text_that_continues_after_its_end_is_a_defect(monkeypatch: pytest.MonkeyPatch, token: int) -> None:
    break_speculation(monkeypatch, lambda output: torch.nn.functional.pad(output, (0, 1), value=token))
    report = check_equivalence(tiny("gpt2"), PROMPTS[:1], max_new_tokens=20, batch=1)
    difference = report.modes[0].differences[0]
    assert (20, None, token) == (difference.position, difference.plain_token, difference.speculative_token)
    assert "defect" == difference.finding


@pytest.mark.usefixtures("trusted")
def test_logits_that_change_no_text_are_a_defect_all_the_same() -> None:
    def perturb(_model: Any, _args: Any, kwargs: dict[str, Any], output: Any) -> None:
        cache = kwargs[CACHE]
        if kwargs["input_ids"].shape[1] > 1 and cache is not None and cache.get_seq_length() > 0:
            output.logits += 1e-3  # to all: nobody's choice changes

    hook = tiny("llama").register_forward_hook(perturb, with_kwargs=True)
    try:
        report = check(tiny("llama"), batch=1)
    finally:
        hook.remove()
    for mode in report.modes:
        assert "defect" == mode.finding
        assert mode.logits_differ
        assert mode.logits_difference == pytest.approx(1e-3)
        assert not mode.differences


def test_another_final_state_of_the_generator_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(output: Tensor) -> Tensor:
        torch.rand(1)
        return output

    break_speculation(monkeypatch, draw)
    modes = check(tiny("llama")).modes
    assert [6, 6, 4, 0] == [mode.state_differences for mode in modes]
    assert ["defect", "defect", "defect", "identical"] == [mode.finding for mode in modes]
    assert [True, True, True, False] == [mode.states for mode in modes]


def test_texts_without_drafts_are_untested_and_no_pass() -> None:
    report = check(tiny("llama"), max_new_tokens=1)
    assert ["untested"] * 4 == [mode.finding for mode in report.modes]
    assert "untested" == report.finding
    assert [0] * 4 == [mode.num_accepted_tokens for mode in report.modes]
    assert not any(mode.differences for mode in report.modes)


def test_what_is_refused_is_untested_and_says_why() -> None:
    report = check(tiny("llama"), num_beams=2)
    assert ("untested", ()) == (report.finding, report.modes)
    assert report.reason is not None
    assert "greedy search and sampling" in report.reason


def test_the_report_is_json_of_a_stable_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    break_speculation(monkeypatch, lambda output: output[:, :-1])
    report = json.loads(json.dumps(check(tiny("llama"), batch=1).as_dict(), allow_nan=False))
    assert ["finding", "dtype", "device", "seed", "modes", "reason"] == list(report)
    assert [
        "finding", "name", "batch", "reference", "texts", "tokens", "num_drafts", "num_accepted_tokens",
        "num_rolled_back_tokens", "states", "state_differences", "logits_difference", "logits_limit", "differences",
    ] == list(report["modes"][0])  # fmt: skip
    difference = report["modes"][0]["differences"][0]
    assert ["finding", "prompt", "position", "drafter", "plain_token", "speculative_token", "evidence"] == list(
        difference
    )
    assert ["top2_gap", "margin", "shift", "rounding", "explicable", "is_redone"] == list(difference["evidence"])


def test_the_caller_s_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    check(tiny("llama"), batch=1, max_new_tokens=3)
    assert torch.equal(state, torch.get_rng_state())


def test_progress_is_reported_batch_by_batch() -> None:
    told: list[tuple[int, int]] = []
    check(tiny("llama"), max_new_tokens=3, progress=lambda done, total: told.append((done, total)))
    assert [(done, 10) for done in range(1, 11)] == told


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "a check needs at least one prompt, got none"),
        ([[2], []], "every prompt must hold at least one token, got none in prompt 1"),
        (
            [[2] * MAX_POSITIONS],
            f"must fit the model's {MAX_POSITIONS} positions, got {MAX_POSITIONS} \\+ 64 in prompt",
        ),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(prompts: list[list[int]], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        check_equivalence(tiny("llama"), prompts)


def test_settings_that_the_check_sets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the check must set custom_generate, do_sample.* itself, got do_sample"):
        check(tiny("llama"), do_sample=True)


def test_a_model_in_training_mode_is_refused() -> None:
    model = tiny("llama").train()
    try:
        with pytest.raises(ValueError, match="evaluation mode"):
            check(model)
    finally:
        model.eval()
