"""A forged history that is accepted changes only the speed of a text, never its tokens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ngramspec import AdaptiveLookup, FixedBudget, Guard, Speculator
from tests.files.forging import HISTORY, parts_of, written
from tests.hf.models import padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

TOKENIZER = character_tokenizer("abcdefghij")
CALL: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None}
BEYOND = [2**31 - 2, len(TOKENIZER), 10**6]
"""Ids that no vocabulary here has."""


@pytest.mark.parametrize("budget", [None, FixedBudget(8)])
@pytest.mark.parametrize("is_guarded", [False, True])
def test_fifty_calls_with_drafts_of_any_ids_write_the_text_of_plain_decoding(
    tmp_path: Path, is_guarded: bool, budget: FixedBudget | None
) -> None:
    model, rng = tiny("llama", vocabulary=len(TOKENIZER)), np.random.default_rng(0)
    spec = Speculator(AdaptiveLookup())
    for seed in range(4):
        prompts = padded_prompts(1, seed=seed, vocabulary=len(TOKENIZER))
        model.generate(**prompts, **CALL, custom_generate=spec, segment="a")
    assert isinstance(spec.drafter, AdaptiveLookup)
    spec.drafter.save(tmp_path / "real", "words")
    header, arrays = parts_of(tmp_path / "real")
    text = arrays[2]
    is_token = text < len(TOKENIZER)
    text[is_token] = rng.choice([*range(len(TOKENIZER)), *BEYOND], int(is_token.sum()))
    forged = written(tmp_path / "forged", HISTORY, (header, arrays))
    spec = Speculator(AdaptiveLookup.load(forged, "words"), budget)
    guard = Guard.regex("[a-e]{3,}", TOKENIZER) if is_guarded else None
    for number in range(50):
        prompts = padded_prompts(1 + number % 2, seed=number, vocabulary=len(TOKENIZER))
        plain_call, call = dict(CALL), dict(CALL)
        if guard is not None:
            ends = TOKENIZER.eos_token_id
            plain_call |= {"logits_processor": [guard.processor(ends)], "eos_token_id": ends}
            call |= {"logits_processor": [guard], "eos_token_id": ends}
        plain = model.generate(**prompts, **plain_call)
        assert torch.equal(plain, model.generate(**prompts, **call, custom_generate=spec, segment="a"))
    assert spec.stats.total.num_draft_tokens > spec.stats.total.num_accepted_tokens
