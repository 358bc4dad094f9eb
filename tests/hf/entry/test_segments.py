"""Segments and references of a call: what rows may copy from, and what they may not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ngramspec import AdaptiveLookup, FixedBudget, Speculator
from ngramspec.decoding import AdaptiveBudget, Costs, Row, Shape
from ngramspec.decoding.budget import Terms
from ngramspec.decoding.way import Way
from ngramspec.drafting import Draft
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.models import EOS, padded_prompts, tiny

LENGTH = 24
CALL: dict[str, Any] = {"max_new_tokens": LENGTH, "do_sample": False, "eos_token_id": EOS}


def decoded(spec: Speculator, prompts: dict[str, Any], **more: Any) -> list[list[int]]:
    found: list[list[int]] = tiny("llama").generate(**prompts, **CALL, custom_generate=spec, **more).tolist()
    return found


def test_what_a_row_answered_is_drafted_in_the_next_row_of_its_segment_and_in_no_other() -> None:
    prompts = padded_prompts(1, seed=3)
    spec = Speculator(budget=FixedBudget(10))
    plain = tiny("llama").generate(**prompts, **CALL).tolist()
    for segment in (None, None, "a", "a", "a", "b"):
        assert plain == decoded(spec, prompts, segment=segment)
    passes = [counters.target_passes for counters in spec.stats.segments.values()]
    alone = Speculator(budget=FixedBudget(10))
    decoded(alone, prompts)
    first = alone.stats.total.target_passes
    assert passes[0] < 3 * first  # the second and third row of "a" copied the first one's answer
    assert first == passes[1]  # the row of "b" could not


def test_each_row_of_a_batch_has_the_segment_of_its_prompt() -> None:
    prompts = padded_prompts(2, seed=3)
    spec = Speculator(budget=FixedBudget(10))
    tiny("llama").generate(
        **prompts, **{**CALL, "do_sample": True}, num_return_sequences=2, custom_generate=spec, segment=["a", None]
    )
    assert {"a": 2} == {name: counters.requests for name, counters in spec.stats.segments.items()}
    assert 4 == spec.stats.total.requests


def test_a_reference_is_copied_from_and_changes_no_text() -> None:
    prompts = padded_prompts(1, seed=3)
    plain = tiny("llama").generate(**prompts, **CALL)
    answer = plain[0, prompts["input_ids"].shape[1] :]
    passes = []
    for references in (None, [answer.numpy()], [answer.tolist(), [5, 6]], [answer]):
        spec = Speculator(budget=FixedBudget(10))
        assert plain.tolist() == decoded(spec, prompts, references=references)
        passes.append(spec.stats.total.target_passes)
    assert passes[1] == passes[2] == passes[3] < passes[0] / 2


def test_text_that_is_spelled_alike_is_drafted_from_and_changes_no_text() -> None:
    prompts = padded_prompts(2, seed=3)
    plain = tiny("llama").generate(**prompts, **CALL).tolist()
    vocabulary = [b"token %d;" % (token // 4) for token in range(tiny("llama").config.vocab_size)]  # four are alike
    drafted = []
    for drafter in (AdaptiveLookup(), AdaptiveLookup(vocabulary=vocabulary)):
        spec = Speculator(drafter, FixedBudget(10))
        assert plain == decoded(spec, prompts)
        drafted.append(spec.stats.total.num_draft_tokens)
    assert drafted[0] < drafted[1]


class Whimsical:
    """Lets through whatever a seed says."""

    max_draft_tokens = 7

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def terms(self, rows: Sequence[Row], shape: Shape, costs: Costs) -> Terms:
        return Terms([Way(int(self._random.integers(0, 3))) for _ in rows], (0.0, *(self._random.random(2) / 4)))

    def allot(self, drafts: Any, remaining: Any, shape: Shape, costs: Costs) -> list[int]:
        return [int(self._random.integers(0, draft.tokens.size + 1)) for draft in drafts]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch", [1, 3])
def test_the_text_is_the_same_whatever_the_budget_decides(seed: int, batch: int) -> None:
    prompts = padded_prompts(batch, seed=seed)
    plain = tiny("llama").generate(**prompts, **CALL).tolist()
    for budget in (Whimsical(seed), AdaptiveBudget(), FixedBudget(0)):
        spec = Speculator(budget=budget)
        for _ in range(3):
            assert plain == decoded(spec, prompts, segment="a")
        if isinstance(budget, Whimsical):
            assert_accepted_and_rolled_back(spec)


def test_a_budget_that_allots_nothing_has_nothing_checked() -> None:
    class Miser(Whimsical):
        def allot(self, drafts: Any, remaining: Any, shape: Shape, costs: Costs) -> list[int]:
            assert all(isinstance(draft, Draft) for draft in drafts)
            return [0] * len(drafts)

    spec = Speculator(budget=Miser(0))
    decoded(spec, padded_prompts(2), segment="a")
    assert 0 == spec.stats.total.num_draft_tokens


def test_what_passes_cost_is_learnt_by_model() -> None:
    spec = Speculator()
    first, second = tiny("llama"), tiny("gpt2")
    for model in (first, second):
        model.generate(**padded_prompts(1), **CALL, custom_generate=spec, speculate=False)
    costs = [spec.costs.of(model) for model in (first, second)]
    assert costs[0] is not costs[1]
    assert all(each.prices(Shape(1, 1, 1, 16), 0) is not None for each in costs)
    assert 2 == spec.stats.total.requests


def test_speculation_can_be_switched_off_per_call_and_per_segment() -> None:
    prompts = padded_prompts(2, seed=3)
    plain = tiny("llama").generate(**prompts, **CALL).tolist()
    drafter = AdaptiveLookup()
    spec = Speculator(drafter, FixedBudget(10), undrafted_segments=["b"])
    for more in ({"speculate": False, "segment": "a"}, {"segment": "b"}, {"segment": "b"}):
        assert plain == decoded(spec, prompts, **more)
        assert 0 == spec.stats.total.num_draft_tokens
    assert {} == drafter.segments
    assert plain == decoded(spec, prompts, segment=["a", "b"])
    assert ["a"] == [name for name, counters in spec.stats.segments.items() if counters.num_draft_tokens]
    assert ["a"] == list(drafter.segments)


def test_names_of_segments_come_in_a_collection() -> None:
    with pytest.raises(TypeError, match=r"undrafted_segments must be a collection of names, got 'chat': put it in"):
        Speculator(undrafted_segments="chat")


def test_what_is_no_list_of_references_is_refused() -> None:
    spec = Speculator()
    with pytest.raises(TypeError, match=r"references must be a list of texts, .* got \[1, 2\]|got 1: put a single"):
        decoded(spec, padded_prompts(1), references=[1, 2])
    with pytest.raises(ValueError, match=r"token ids must be >= 0 and < 2147483647, got -1 in a reference"):
        decoded(spec, padded_prompts(1), references=[[-1]])
