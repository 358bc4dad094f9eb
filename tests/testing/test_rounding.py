"""What rounding can explain: many-token passes are the model's own, and near-ties are told from defects."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from ngramspec.hf import Speculator
from ngramspec.hf.facts.rounding import explicable, largest_difference
from ngramspec.hf.seam import CACHE
from ngramspec.testing import check_equivalence
from ngramspec.testing.calls import Call
from ngramspec.testing.explaining import Choice
from ngramspec.testing.plain import Run
from ngramspec.testing.rounding import block_logits
from ngramspec.testing.watching import judged
from tests.hf.models import FAMILIES, PAD, VOCABULARY, padded_prompts, settled, tiny

LOWER, UPPER = 2, 9
"""Two tokens that are made to tie."""


def call_of(model: Any, inputs: dict[str, Any], *, seed: int = 0, **more: Any) -> Call:
    given = {"max_new_tokens": 15, "pad_token_id": PAD, "do_sample": False, **more}
    return Call(model, inputs["input_ids"], inputs["attention_mask"], given, seed)


@torch.no_grad()
def assert_blocks_say_what_plain_says(call: Call) -> None:
    output, passes = call.run_plainly()
    emitted = call.emitted(output)
    plain = torch.stack(passes, dim=1)
    assert emitted.tolist() == plain.argmax(dim=-1).tolist()
    for width in (1, 2, 4, emitted.shape[1]):
        blocks = block_logits(call.model, (call.input_ids, call.mask), emitted, width)
        assert plain.shape == blocks.shape
        assert largest_difference(plain, blocks) < 1e-12


@pytest.mark.parametrize("family", FAMILIES)
def test_passes_over_many_tokens_say_what_plain_decoding_says(family: str) -> None:
    assert_blocks_say_what_plain_says(call_of(tiny(family), padded_prompts(3)))


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_passes_over_many_tokens_of_an_encoder_decoder_model_too(kind: str) -> None:
    shared: dict[str, Any] = {"vocab_size": VOCABULARY, "d_model": 32, "decoder_start_token_id": 3}
    shared |= {"eos_token_id": None, "pad_token_id": PAD}
    model: Any
    if kind == "t5":
        config = T5Config(**shared, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0.0)
        model = T5ForConditionalGeneration(config)
    else:
        sizes: dict[str, Any] = {"encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 48}
        sizes |= {"decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
        model = BartForConditionalGeneration(BartConfig(**shared, **sizes, bos_token_id=None, forced_eos_token_id=None))
    assert_blocks_say_what_plain_says(call_of(settled(model, seed=1), padded_prompts(3)))


def model_with_a_tie(perturbation: float) -> Any:
    """In single precision: two tokens of equal logits, to rounding, one of which drafted passes raise."""
    model = copy.deepcopy(tiny("llama")).float()
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        head[UPPER] = head[LOWER] = head[LOWER] * 2

    def perturb(_model: Any, _args: Any, kwargs: dict[str, Any], output: Any) -> None:
        cache = kwargs[CACHE]
        if kwargs["input_ids"].shape[1] > 1 and cache is not None and cache.get_seq_length() > 0:
            output.logits[..., UPPER] += perturbation

    model.register_forward_hook(perturb, with_kwargs=True)
    return model


def test_a_tie_that_rounding_turns_is_a_near_tie() -> None:
    report = check_equivalence(model_with_a_tie(5e-6), [[3, 4, 3, 4], [5, 6, 7]], max_new_tokens=24, batch=2)
    assert "near-tie" == report.finding
    greedy = report.modes[0].differences
    assert greedy
    for difference in greedy:
        assert {LOWER, UPPER} == {difference.plain_token, difference.speculative_token}
        evidence = difference.evidence
        assert evidence.top2_gap is not None
        assert evidence.top2_gap == evidence.margin
        assert evidence.top2_gap < 1e-5
        assert evidence.shift is not None
        assert evidence.shift <= evidence.rounding <= evidence.explicable


@pytest.mark.parametrize("perturbation", [1e-2, 3.0])
@pytest.mark.usefixtures("trusted")
def test_logits_that_drafts_change_by_more_than_rounding_are_a_defect(perturbation: float) -> None:
    model = model_with_a_tie(perturbation)
    with torch.no_grad():
        model.get_output_embeddings().weight[UPPER] *= 0.9999  # a gap that rounding does not bridge
    prompt = [3, 4, 3, 4]
    arguments = {"inputs": torch.tensor([prompt]), "max_new_tokens": 24, "do_sample": False}
    plain, drafted = (
        model.generate(**arguments, **more)[0, len(prompt) :].tolist()
        for more in ({}, {"custom_generate": Speculator()})
    )
    position = next(index for index, token in enumerate(plain) if token != drafted[index])

    report = check_equivalence(model, [prompt], max_new_tokens=24, batch=1)
    assert "defect" == report.modes[0].finding
    difference = report.modes[0].differences[0]
    assert ("default settings", "defect") == (difference.drafter, difference.finding)
    assert (position, plain[position], drafted[position]) == (
        difference.position,
        difference.plain_token,
        difference.speculative_token,
    )
    evidence = difference.evidence
    assert evidence.rounding == pytest.approx(perturbation, rel=0.01)
    assert evidence.explicable < 1e-3
    assert "more than the" in str(evidence)


ONE_PROMPT = {"input_ids": torch.tensor([[2, 3, 4, 2]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}


def settings_of(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    values: dict[str, list[Any]] = {
        "temperature": [0.5, 1.7],
        "top_k": [2, 5],
        "top_p": [0.5, 0.9],
        "repetition_penalty": [0.8, 1.3],
    }
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values[name]) for name in names})


@given(
    seed=st.integers(0, 2**31),
    arguments=settings_of(["temperature", "top_k", "top_p", "repetition_penalty"]),
    do_sample=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_any_choice_can_be_redone(seed: int, arguments: dict[str, Any], do_sample: bool) -> None:
    call = call_of(tiny("llama"), ONE_PROMPT, seed=seed, do_sample=do_sample, **arguments)
    output, passes = call.run_plainly()
    run = Run(call, output)
    chosen = [int(Choice(run, 0, position, logits).values(0.0).argmax()) for position, logits in enumerate(passes)]
    assert run.emitted[0].tolist() == chosen


@given(seed=st.integers(0, 2**31), arguments=settings_of(["temperature", "top_k"]), do_sample=st.booleans())
@settings(max_examples=20, deadline=None)
def test_any_choice_turns_from_the_least_shift_on(seed: int, arguments: dict[str, Any], do_sample: bool) -> None:
    call = call_of(tiny("llama"), ONE_PROMPT, seed=seed, do_sample=do_sample, max_new_tokens=3, **arguments)
    output, passes = call.run_plainly()
    choice = Choice(Run(call, output), 0, 2, passes[2])
    chosen, other = choice.values(0.0).topk(2).indices.tolist()
    shift = choice.least_shift(chosen, other, 1e-12)
    assert shift is not None

    def turns(shift: float) -> bool:
        moved = choice.values(shift, up=other), choice.values(shift, down=chosen)
        return other in [int(values.argmax()) for values in moved]

    assert turns(shift)
    assert turns(1.001 * shift + 1e-5)
    assert not turns(0.999 * shift - 1e-5) or shift < 1e-4


def test_a_token_at_the_edge_of_top_k_is_one_that_rounding_may_cut_off() -> None:
    logits = torch.full((1, VOCABULARY), -20.0)
    logits[0, 3], logits[0, 4], logits[0, 5] = 5.0, 4.5, 4.5 - 1e-5
    for seed in range(50):
        call = call_of(tiny("llama"), ONE_PROMPT, seed=seed, do_sample=True, top_k=2)
        choice = Choice(Run(call, call.run()), 0, 0, logits)
        left = int(choice.values(1e-4, down=4).argmax())
        if int(choice.values(0.0).argmax()) == 4 and left == 3:
            assert choice.least_shift(4, 3, 1e-3) == pytest.approx(5e-6, rel=0.1)
            assert choice.margin(4, 3) > 0.01  # by the draw alone it is no near-tie
            return
    pytest.fail("no seed draws the token at the edge")


def test_what_rounding_explains_grows_with_the_logits_and_leaves_out_the_masked_ones() -> None:
    logits = torch.tensor([[1.0, -8.0, torch.finfo(torch.float32).min, -torch.inf]])
    assert explicable(logits) == 256 * 2**-23 * 8.0
    assert explicable(logits.to(torch.bfloat16)) == 16 * 2**-7 * 8.0
    assert largest_difference(logits, logits) == 0.0
    assert largest_difference(logits, logits + torch.tensor([0.0, 0.5, 0.0, 0.0])) == 0.5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_logits_are_judged_in_single_and_double_precision_alone(dtype: torch.dtype) -> None:
    assert judged(torch.zeros(1, dtype=dtype)) == (dtype in (torch.float64, torch.float32))
