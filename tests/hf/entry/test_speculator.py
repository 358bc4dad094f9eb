"""A Speculator as an object: copies, pickles, default devices, gradients."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ngramspec import AdaptiveLookup, FixedBudget, NgramspecWarning, PromptLookup, Speculator
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.models import FAMILIES, VOCABULARY, padded_prompts, tiny

LIMITS: dict[str, Any] = {"max_new_tokens": 24, "eos_token_id": None, "pad_token_id": 0}


def pickled(spec: Speculator) -> Speculator:
    copied = pickle.loads(pickle.dumps(spec))
    assert isinstance(copied, Speculator)
    return copied


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("drafter", [AdaptiveLookup, PromptLookup, lambda: AdaptiveLookup(vocabulary=[b"a", b"b"])])
def test_a_copy_drafts_as_the_original_does_and_counts_anew(
    copied: Callable[[Speculator], Speculator], drafter: Callable[[], Any]
) -> None:
    model, prompts = tiny("llama"), padded_prompts(1, length=30)
    spec = Speculator(drafter(), FixedBudget(6), undrafted_segments=["chat"])
    plain = model.generate(**prompts, **LIMITS)
    other = copied(spec)
    assert plain.tolist() == model.generate(**prompts, **LIMITS, custom_generate=spec).tolist()
    assert plain.tolist() == model.generate(**prompts, **LIMITS, custom_generate=other).tolist()
    assert spec.stats.total == other.stats.total
    model.generate(**prompts, **LIMITS, custom_generate=other, segment="chat")
    assert 0 == other.stats.segments["chat"].num_draft_tokens
    assert 0 == copied(spec).stats.total.requests


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_what_a_segment_wrote_does_not_go_along_with_a_copy(copied: Callable[[Speculator], Speculator]) -> None:
    spec = Speculator()
    secret = 7
    tiny("llama").generate(**padded_prompts(1), **LIMITS, custom_generate=spec, segment="tenant")
    assert isinstance(spec.drafter, AdaptiveLookup)
    assert spec.drafter.segments["tenant"] > secret
    other = copied(spec)
    assert isinstance(other.drafter, AdaptiveLookup)
    assert {} == other.drafter.segments
    assert spec.drafter.survival.weights == other.drafter.survival.weights


def test_a_speculator_can_be_copied_while_it_is_used() -> None:
    """As a service does that forks a worker in mid-traffic."""

    class CopiesItself:
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            copy.deepcopy(spec)
            return scores

    prompts = padded_prompts(1)
    plain = tiny("llama").generate(**prompts, **LIMITS)
    spec = oracle(plain)
    ours = tiny("llama").generate(**prompts, **LIMITS, logits_processor=[CopiesItself()], custom_generate=spec)
    assert plain.tolist() == ours.tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_device_makes_no_difference(family: str, batch: int) -> None:
    model, prompts = tiny(family), padded_prompts(batch)
    plain = model.generate(**prompts, **LIMITS)
    spec = Speculator(OracleDrafter.of_output(plain, 9, VOCABULARY), FixedBudget(6))
    with torch.device("meta"):  # stands for a GPU beside a model on the CPU
        output = model.generate(**prompts, **LIMITS, custom_generate=spec)
        sampled = model.generate(**prompts, **LIMITS, custom_generate=spec, do_sample=True)
    assert plain.tolist() == output.tolist()
    assert plain.shape == sampled.shape
    assert_accepted_and_rolled_back(spec)


def test_gradients_flow_as_in_plain_decoding() -> None:
    model = tiny("llama")
    generate = type(model).generate
    while hasattr(generate, "__wrapped__"):
        generate = generate.__wrapped__
    arguments = {**padded_prompts(1), **LIMITS, "return_dict_in_generate": True, "output_scores": True}
    gradients = []
    for more in ({}, {"custom_generate": Speculator(budget=FixedBudget(3))}):
        model.zero_grad()
        if more:
            with pytest.warns(NgramspecWarning, match="gradients"):
                output = generate(model, **arguments, **more)
        else:
            output = generate(model, **arguments)
        torch.stack(output.scores).logsumexp(-1).sum().backward()
        gradients.append(model.lm_head.weight.grad.clone())
    model.zero_grad(set_to_none=True)
    assert torch.equal(*gradients)
