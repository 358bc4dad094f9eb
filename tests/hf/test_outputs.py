"""`return_dict_in_generate`: the object of plain `generate()`, with scores, logits and a usable cache."""

from typing import Any

import pytest
import torch
from transformers.generation.logits_process import LogitsProcessor
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.utils import GenerateDecoderOnlyOutput, GenerateEncoderDecoderOutput

from ngramspec import FixedBudget, Speculator
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import SEED, assert_accepted_and_rolled_back, oracle
from tests.hf.models import EOS, FAMILIES, VOCABULARY, padded_prompts, tiny
from tests.hf.seq2seq import sources, tiny_seq2seq

WANTS: dict[str, Any] = {
    "max_new_tokens": 24,
    "eos_token_id": EOS,
    "return_dict_in_generate": True,
    "output_scores": True,
    "output_logits": True,
}


def both(model: Any, prompts: dict[str, Any], **arguments: Any) -> tuple[Any, Any, Speculator]:
    """What plain and speculative decoding return."""
    torch.manual_seed(SEED)
    plain = model.generate(**prompts, **arguments)
    length = 1 if model.config.is_encoder_decoder else prompts["input_ids"].shape[1]
    spec = Speculator(OracleDrafter(plain.sequences[:, length:].tolist(), VOCABULARY), FixedBudget(10))
    torch.manual_seed(SEED)
    return plain, model.generate(**prompts, **arguments, custom_generate=spec), spec


def assert_same_entries(plain: Any, speculative: Any) -> None:
    """Scores and logits per emitted token, equal but for rounding in float64 (chosen from float32 copies)."""
    for name in ("scores", "logits"):
        expected, actual = getattr(plain, name), getattr(speculative, name)
        assert type(expected) is type(actual)
        assert len(expected) == len(actual)
        for before, after in zip(expected, actual, strict=True):
            assert before.dtype == after.dtype
            torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_and_logits_have_one_entry_per_emitted_token(family: str, batch: int) -> None:
    model = tiny(family)
    plain, speculative, spec = both(model, padded_prompts(batch), **WANTS, repetition_penalty=1.2)
    assert type(plain) is type(speculative) is GenerateDecoderOnlyOutput
    assert plain.sequences.tolist() == speculative.sequences.tolist()
    assert_same_entries(plain, speculative)
    assert list(plain) == list(speculative)
    assert_accepted_and_rolled_back(spec)


def test_a_sampled_row_has_the_scores_that_it_was_drawn_from() -> None:
    plain, speculative, _ = both(tiny("llama"), padded_prompts(1), **WANTS, do_sample=True, top_k=5, temperature=0.7)
    assert plain.sequences.tolist() == speculative.sequences.tolist()
    assert_same_entries(plain, speculative)


@pytest.mark.parametrize("batch", [1, 3])
def test_an_encoder_decoder_model_returns_its_own_kind_of_object(batch: int) -> None:
    arguments = {**WANTS, "no_repeat_ngram_size": 2}
    plain, speculative, _ = both(tiny_seq2seq("bart"), sources(batch), **arguments)
    assert type(plain) is type(speculative) is GenerateEncoderDecoderOutput
    assert plain.sequences.tolist() == speculative.sequences.tolist()
    assert_same_entries(plain, speculative)
    assert list(plain) == list(speculative)


@pytest.mark.parametrize("wanted", ["output_scores", "output_logits"])
def test_only_what_is_asked_for_is_kept(wanted: str) -> None:
    arguments = {"max_new_tokens": 9, "return_dict_in_generate": True, wanted: True}
    plain, speculative, _ = both(tiny("gpt2"), padded_prompts(1), **arguments)
    assert (plain.scores is None) == (speculative.scores is None)
    assert (plain.logits is None) == (speculative.logits is None)


def test_scores_without_the_object_are_left_out_as_plain_decoding_leaves_them_out() -> None:
    model, arguments = tiny("llama"), {"max_new_tokens": 20, "output_scores": True}
    plain = model.generate(**padded_prompts(2), **arguments)
    spec = oracle(plain)
    assert plain.tolist() == model.generate(**padded_prompts(2), **arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


class _HalvesInPlace(LogitsProcessor):
    """Writes to the logits it is given, so that plain decoding's record of them changes too."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        scores[:, 3] /= 2
        return scores


@pytest.mark.parametrize("batch", [1, 3])
def test_a_processor_that_writes_in_place_leaves_the_same_record(batch: int) -> None:
    plain, speculative, _ = both(tiny("llama"), padded_prompts(batch), **WANTS, logits_processor=[_HalvesInPlace()])
    assert_same_entries(plain, speculative)


class _CountsScores(StoppingCriteria):
    """Ends after nine tokens, told from the scores alone."""

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        return torch.full((len(input_ids),), len(scores) >= 9)  # type: ignore[return-value]


@pytest.mark.parametrize("batch", [1, 3])
def test_criteria_are_given_the_scores_where_they_are_kept(batch: int) -> None:
    arguments = {**WANTS, "stopping_criteria": StoppingCriteriaList([_CountsScores()])}
    plain, speculative, _ = both(tiny("llama"), padded_prompts(batch), **arguments)
    assert plain.sequences.tolist() == speculative.sequences.tolist()
    assert 9 == len(speculative.scores)


def test_a_model_that_is_not_drafted_for_returns_the_object_too() -> None:
    plain, speculative, _ = both(tiny("llama"), padded_prompts(2), **WANTS)
    undrafted = Speculator()
    with pytest.warns(match="use_cache=False"):
        output = tiny("llama").generate(**padded_prompts(2), **WANTS, use_cache=False, custom_generate=undrafted)
    assert plain.sequences.tolist() == output.sequences.tolist() == speculative.sequences.tolist()
    assert_same_entries(plain, output)
    assert 2 == undrafted.stats.total.requests
