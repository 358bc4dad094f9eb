"""What is noted for each request at its end: how its guarded text ended, and how its prompt begins."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ngramspec import Guard, GuardError, ModelEngine, Speculator
from ngramspec.stats import Counters, GuardOutcome
from ngramspec.watching.templates import HEAD
from tests.hf.choice.test_guards import NUM_TOKENS, TOKENIZER, Failing, writer
from tests.hf.models import EOS, PAD, padded_prompts

COMPLETE, CUT_OFF, FAILED = GuardOutcome


def outcomes_of(spec: Speculator) -> dict[GuardOutcome, int]:
    return spec.stats.total.num_guarded_per_outcome


def by_generate(guard: Guard, max_new_tokens: int) -> dict[GuardOutcome, int]:
    spec = Speculator()
    prompts = padded_prompts(1, seed=2, vocabulary=NUM_TOKENS)
    arguments = {**prompts, "max_new_tokens": max_new_tokens, "eos_token_id": EOS}
    try:
        writer().generate(**arguments, logits_processor=[guard], custom_generate=spec)
    except GuardError:
        assert 1 == spec.stats.total.requests
    return outcomes_of(spec)


def by_engine(guard: Guard, max_new_tokens: int) -> dict[GuardOutcome, int]:
    with ModelEngine(writer()) as engine:
        prompt = torch.tensor([[2, 3, 4, 5]])
        arguments: dict[str, Any] = {"max_new_tokens": max_new_tokens, "eos_token_id": EOS, "pad_token_id": PAD}
        engine.add(prompt, **arguments, logits_processor=[guard])
        while not engine.is_idle:
            engine.step()
        return outcomes_of(engine.spec)


@pytest.mark.parametrize("decoded", [by_generate, by_engine])
@pytest.mark.parametrize(
    ("guard", "max_new_tokens", "outcome"),
    [
        (lambda: Guard.regex("[0-9]{4,6}", TOKENIZER), 20, COMPLETE),
        (lambda: Guard.regex("[0-9]{4,6}", TOKENIZER), 3, CUT_OFF),
        (lambda: Guard.regex("[0-9]{4,6}", TOKENIZER), 4, COMPLETE),  # by the limit, but its grammar accepts it
        (lambda: Guard(Failing(2), "failing"), 20, FAILED),
    ],
)
def test_a_guarded_request_is_counted_by_how_its_text_ended(
    decoded: Callable[[Guard, int], Any], guard: Callable[[], Guard], max_new_tokens: int, outcome: GuardOutcome
) -> None:
    assert {outcome: 1} == decoded(guard(), max_new_tokens)


def test_a_request_that_is_removed_is_cut_off_and_one_without_a_guard_is_not_counted() -> None:
    with ModelEngine(writer()) as engine:
        arguments: dict[str, Any] = {"max_new_tokens": 30, "eos_token_id": EOS, "pad_token_id": PAD}
        guard = Guard.regex("[0-9]{9,30}", TOKENIZER)
        guarded = engine.add(torch.tensor([[2, 3, 4]]), **arguments, logits_processor=[guard])
        engine.add(torch.tensor([[2, 3, 5]]), **arguments)
        for _ in range(2):
            engine.step()
        engine.remove(guarded)
    assert {CUT_OFF: 1} == outcomes_of(engine.spec)
    assert 2 == engine.spec.stats.total.requests


class Told(Speculator):
    """Keeps the templates that its statistics are told of."""

    def __init__(self) -> None:
        super().__init__()
        self.templates: list[int | None] = []
        self.stats._listener = self.note

    def note(self, counters: Counters, segment: str, template: int | None) -> None:
        self.templates.append(template)


def test_prompts_that_begin_alike_have_one_template_padded_or_not_alone_or_in_a_batch() -> None:
    spec = Told()
    head = [*range(2, 12)] * HEAD
    texts = [[*head[:HEAD], 5], [*head[:HEAD], 6, 7, 8], [*head[: HEAD - 1], 7, 8]]
    longest = max(map(len, texts))
    ids = torch.tensor([[PAD] * (longest - len(text)) + text for text in texts])
    mask = torch.tensor([[0] * (longest - len(text)) + [1] * len(text) for text in texts])
    arguments = {"max_new_tokens": 2, "pad_token_id": PAD, "custom_generate": spec, "segment": "orders"}
    writer().generate(input_ids=ids, attention_mask=mask, **arguments)
    writer().generate(input_ids=torch.tensor(texts[:1]), **arguments)
    with ModelEngine(writer(), spec) as engine:
        engine.add(torch.tensor(texts[1:2]), max_new_tokens=2, pad_token_id=PAD, segment="orders")
        while not engine.is_idle:
            engine.step()
    first, second, third, alone, in_engine = spec.templates
    assert first == second == alone == in_engine != third
