"""Sampling: alone, the same seed gives the same text; in a batch, no row's text depends on another's drafts."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ngramspec.decoding import FixedBudget
from ngramspec.drafting import PromptLookup
from ngramspec.hf import Speculator
from ngramspec.hf.choice.sampling import argmax
from ngramspec.hf.types import Model
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.drafters import RandomDrafter
from tests.hf.models import EOS, FAMILIES, PAD, VOCABULARY, padded_prompts, tiny

WARPERS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0.3, 0.7, 1.5]),
    "top_k": st.sampled_from([0, 1, 3, 7]),
    "top_p": st.sampled_from([0.3, 0.8, 1.0]),
    "min_p": st.sampled_from([0.05, 0.2]),
    "top_h": st.sampled_from([0.4, 0.9]),
    "typical_p": st.sampled_from([0.5, 0.9]),
    "epsilon_cutoff": st.sampled_from([1e-3, 0.05]),
    "eta_cutoff": st.sampled_from([1e-3, 0.05]),
    "repetition_penalty": st.sampled_from([0.8, 1.3]),
    "no_repeat_ngram_size": st.sampled_from([2, 3]),
    "renormalize_logits": st.booleans(),
}
settings_of_calls = st.fixed_dictionaries({}, optional=WARPERS)


@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.0, torch.inf, -torch.inf, torch.nan]), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    ),
    repeated=st.integers(1, 400),
)
def test_the_argmax_is_torchs_also_where_numbers_are_equal_or_none(rows: list[list[float]], repeated: int) -> None:
    scores = torch.tensor(rows).repeat(1, repeated)
    assert scores.argmax(dim=-1).tolist() == argmax(scores)
    assert scores[None].argmax(dim=-1).tolist() == argmax(scores[None])


def sample(model: Model, seed: int, **arguments: Any) -> tuple[Tensor, Tensor]:
    """The text, and the state in which the call leaves the default generator."""
    torch.manual_seed(seed)
    output = model.generate(do_sample=True, eos_token_id=EOS, pad_token_id=PAD, max_new_tokens=25, **arguments)
    return output, torch.get_rng_state()


@pytest.mark.parametrize("family", FAMILIES)
def test_alone_the_same_seed_gives_the_same_text_and_the_same_final_generator_state(family: str) -> None:
    model, counters = tiny(family), Counters()

    @given(
        prompt=st.lists(st.integers(2, 4), min_size=1, max_size=10),
        arguments=settings_of_calls,
        seed=st.integers(0, 2**31),
        useful=st.booleans(),
    )
    @settings(max_examples=50, deadline=None)
    def check(prompt: list[int], arguments: dict[str, Any], seed: int, useful: bool) -> None:
        inputs = {"input_ids": torch.tensor([prompt]), **arguments}
        plain, plain_state = sample(model, seed, **inputs)
        oracle = OracleDrafter.of_output(plain, len(prompt), VOCABULARY, seed=seed)
        spec = Speculator(oracle if useful else RandomDrafter(VOCABULARY, seed))
        output, state = sample(model, seed, custom_generate=spec, **inputs)
        assert plain.tolist() == output.tolist()
        assert torch.equal(plain_state, state)
        counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_a_batch_a_row_s_text_is_the_same_whatever_was_drafted(family: str) -> None:
    model, counters = tiny(family), Counters()

    @given(
        batch=st.integers(2, 4),
        arguments=settings_of_calls,
        seed=st.integers(0, 2**31),
        side=st.sampled_from(["left", "right"]),
    )
    @settings(max_examples=25, deadline=None)
    def check(batch: int, arguments: dict[str, Any], seed: int, side: str) -> None:
        inputs = {**padded_prompts(batch, seed=seed % 1000, side=side), **arguments}
        undrafted, state = sample(model, seed, custom_generate=Speculator(budget=FixedBudget(0)), **inputs)
        oracle = OracleDrafter.of_output(undrafted, inputs["input_ids"].shape[1], VOCABULARY, seed=seed)
        for spec in (Speculator(oracle), Speculator(RandomDrafter(VOCABULARY, seed)), Speculator(PromptLookup())):
            output, final_state = sample(model, seed, custom_generate=spec, **inputs)
            assert undrafted.tolist() == output.tolist()
            assert torch.equal(state, final_state)
            counters.add(spec.stats.total)

    check()
    assert_accepted_and_rolled_back(counters)


def test_another_seed_gives_another_text() -> None:
    model = tiny("llama")
    inputs = padded_prompts(3)
    texts = {str(sample(model, seed, custom_generate=Speculator(), **inputs)[0].tolist()) for seed in range(5)}
    assert 5 == len(texts)
