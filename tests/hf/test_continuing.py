"""A cache in and out: a chat is continued, in a cache that plain `generate()` can use before and after."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

import ngramspec
from ngramspec import FixedBudget, PromptError, RefusedError, Speculator
from ngramspec.hf.seam import CACHE, CACHE_NAMES, cache_of
from ngramspec.stats import Counters
from tests.families.build import build
from tests.families.catalogue import family
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.models import EOS, FAMILIES, PAD, VOCABULARY, padded_prompts, settled, tiny
from tests.hf.seq2seq import sources, tiny_seq2seq
from tests.hf.target.test_aligned import aligned

LIMITS: dict[str, Any] = {"max_new_tokens": 20, "eos_token_id": EOS}


def contents(cache: Any) -> list[Tensor]:
    own = getattr(cache, "self_attention_cache", cache)
    return [states for layer in own.layers for states in (layer.keys, layer.values)]


def assert_same_cache(expected: Any, actual: Any) -> None:
    assert getattr(expected, "is_updated", None) == getattr(actual, "is_updated", None)
    assert expected.get_seq_length() == actual.get_seq_length()
    for before, after in zip(contents(expected), contents(actual), strict=True):
        torch.testing.assert_close(after, before)


@pytest.mark.parametrize("with_config", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_of_several_turns_is_that_of_plain_decoding(family: str, batch: int, with_config: bool) -> None:
    """Each turn adds the same new tokens to what was said; the caches must hold the same afterwards."""
    model = tiny(family)
    config = model.config if with_config else None
    caches = DynamicCache(config=config), DynamicCache(config=config)
    prompts = padded_prompts(batch)
    accepted = 0
    for turn in range(3):
        plain = model.generate(**prompts, **LIMITS, **{CACHE: caches[0]})
        length = prompts["input_ids"].shape[1]
        spec = oracle(plain, length)
        speculative = model.generate(**prompts, **LIMITS, **{CACHE: caches[1]}, custom_generate=spec)
        assert plain.tolist() == speculative.tolist()
        assert_same_cache(*caches)
        accepted += spec.stats.total.num_accepted_tokens
        said = torch.tensor([[2 + turn, 3, 2]]).expand(batch, 3)
        emitted = torch.ones((batch, plain.shape[1] - length + 3), dtype=torch.long)
        prompts = {
            "input_ids": torch.cat([plain, said], dim=1),
            "attention_mask": torch.cat([prompts["attention_mask"], emitted], dim=1),
        }
    assert accepted > 0


@pytest.mark.parametrize("batch", [1, 3])
def test_a_chat_is_continued_where_layers_share_the_keys_of_others(batch: int) -> None:
    shares = family("gemma4_text, shared keys")
    model = settled(build(shares.config_class, shares.model_class, settings=shares.settings), seed=3)
    caches = [DynamicCache(config=model.config) for _ in range(2)]
    text, counters = padded_prompts(batch)["input_ids"], Counters()
    for _ in range(3):
        plain = model.generate(text, **LIMITS, **{CACHE: caches[0]})
        spec = oracle(plain, text.shape[1])
        speculative = model.generate(text, **LIMITS, **{CACHE: caches[1]}, custom_generate=spec)
        assert plain.tolist() == speculative.tolist()
        assert [type(layer) for layer in caches[0].layers] == [type(layer) for layer in caches[1].layers]
        counters.add(spec.stats.total)
        text = torch.cat([plain, torch.tensor([[3, 4]]).expand(batch, 2)], dim=1)
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_and_speculative_turns_may_alternate_in_one_cache(family: str) -> None:
    model, cache, counters = tiny(family), DynamicCache(config=tiny(family).config), Counters()
    text, other = padded_prompts(1)["input_ids"], DynamicCache(config=tiny(family).config)
    for turn in range(4):
        plain = model.generate(text, **LIMITS, **{CACHE: cache})
        spec = oracle(plain, text.shape[1])
        output = model.generate(text, **LIMITS, **{CACHE: other}, **({"custom_generate": spec} if turn % 2 else {}))
        assert plain.tolist() == output.tolist()
        counters.add(spec.stats.total)
        text = torch.cat([plain, torch.tensor([[3, 4]])], dim=1)
    assert 2 == counters.requests
    assert_accepted_and_rolled_back(counters)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_chat_may_be_continued_with_its_new_tokens_alone(batch: int) -> None:
    model, prompts = tiny("llama"), padded_prompts(batch)
    first = model.generate(**prompts, max_new_tokens=8, return_dict_in_generate=True)
    held = cache_of(first).get_seq_length()
    said = torch.tensor([[5, 6, 5]]).expand(batch, 3)
    new = torch.cat([first.sequences[:, held:], said], dim=1)
    mask = torch.cat([prompts["attention_mask"], torch.ones((batch, 8 + 3), dtype=torch.long)], dim=1)
    outputs: list[Tensor] = []
    for speculative in (False, True):
        again = model.generate(**prompts, max_new_tokens=8, return_dict_in_generate=True)
        cache = cache_of(again)
        arguments = {"input_ids": new, "attention_mask": mask, CACHE: cache, **LIMITS}
        spec = oracle(outputs[0], new.shape[1], seed=1) if speculative else None
        outputs.append(model.generate(**arguments, custom_generate=spec))
    assert outputs[0].tolist() == outputs[1].tolist()
    assert spec is not None
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", [*FAMILIES, "bart", "t5"])
def test_the_returned_cache_holds_what_plain_decoding_leaves(family: str, batch: int) -> None:
    """Rows that ended early hold padding there, as in plain decoding, though speculation no longer read them."""
    is_seq2seq = family in ("bart", "t5")
    model = tiny_seq2seq(family) if is_seq2seq else tiny(family)
    prompts = sources(batch) if is_seq2seq else padded_prompts(batch)
    arguments = {**LIMITS, "return_dict_in_generate": True, "repetition_penalty": 1.3}
    plain = model.generate(**prompts, **arguments)
    spec = oracle(plain.sequences, 1 if is_seq2seq else prompts["input_ids"].shape[1])
    speculative = model.generate(**prompts, **arguments, custom_generate=spec)
    assert plain.sequences.tolist() == speculative.sequences.tolist()
    assert type(cache_of(plain)) is type(cache_of(speculative))
    assert_same_cache(cache_of(plain), cache_of(speculative))
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_new_tokens_may_come_with_positions_of_their_own_or_without_any(family: str) -> None:
    model = aligned("bloom") if family == "bloom" else tiny("llama")
    first, new = padded_prompts(1, 4)["input_ids"], padded_prompts(1, 9, seed=3)["input_ids"]
    outputs: list[Tensor] = []
    for speculative in (False, True):
        spec = oracle(outputs[0], seed=1) if speculative else None
        cache = cache_of(model(first, use_cache=True))
        arguments = {"attention_mask": torch.ones((1, 13), dtype=torch.long), CACHE: cache, **LIMITS}
        if family == "llama":
            arguments["position_ids"] = torch.arange(4, 13)[None]
        outputs.append(model.generate(new, **arguments, custom_generate=spec))
    assert outputs[0].tolist() == outputs[1].tolist()
    assert spec is not None
    assert_accepted_and_rolled_back(spec)


@pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.23"),
    reason="plain generate() of older releases itself fails in a cache that records its past",
)
def test_a_window_whose_past_is_recorded_keeps_what_may_be_cropped() -> None:
    model, held = tiny("gemma3"), []
    for way in ({}, {"custom_generate": Speculator()}):
        cache = DynamicCache(config=model.config)
        cache.activate_past_recording()
        model.generate(**padded_prompts(1), max_new_tokens=20, **{CACHE: cache}, **way)
        cache.crop(-3)
        held.append(cache)
    assert_same_cache(*held)


def test_a_failed_call_leaves_no_cross_attention_behind() -> None:
    model = tiny_seq2seq("bart")
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def fails(input_ids: Tensor, scores: Tensor) -> Tensor:
        raise RuntimeError("a processor of the user's")

    arguments = {**sources(1), "max_new_tokens": 9, CACHE: cache}
    with pytest.raises(RuntimeError, match="user's"):
        model.generate(**arguments, logits_processor=[fails], custom_generate=Speculator())
    assert 0 == cache.cross_attention_cache.get_seq_length()
    plain = model.generate(**{**arguments, CACHE: None})
    spec = oracle(plain, 1)
    assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)
    with pytest.raises(RefusedError, match="not continued in its cache"):
        model.generate(**arguments, decoder_input_ids=plain, custom_generate=Speculator())


def test_plain_decoding_goes_on_from_a_returned_cache() -> None:
    model, prompts = tiny("gemma3"), padded_prompts(1)
    arguments = {**LIMITS, "eos_token_id": None, "return_dict_in_generate": True}
    outputs = [model.generate(**prompts, **arguments)]
    spec = oracle(outputs[0].sequences)
    outputs.append(model.generate(**prompts, **arguments, custom_generate=spec))
    assert_accepted_and_rolled_back(spec)
    texts = []
    for output in outputs:
        text = torch.cat([output.sequences, torch.tensor([[3, 4]])], dim=1)
        texts.append(model.generate(text, max_new_tokens=20, **{CACHE: cache_of(output)}).tolist())
    assert texts[0] == texts[1]


def test_a_call_that_fails_leaves_the_callers_cache_as_it_was() -> None:
    model, cache = tiny("llama"), DynamicCache(config=tiny("llama").config)
    text = model.generate(**padded_prompts(1), max_new_tokens=8, **{CACHE: cache})
    before = [states.clone() for states in contents(cache)]

    def fails(input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] > text.shape[1] + 3:
            raise RuntimeError("a processor of the user's")
        return scores

    longer = torch.cat([text, torch.tensor([[3, 4]])], dim=1)
    with pytest.raises(RuntimeError, match="user's"):
        model.generate(
            longer, max_new_tokens=9, **{CACHE: cache}, logits_processor=[fails], custom_generate=Speculator()
        )
    assert all(torch.equal(*pair) for pair in zip(before, contents(cache), strict=True))


def test_a_cache_that_does_not_fit_is_refused() -> None:
    model = tiny("llama")
    cache = DynamicCache(config=model.config)
    text = model.generate(**padded_prompts(2), max_new_tokens=8, **{CACHE: cache})
    spec = Speculator()
    for ids, message in ((text[:1], "a row per prompt.*got 2 for 1"), (text[:, :5], "whole text.*got 5 tokens")):
        with pytest.raises(PromptError, match=message):
            model.generate(ids, max_new_tokens=3, **{CACHE: cache}, pad_token_id=PAD, custom_generate=spec)


def test_rows_that_end_early_read_their_padding_beside_the_others_and_not_in_a_pass_of_its_own() -> None:
    model, prompts = tiny("llama"), padded_prompts(4)
    ids = model.generate(**prompts, max_new_tokens=30)[:, prompts["input_ids"].shape[1] :]
    rows = [row.tolist() for row in ids]
    # The token whose first positions in the rows are furthest apart.
    ends = max(range(VOCABULARY), key=lambda token: np.ptp([_first_position(row, token) for row in rows]))
    passes: dict[bool, list[int]] = {}
    for keeps_cache in (False, True):
        widths: list[int] = []
        handle = model.register_forward_pre_hook(
            lambda _, __, inputs, widths=widths: widths.append(inputs["input_ids"].shape[1]), with_kwargs=True
        )
        try:
            model.generate(
                **prompts,
                max_new_tokens=30,
                eos_token_id=ends,
                return_dict_in_generate=keeps_cache,
                custom_generate=Speculator(budget=FixedBudget(0)),
            )
        finally:
            handle.remove()
        passes[keeps_cache] = widths
    assert passes[False] == passes[True]


def _first_position(row: list[int], token: int) -> int:
    return row.index(token) if token in row else len(row)


@pytest.mark.parametrize("through", ["custom_generate", "generate", "enable"])
@pytest.mark.parametrize("name", CACHE_NAMES)
@pytest.mark.filterwarnings("ignore:.*past_key_values.*:FutureWarning")
def test_a_cache_goes_by_whichever_of_its_names_the_release_takes(name: str, through: str) -> None:
    model = tiny("llama")
    text = model.generate(**padded_prompts(1), max_new_tokens=12)
    try:
        plain = model.generate(text, **LIMITS, **{name: DynamicCache(config=model.config)})
    except (ValueError, TypeError):
        pytest.skip(f"this transformers takes no {name}")
    spec, cache = oracle(plain, text.shape[1]), DynamicCache(config=model.config)
    arguments = {**LIMITS, name: cache}
    if through == "generate":
        output = spec.generate(model, text, **arguments)
    elif through == "enable":
        with ngramspec.enable(model, spec):
            output = model.generate(text, **arguments)
    else:
        output = model.generate(text, **arguments, custom_generate=spec)
    assert plain.tolist() == output.tolist()
    assert plain.shape[1] - 1 == cache.get_seq_length()
    assert 0 < spec.stats.total.num_draft_tokens
