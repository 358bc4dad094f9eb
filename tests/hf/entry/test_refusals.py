"""Calls that cannot be exact are refused by name before the first pass; models without drafts decode plainly."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version
from transformers import GenerationConfig, StaticCache
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from ngramspec import (
    FixedBudget,
    NgramspecError,
    NgramspecWarning,
    PromptError,
    PromptLookup,
    RefusedError,
    Speculator,
)
from ngramspec.hf.seam import CACHE
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.drafters import RandomDrafter
from tests.hf.models import EOS, PAD, VOCABULARY, padded_prompts, settled, tiny


@contextmanager
def counted_passes(model: Any) -> Iterator[list[int]]:
    """Collects one entry per forward pass."""
    passes: list[int] = []
    handle = model.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        yield passes
    finally:
        handle.remove()


def embeddings() -> torch.Tensor:
    model = tiny("llama")
    vectors: torch.Tensor = model.get_input_embeddings()(padded_prompts(1)["input_ids"])
    return vectors


class OwnCache(StaticCache):
    """Whose methods may do something else."""


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "beam search": (lambda: {"num_beams": 3}, r"beam.*num_beams=3"),
    "sampled beams": (lambda: {"num_beams": 2, "do_sample": True}, r"beam.*num_beams=2"),
    "prompt lookup": (lambda: {"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens=3"),
    "contrastive search": (lambda: {"penalty_alpha": 0.6, "top_k": 4}, r"contrastive.*penalty_alpha=0\.6"),
    "DoLa": (lambda: {"dola_layers": "high"}, r"dola.*dola_layers='high'"),
    "constrained beams": (lambda: {"force_words_ids": [[3, 4]], "num_beams": 2}, "force_words_ids"),
    "offloaded cache": (lambda: {"cache_implementation": "offloaded"}, "cache_implementation='offloaded'"),
    "a static cache of an unknown class": (
        lambda: {CACHE: OwnCache(tiny("llama").config, max_cache_len=40)},
        f"{CACHE}=OwnCache",
    ),
    "output_attentions": (
        lambda: {"output_attentions": True, "return_dict_in_generate": True},
        "output_attentions=True",
    ),
    "output_hidden_states": (
        lambda: {"output_hidden_states": True, "return_dict_in_generate": True},
        "output_hidden_states=True",
    ),
    "embeddings": (lambda: {"inputs_embeds": embeddings(), "input_ids": None}, "inputs_embeds"),
    "embeddings beside ids": (lambda: {"inputs_embeds": embeddings()}, "inputs_embeds"),
    "prefill in chunks": (lambda: {"prefill_chunk_size": 4}, "prefill_chunk_size=4"),
}
if Version(torch.__version__) < Version("2.7") and not torch.cuda.is_available():
    del REFUSED["offloaded cache"]  # transformers makes it before it calls us, and there fails for want of CUDA
REFUSED_BY_GENERATE: dict[str, tuple[dict[str, Any], str]] = {
    "paged cache": ({"cache_implementation": "paged"}, "cache_implementation='paged'"),
    "quantized cache": ({"cache_implementation": "quantized"}, "cache_implementation='quantized'"),
    "paged cache in a config": (
        {"generation_config": GenerationConfig(cache_implementation="paged", max_new_tokens=6)},
        "cache_implementation='paged'",
    ),
    "synced_gpus": ({"synced_gpus": True}, "synced_gpus=True"),
    "token_healing": ({"token_healing": True}, "token_healing=True"),
    "an assistant model": ({"assistant_model": tiny("gpt2")}, "assistant_model"),
    "another custom_generate": ({"custom_generate": Speculator()}, "custom_generate"),
}


def refused(call: Callable[[], Any], model: Any, message: str, spec: Speculator) -> None:
    with counted_passes(model) as passes, pytest.raises(RefusedError, match=message) as caught:
        call()
    assert not passes, "the model was called before the refusal"
    assert isinstance(caught.value, (NgramspecError, ValueError))
    assert spec.stats.total.requests == 0


@pytest.mark.parametrize("through", ["custom_generate", "spec.generate"])
@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_a_call_is_refused_by_name(arguments: Callable[[], dict[str, Any]], message: str, through: str) -> None:
    model, spec = tiny("llama"), Speculator()
    call: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 6, **arguments()}
    if through == "custom_generate":
        refused(lambda: model.generate(**call, custom_generate=spec), model, message, spec)
    else:
        refused(lambda: spec.generate(model, **call), model, message, spec)


@pytest.mark.parametrize(("arguments", "message"), REFUSED_BY_GENERATE.values(), ids=REFUSED_BY_GENERATE)
def test_spec_generate_refuses_by_name_what_transformers_would_lose(arguments: dict[str, Any], message: str) -> None:
    model, spec = tiny("llama"), Speculator()
    call: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 6, **arguments}
    refused(lambda: spec.generate(model, **call), model, message, spec)


@pytest.mark.parametrize(
    "setting",
    [{"num_beams": 2}, {"cache_implementation": "paged"}],
    ids=["beams", "paged"],
)
def test_what_the_model_itself_is_set_to_is_refused_too(setting: dict[str, Any]) -> None:
    model, spec = tiny("mixtral"), Speculator()
    usual = model.generation_config
    model.generation_config = GenerationConfig(pad_token_id=PAD, **setting)
    try:
        refused(
            lambda: spec.generate(model, **padded_prompts(1), max_new_tokens=6), model, str(*setting.values()), spec
        )
    finally:
        model.generation_config = usual


@pytest.mark.parametrize("attention", ["flex_attention", "flash_attention_2"])
def test_an_attention_without_a_mask_per_query_is_refused_by_name(attention: str) -> None:
    model, spec = tiny("llama"), Speculator()
    usual = model.config._attn_implementation
    model.config._attn_implementation = attention
    try:
        call = {**padded_prompts(1), "max_new_tokens": 6, "custom_generate": spec}
        refused(lambda: model.generate(**call), model, f"'{attention}'.*sdpa", spec)
    finally:
        model.config._attn_implementation = usual


def test_a_refused_call_leaves_model_and_speculator_as_they_were() -> None:
    model: Any = tiny("llama")
    call: dict[str, Any] = {**padded_prompts(3), "max_new_tokens": 12, "eos_token_id": EOS}
    plain = model.generate(**call)
    spec = oracle(plain)
    for arguments, _ in REFUSED.values():
        with pytest.raises(RefusedError):
            model.generate(**{**call, **arguments()}, custom_generate=spec)
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
        assert plain.tolist() == model.generate(**call).tolist()
    assert_accepted_and_rolled_back(spec)


HYBRID: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
SMALL: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": 32, "bos_token_id": None, "eos_token_id": None}
UNDRAFTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "recurrent_gemma": (
        "RecurrentGemmaConfig",
        "RecurrentGemmaForCausalLM",
        {**HYBRID, "num_hidden_layers": 3, "lru_width": 32, "attention_window_size": 16, "head_dim": 8},
    ),
    "an encoder": (
        "BertConfig",
        "BertLMHeadModel",
        {**SMALL, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "is_decoder": False},
    ),
    "openai-gpt": (
        "OpenAIGPTConfig",
        "OpenAIGPTLMHeadModel",
        {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "resid_pdrop": 0.0},
    ),
    "moshi": (
        "MoshiConfig",
        "MoshiForCausalLM",
        {
            **HYBRID,
            "head_dim": 8,
            "ffn_dim": 48,
            "sliding_window": 8,
            "audio_vocab_size": 16,
            "num_codebooks": 2,
            "tie_word_embeddings": False,
        },
    ),
}


def undrafted(name: str) -> Any:
    config, model, settings = UNDRAFTED[name]
    torch.manual_seed(4)  # `settled` draws matrices alone
    made = getattr(transformers, model)(getattr(transformers, config)(**settings))
    return settled(made, seed=4).float()  # several kernels know no float64; both ways to decode run the same ones


@pytest.mark.parametrize("name", UNDRAFTED)
def test_a_model_that_cannot_roll_back_is_decoded_plainly_with_one_warning(name: str) -> None:
    model, spec = undrafted(name), Speculator(RandomDrafter(VOCABULARY))
    for batch in (1, 3):
        call: dict[str, Any] = {**padded_prompts(batch, seed=2), "max_new_tokens": 14, "eos_token_id": EOS}
        for do_sample in (False, True):
            torch.manual_seed(5)
            plain = model.generate(**call, do_sample=do_sample)
            torch.manual_seed(5)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                actual = model.generate(**call, do_sample=do_sample, custom_generate=spec)
            assert plain.tolist() == actual.tolist()
            messages = [str(warning.message) for warning in caught if warning.category is NgramspecWarning]
            if (batch, do_sample) == (1, False):
                (message,) = messages
                assert type(model).__name__ in message
                assert "decoded without drafts" in message
            else:
                assert messages == []
    total = spec.stats.total
    assert total.requests == 8
    assert total.tokens == total.target_passes > 8
    assert total.num_drafts == total.num_draft_tokens == total.num_accepted_tokens == 0


ROPES: dict[str, tuple[dict[str, Any], list[int], list[int]]] = {
    # its parameters, prompt lengths whose texts are drafted for, and those whose texts are not
    "longrope": (
        {
            "rope_type": "longrope",
            "short_factor": [1.0] * 4,
            "long_factor": [4.0] * 4,
            "factor": 4.0,
            "original_max_position_embeddings": 40,
        },
        [25, 26, 50],
        [27, 39, 40],
    ),
    "dynamic": ({"rope_type": "dynamic", "factor": 4.0}, [20, 25], [26, 39]),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", ROPES)
def test_positions_that_a_draft_could_scale_are_decoded_plainly(kind: str, batch: int) -> None:
    parameters, drafted, undrafted_lengths = ROPES[kind]
    settings: dict[str, Any] = {
        **HYBRID,
        "head_dim": 8,
        "rope_parameters": {**parameters, "rope_theta": 10000.0},
        "max_position_embeddings": 160 if kind == "longrope" else 40,
        "original_max_position_embeddings": 40,
    }
    model = settled(transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings)), seed=4)
    for length in [*drafted, *undrafted_lengths]:
        call: dict[str, Any] = {**padded_prompts(batch, length, seed=2), "max_new_tokens": 14}
        plain = model.generate(**call)
        spec = Speculator(OracleDrafter.of_output(plain, length, VOCABULARY))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
        if length in undrafted_lengths:
            assert [kind in str(warning.message) for warning in caught] == [True]
            assert spec.stats.total.num_draft_tokens == 0
        else:
            assert caught == []
            assert_accepted_and_rolled_back(spec)


def test_each_model_that_cannot_roll_back_is_warned_of_by_name() -> None:
    spec = Speculator()
    for name in ("openai-gpt", "recurrent_gemma"):
        model = undrafted(name)
        with pytest.warns(NgramspecWarning, match=f"{type(model).__name__} .*: its text is decoded without drafts"):
            model.generate(**padded_prompts(1), max_new_tokens=3, custom_generate=spec)


def test_a_model_in_training_mode_is_decoded_plainly() -> None:
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4))
    model.generation_config.eos_token_id = None
    texts = []
    for way in ({}, {"custom_generate": Speculator()}):
        torch.manual_seed(3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", NgramspecWarning)
            texts.append(model.train().generate(**padded_prompts(1), max_new_tokens=20, **way).tolist())
    assert texts[0] == texts[1]
    assert any("training mode" in str(warning.message) for warning in caught)


def test_a_model_without_one_embedding_of_tokens_is_decoded_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    plain = model.generate(**padded_prompts(1), max_new_tokens=3)

    def unknown(_: Any) -> Any:
        raise NotImplementedError("as of an audio model")

    monkeypatch.setattr(type(model), "get_input_embeddings", unknown)
    with pytest.warns(NgramspecWarning, match="no one embedding"):
        text = model.generate(**padded_prompts(1), max_new_tokens=3, custom_generate=Speculator())
    assert plain.tolist() == text.tolist()


def test_without_a_cache_the_text_is_decoded_plainly_with_one_warning() -> None:
    model, spec = tiny("llama"), Speculator()
    call: dict[str, Any] = {**padded_prompts(3), "max_new_tokens": 8, "eos_token_id": EOS, "use_cache": False}
    plain = model.generate(**call)
    with pytest.warns(NgramspecWarning, match="use_cache=False"):
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert spec.stats.total.num_draft_tokens == 0


def test_modes_are_refused_for_models_that_cannot_roll_back_too() -> None:
    model, spec = undrafted("recurrent_gemma"), Speculator()
    call = {**padded_prompts(1), "max_new_tokens": 4, "num_beams": 2, "custom_generate": spec}
    refused(lambda: model.generate(**call), model, "num_beams=2", spec)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"drafter": 10}, r"drafter must be .* open\(\), got 10: .*, Speculator\(budget=FixedBudget\(10\)\)$"),
        ({"drafter": FixedBudget(3)}, r"got <.*, a budget: pass it by name, Speculator\(budget=…\)$"),
        ({"drafter": PromptLookup}, r"drafter must be .*, got <class .*: make one, PromptLookup\(\)$"),
        ({"drafter": "prompt"}, "got 'prompt': leave it out for the default$"),
        ({"budget": 5}, r"budget must be .* allot\(\), got 5: .*, Speculator\(budget=FixedBudget\(5\)\)$"),
        ({"budget": FixedBudget}, r"budget must be .*, got <class .*: make one, FixedBudget\(\)$"),
        ({"budget": PromptLookup()}, r"got <.*, a drafter: pass it by name, Speculator\(drafter=…\)$"),
        ({"undrafted_segments": "chat"}, "must be a collection of names, got 'chat': put it in a list$"),
        ({"undrafted_segments": 5}, "must be a collection of names, got 5$"),
        ({"undrafted_segments": [5]}, r"must be a collection of names, got \[5\]$"),
    ],
)
def test_what_is_no_drafter_or_budget_is_named_at_once_with_where_it_belongs(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Speculator(**arguments)


def test_a_model_given_as_the_drafter_is_told_where_the_speculator_goes() -> None:
    drafter: Any = tiny("llama")
    with pytest.raises(TypeError, match=r"a model takes the Speculator, model\.generate\(\*\*inputs, custom_generate="):
        Speculator(drafter)


@pytest.mark.parametrize("model", [padded_prompts(1), "pico", None, torch.nn.Linear])
def test_what_generates_nothing_is_no_model(model: Any) -> None:
    with pytest.raises(TypeError, match=r"that generates, got \w+: spec\.generate\(model, \*\*inputs\)$"):
        Speculator().generate(model)


def test_whoever_asks_for_beams_is_told_what_to_do() -> None:
    model: Any = tiny("llama")
    with pytest.raises(RefusedError, match=r"got beam_search \(num_beams=4\): set num_beams=1, or call generate\(\)"):
        model.generate(**padded_prompts(1), num_beams=4, custom_generate=Speculator())


@pytest.mark.parametrize("length", ["10", None, 2.5, True, -1])
def test_a_draft_length_that_is_no_whole_number_is_refused(length: Any) -> None:
    with pytest.raises(ValueError, match=f"max_draft_tokens must be a whole number >= 0 .*, got {length!r}"):
        FixedBudget(length)


@pytest.mark.parametrize("segment", [["a", "b"], [5], [], 5])
def test_a_segment_that_is_no_name_is_refused_before_the_first_pass(segment: Any) -> None:
    model: Any = tiny("llama")
    with counted_passes(model) as passes, pytest.raises(TypeError, match="segment must be a name"):
        model.generate(**padded_prompts(1), custom_generate=Speculator(), segment=segment)
    assert not passes


def test_token_ids_that_are_no_integers_are_refused() -> None:
    model: Any = tiny("llama")
    ids = padded_prompts(1)["input_ids"].double()
    with pytest.raises(PromptError, match=r"token ids must be integers, got torch\.float64"):
        Speculator().generate(model, ids, max_new_tokens=3)


def test_without_drafts_tokens_are_counted_as_with_drafts() -> None:
    class EndsOnThree(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
            return input_ids[:, -1] == 3

    model: Any = tiny("llama")
    call = {**padded_prompts(3), "max_new_tokens": 25, "eos_token_id": 9, "pad_token_id": PAD}
    tokens = []
    for use_cache in (True, False):
        spec = Speculator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NgramspecWarning)
            model.generate(
                **call,
                custom_generate=spec,
                use_cache=use_cache,
                stopping_criteria=StoppingCriteriaList([EndsOnThree()]),
            )
        tokens.append(spec.stats.total.tokens)
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("references", ["text", [[1, 2], "text"], [[1.5]], [[[1]]], [[-1]], 5])
def test_references_that_are_no_token_ids_are_refused_before_the_first_pass(references: Any) -> None:
    model = tiny("llama")
    message = "references must be a list of texts, each|token ids must be >= 0 and < 2147483647, got -1 in a reference"
    with counted_passes(model) as passes, pytest.raises((TypeError, ValueError), match=message):
        model.generate(**padded_prompts(1), custom_generate=Speculator(), references=references)
    assert [] == passes
