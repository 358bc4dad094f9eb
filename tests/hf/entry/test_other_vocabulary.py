"""A guard made with another model's tokenizer is an error before the first pass, as far as that can be detected."""

import functools
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from ngramspec import Guard, GuardError, Speculator, load_pico
from ngramspec.guards import Vocabulary
from tests.hf.models import EOS, padded_prompts, tiny
from tests.hf.tokenizers import character_tokenizer

FEW = character_tokenizer("0123456789")
MANY = character_tokenizer("abcdefghijklmnopqrstuvwxyz0123456789")
WAYS = pytest.mark.parametrize("is_plain", [False, True], ids=["drafted", "plain"])


def answer(model: Any, guard: Guard, prompts: dict[str, Any], *, is_plain: bool, **more: Any) -> Any:
    way = {"logits_processor": [guard.processor(more.get("eos_token_id"))]} if is_plain else {
        "logits_processor": [guard], "custom_generate": Speculator()
    }  # fmt: skip
    return model.generate(**prompts, max_new_tokens=6, **way, **more)


def untouched(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> PreTrainedModel:
    """A model that must not make a pass."""

    @functools.wraps(type(model).forward)
    def forward(*_: Any, **__: Any) -> Any:
        pytest.fail("a pass was made")

    monkeypatch.setattr(type(model), "forward", forward)
    return model


def test_a_token_of_text_that_the_model_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard.regex("[0-9]+", MANY)
    model = untouched(tiny("llama", vocabulary=len(FEW)), monkeypatch)
    with pytest.raises(
        GuardError, match="the model's own tokenizer, got one of 38 tokens for a model that knows 12 ids"
    ):
        answer(model, guard, padded_prompts(2, vocabulary=len(FEW)), is_plain=False, eos_token_id=EOS)


def test_plain_decoding_learns_it_with_its_first_scores() -> None:
    model = tiny("llama", vocabulary=len(FEW))
    with pytest.raises(GuardError, match="got one of 38 tokens for a model that knows 12 ids"):
        answer(
            model, Guard.regex("[0-9]+", MANY), padded_prompts(2, vocabulary=len(FEW)), is_plain=True, eos_token_id=EOS
        )


@WAYS
def test_a_prompt_with_tokens_that_the_guard_does_not_know_is_an_error(is_plain: bool) -> None:
    prompts = {"input_ids": torch.tensor([[3, 4, 20]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    model = tiny("llama", vocabulary=len(MANY))
    with pytest.raises(GuardError, match="that made the prompt, got token 20 in it and a guard of 12 tokens"):
        answer(model, Guard.regex("[0-9]+", FEW), prompts, is_plain=is_plain, eos_token_id=EOS)


@WAYS
def test_a_table_that_is_filled_up_beyond_the_tokens_is_none(is_plain: bool) -> None:
    model = tiny("llama", vocabulary=len(FEW) + 20)
    prompts = padded_prompts(2, vocabulary=len(FEW))
    out = answer(model, Guard.regex("[0-9]+", FEW), prompts, is_plain=is_plain, eos_token_id=EOS)
    assert int(out.max()) < len(FEW)


@WAYS
def test_added_tokens_beyond_the_table_are_none(is_plain: bool) -> None:
    """As of a text model with the tokenizer of its picture-reading sister."""
    known = Vocabulary.of(FEW)
    more = Vocabulary([*known.tokens, b"<image>"], special=[*known.special, len(known)], eos_tokens=[EOS])
    out = answer(
        tiny("llama", vocabulary=len(FEW)),
        Guard.regex("[0-9]+", more),
        padded_prompts(2, vocabulary=len(FEW)),
        is_plain=is_plain,
        eos_token_id=EOS,
    )
    assert int(out.max()) < len(FEW)


def test_a_model_that_ends_with_what_is_text_to_the_guard_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama", vocabulary=len(FEW))
    monkeypatch.setattr(model.generation_config, "eos_token_id", [7, 8])
    guard = Guard.regex("[0-9]+", FEW)
    with pytest.raises(GuardError, match=r"got the model's \[7, 8\], which to the guard are '5', '6'"):
        answer(untouched(model, monkeypatch), guard, padded_prompts(1, vocabulary=len(FEW)), is_plain=False)


def test_a_caller_may_end_texts_with_what_is_text() -> None:
    model = tiny("llama", vocabulary=len(FEW))
    prompts = padded_prompts(1, vocabulary=len(FEW))
    out = answer(model, Guard.regex("[0-9]+", FEW), prompts, is_plain=False, eos_token_id=7)
    assert out.shape[1] > prompts["input_ids"].shape[1]


def test_the_packaged_model_takes_guards_of_its_own_tokenizer_only() -> None:
    model, tokenizer = load_pico()
    inputs = tokenizer("the year ", return_tensors="pt")
    out = answer(model, Guard.regex("[0-9]{4}", tokenizer), dict(inputs), is_plain=False)
    assert Guard.regex("[0-9]{4}", tokenizer).accepts(str(tokenizer.decode(out[0, inputs.input_ids.shape[1] : -1])))
    with pytest.raises(GuardError, match="the tokenizer that made the prompt"):
        answer(model, Guard.regex("[0-9]{4}", FEW), dict(inputs), is_plain=False)
