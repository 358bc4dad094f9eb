"""A rejected draft that computes NaN or infinity does not change the text."""

import copy
from typing import Any

import pytest
import torch

from ngramspec import FixedBudget, Speculator
from ngramspec.drafting import NoDrafts
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.hybrids import hybrid, with_blocks
from tests.hf.models import VOCABULARY, padded_prompts, tiny
from tests.hf.seq2seq import sources, tiny_seq2seq

POISON = VOCABULARY - 1
LIMITS: dict[str, Any] = {"max_new_tokens": 16, "eos_token_id": None, "pad_token_id": 0, "suppress_tokens": [POISON]}


def poisoned(model: Any, value: float) -> Any:
    """A model in which one token overflows."""
    model = copy.deepcopy(model)
    reader = model.get_decoder() if model.config.is_encoder_decoder else model
    embedding = reader.get_input_embeddings()
    own = copy.deepcopy(embedding)
    with torch.no_grad():
        own.weight[POISON] = value
    reader.set_input_embeddings(own)
    return model


def drafts(plain: list[list[int]], period: int) -> OracleDrafter:
    """Plain's texts, each with poison at every `period`-th position."""
    spoilt = [[POISON if n % period == period - 1 else token for n, token in enumerate(row)] for row in plain]
    return OracleDrafter(spoilt, VOCABULARY, corrupted=0.0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e300])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("period", [1, 3])
def test_a_draft_that_overflows_leaves_the_text(
    family: str, attention: str, batch: int, value: float, period: int
) -> None:
    model = poisoned(tiny(family, attention), value)
    prompts = padded_prompts(batch, vocabulary=POISON)
    plain = model.generate(**prompts, **LIMITS)
    spec = Speculator(drafts(plain[:, 9:].tolist(), period), FixedBudget(4))
    assert plain.tolist() == model.generate(**prompts, **LIMITS, custom_generate=spec).tolist()
    total = spec.stats.total
    assert total.num_accepted_tokens < total.num_draft_tokens
    assert period == 1 or 0 < total.num_accepted_tokens


@pytest.mark.parametrize("batch", [1, 2])
def test_a_draft_that_overflows_leaves_the_text_of_rows_in_line(batch: int) -> None:
    model = poisoned(tiny_seq2seq("bart"), torch.nan)
    inputs = sources(batch)
    inputs["input_ids"] = inputs["input_ids"].clamp(max=POISON - 1)
    plain = model.generate(**inputs, **LIMITS)
    spec = Speculator(drafts(plain[:, 1:].tolist(), 3), FixedBudget(4))
    assert plain.tolist() == model.generate(**inputs, **LIMITS, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@with_blocks
@pytest.mark.parametrize("value", [torch.nan, 1e300])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["qwen3_next", "falcon_h1", "lfm2", "mamba2"])
def test_a_draft_that_overflows_leaves_the_text_and_the_running_states(name: str, batch: int, value: float) -> None:
    model = poisoned(hybrid(name, VOCABULARY), value)
    prompts = padded_prompts(batch, vocabulary=POISON)
    plain = model.generate(**prompts, **LIMITS)
    spec = Speculator(drafts(plain[:, 9:].tolist(), 3), FixedBudget(4))
    assert plain.tolist() == model.generate(**prompts, **LIMITS, custom_generate=spec).tolist()
    total = spec.stats.total
    assert 0 < total.num_accepted_tokens < total.num_draft_tokens


def test_a_model_whose_own_logits_are_nan_decodes_as_plainly() -> None:
    model = poisoned(tiny("llama"), 1.0)
    with torch.no_grad():
        model.lm_head.weight[3] = torch.nan
    prompts = padded_prompts(1)
    plain = model.generate(**prompts, **LIMITS)
    for drafter in (OracleDrafter.of_output(plain, 9, VOCABULARY), NoDrafts()):
        spec = Speculator(drafter, FixedBudget(4))
        assert plain.tolist() == model.generate(**prompts, **LIMITS, custom_generate=spec).tolist()
