"""The same text in single and half precision, here and on a GPU: it differs from plain's only at near-ties.

`check_equivalence` decides what a near-tie is, and whether the random generators end in plain's state.
"""

import copy
from typing import Any

import pytest
import torch

from ngramspec.testing import Report, check_equivalence
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.models import EOS, FAMILIES, padded_prompts, tiny
from tests.hf.precisions import exactly, in_each_precision


def placed(family: str, device: str, dtype: torch.dtype) -> Any:
    """A tiny model of one's own, for others share theirs."""
    return copy.deepcopy(tiny(family)).to(device, dtype)


def check(model: Any, **settings: Any) -> Report:
    """Greedy and sampled, alone and in a batch, with drafts that are accepted and drafts that are rolled back."""
    padded = padded_prompts(3, 14, seed=5)
    masks = padded["attention_mask"].bool()
    prompts = [ids[mask].tolist() for ids, mask in zip(padded["input_ids"], masks, strict=True)]
    return check_equivalence(model, prompts, max_new_tokens=40, batch=3, eos_token_id=EOS, **settings)


def assert_same_but_for_near_ties(report: Report, device: str, dtype: torch.dtype) -> None:
    assert (device, str(dtype)) == (report.device, f"torch.{report.dtype}")
    allowed = {"identical"} if dtype == torch.float64 else {"identical", "near-tie"}
    assert report.finding in allowed, str(report)


@in_each_precision
@pytest.mark.parametrize("family", FAMILIES)
def test_texts_leave_plain_decoding_at_near_ties_only(family: str, device: str, dtype: torch.dtype) -> None:
    report = check(placed(family, device, dtype))
    assert_same_but_for_near_ties(report, device, dtype)
    assert [("greedy", 1), ("sampled", 1), ("greedy", 3), ("sampled", 3)] == [
        (mode.name, mode.batch) for mode in report.modes
    ]


@in_each_precision
def test_warped_samples_leave_plain_decoding_at_near_ties_only(device: str, dtype: torch.dtype) -> None:
    report = check(placed("llama", device, dtype), temperature=0.8, top_k=7, top_p=0.95, repetition_penalty=1.2)
    assert_same_but_for_near_ties(report, device, dtype)


@in_each_precision
def test_texts_of_eager_attention_leave_plain_decoding_at_near_ties_only(device: str, dtype: torch.dtype) -> None:
    # Plain eager attention in float64 makes NaN of left padding, so there prompts are checked one by one.
    model = placed("gemma3", device, dtype)
    model.set_attn_implementation("eager")
    batch = 1 if dtype == torch.float64 else 3
    prompts = [[2, 3, 4, 2, 3], [4, 4], [2, 3, 2, 3, 2, 3, 2]]
    report = check_equivalence(model, prompts, max_new_tokens=40, batch=batch, eos_token_id=EOS)
    assert_same_but_for_near_ties(report, device, dtype)


@exactly
@pytest.mark.parametrize("do_sample", [False, True])
def test_padding_on_the_right_changes_no_text(do_sample: bool, device: str, dtype: torch.dtype) -> None:
    """`check_equivalence` pads on the left."""
    prompts = {name: tensor.to(device) for name, tensor in padded_prompts(3, side="right").items()}
    comparison = compare(placed("llama", device, dtype), prompts, lambda: limits(do_sample=do_sample))
    assert_accepted_and_rolled_back(comparison.spec)
