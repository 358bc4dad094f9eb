"""Static caches: the text of plain decoding, in passes of a few shapes, each captured once."""

import copy
import functools
import gc
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import CompileConfig, StaticCache

import ngramspec
from ngramspec import FixedBudget, ModelEngine, NgramspecWarning, RefusedError, Speculator
from ngramspec.hf.seam import CACHE, cache_of
from ngramspec.hf.target.static import WIDTHS, width_for
from ngramspec.testing import OracleDrafter
from tests.families.build import build, drawn
from tests.families.catalogue import family
from tests.hf.choice.test_guards import NUM_TOKENS, guard_of, writer
from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits, oracle
from tests.hf.models import EOS, VOCABULARY, padded_prompts, tiny
from tests.hf.precisions import EXACT_ON_CUDA
from tests.hf.seq2seq import sources, tiny_seq2seq
from tests.hf.target.test_aligned import aligned
from tests.hf.target.test_poison import LIMITS, POISON, drafts, poisoned
from tests.hf.test_continuing import assert_same_cache

NAMES = ("llama", "gemma3", "mixtral", "gpt_oss")
STATIC: dict[str, Any] = {"cache_implementation": "static"}

captured: list[tuple[int, ...]] = []
"""Shapes of the ids of each graph that `counting` was given."""


def counting(module: torch.fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
    """A backend of torch.compile that runs what is captured as it is, and notes it."""
    ids = next(each for each in inputs if isinstance(each, Tensor) and each.dtype is torch.int64 and each.dim() == 2)
    captured.append(tuple(ids.shape))
    return module.forward


def compiled(backend: Any = counting) -> dict[str, Any]:
    """Arguments by which decoding passes are compiled, on a CPU too: each as one graph."""
    config: Any = CompileConfig(fullgraph=True, backend=backend, mode="default")
    config._compile_all_devices = True
    return {**STATIC, "compile_config": config}


@functools.cache
def model_of(name: str) -> Any:
    """A tiny model, whose experts read all tokens at once: a loop over experts has no graph."""
    if name != "gpt_oss":
        model = copy.deepcopy(tiny(name))
    else:
        of = family(name)
        model = drawn(build(of.config_class, of.model_class, settings=of.settings), seed=2)
    if name in ("mixtral", "gpt_oss"):
        model.set_experts_implementation("batched_mm")
    return model


@functools.cache
def never_compiled() -> Any:
    """A model of which nothing is captured yet; made once for all examples of a test."""
    captured.clear()
    return copy.deepcopy(tiny("llama"))


def drafter_of(spec: Speculator) -> OracleDrafter:
    assert isinstance(spec.drafter, OracleDrafter)
    return spec.drafter


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_text_in_a_static_cache_is_that_of_plain_decoding(name: str, batch: int) -> None:
    branches: Counter[int] = Counter()
    for seed, side in enumerate(("left", "right", "left")):
        prompts = padded_prompts(batch, seed=seed, side=side)
        spec = compare(model_of(name), prompts, lambda: limits(**STATIC), seed=seed).spec
        assert_accepted_and_rolled_back(spec)
        branches += drafter_of(spec).branches
    assert branches.total() > 0, "no tree was walked beside its first branches"


def assert_same_text_compiled(model: Any, prompts: dict[str, Any], seed: int, *, corrupted: float = 0.75) -> None:
    """Decode with drafts of up to three tokens, so with three shapes at the most; tracing one takes a second."""
    plain = model.generate(**prompts, **limits())
    drafter = OracleDrafter(plain[:, 9:].tolist(), model.config.vocab_size, seed=seed, corrupted=corrupted)
    spec = Speculator(drafter, FixedBudget(3))
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert plain.tolist() == model.generate(**prompts, **limits(**compiled()), custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_pass_writes_the_text_of_plain_decoding_and_each_shape_is_captured_once(name: str) -> None:
    captured.clear()
    model = copy.deepcopy(model_of(name))
    for seed in range(4):
        assert_same_text_compiled(model, padded_prompts(2, seed=seed), seed)
    assert sorted(set(captured)) == sorted(captured)
    assert {(2, columns) for columns in (1, 2, 4)} >= set(captured) >= {(2, 4)}


@given(seed=st.integers(0, 2**32 - 1), corrupted=st.floats(0.1, 1.0))
@settings(max_examples=12)
def test_no_shape_is_captured_again_whatever_is_drafted_and_accepted(seed: int, corrupted: float) -> None:
    assert_same_text_compiled(never_compiled(), padded_prompts(2, seed=seed), seed, corrupted=corrupted)
    assert sorted(set(captured)) == sorted(captured)


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler")
def test_a_pass_that_inductor_has_compiled_writes_the_text_of_plain_decoding() -> None:
    model, prompts = copy.deepcopy(tiny("llama")), padded_prompts(2)
    call = {**prompts, "max_new_tokens": 30, "eos_token_id": EOS}
    plain = model.generate(**call)
    for seed in range(3):
        spec = oracle(plain, seed=seed, max_draft=1)
        assert plain.tolist() == model.generate(**call, **compiled("inductor"), custom_generate=spec).tolist()
        assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize(("device", "dtype"), EXACT_ON_CUDA)
def test_cuda_graphs_write_the_text_of_plain_decoding(device: str, dtype: torch.dtype) -> None:
    """On a GPU passes are compiled without being asked for, and recorded as CUDA graphs."""
    model = copy.deepcopy(tiny("llama")).to(device, dtype)
    for seed in range(3):
        prompts = {name: each.to(device) for name, each in padded_prompts(2, seed=seed).items()}
        assert_accepted_and_rolled_back(compare(model, prompts, lambda: limits(**STATIC), seed=seed).spec)


def test_a_forward_that_its_owner_has_compiled_is_captured_no_more_once_it_is_warm() -> None:
    """The owner's settings hold: sizes become dynamic from the second width on. torch gives up after eight graphs."""
    torch._dynamo.reset()  # graphs of one forward are shared by all models of a class
    model: Any = copy.deepcopy(tiny("llama"))
    model.forward = torch.compile(model.forward, backend=counting)
    captured.clear()
    warm = 0
    for seed in range(6):
        prompts = padded_prompts(2, seed=seed)
        plain = tiny("llama").generate(**prompts, **limits())
        spec = oracle(plain, seed=seed, max_draft=7)
        with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
            assert plain.tolist() == model.generate(**prompts, **limits(**STATIC), custom_generate=spec).tolist()
        assert_accepted_and_rolled_back(spec)
        warm = len(captured) if seed < 3 else warm
    assert 0 < warm == len(captured)


SAMPLED = {"do_sample": True, "top_k": 6, "temperature": 1.5}


@pytest.mark.parametrize("more", [SAMPLED, {"repetition_penalty": 1.3}], ids=["sampled", "by the text"])
def test_draws_and_processors_are_those_of_plain_decoding(more: dict[str, Any]) -> None:
    for seed in range(4):
        arguments = limits(**STATIC, **more)
        assert_accepted_and_rolled_back(compare(tiny("llama"), padded_prompts(1), arguments.copy, seed=seed).spec)


def test_guards_hold() -> None:
    guard, common = guard_of("json"), {"max_new_tokens": 45, "eos_token_id": EOS, **STATIC}
    spec = compare(
        writer(),
        padded_prompts(2, vocabulary=NUM_TOKENS),
        lambda: {**common, "logits_processor": [guard.processor([EOS])]},
        drafted=lambda: {**common, "logits_processor": [guard]},
    ).spec
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_draft_that_overflows_leaves_the_text(value: float) -> None:
    model, prompts = poisoned(tiny("llama"), value), padded_prompts(3, vocabulary=POISON)
    plain = model.generate(**prompts, **LIMITS)
    spec = Speculator(drafts(plain[:, 9:].tolist(), 3), FixedBudget(4))
    assert plain.tolist() == model.generate(**prompts, **LIMITS, **STATIC, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_a_static_cache_of_the_callers_is_left_as_plain_decoding_leaves_it(name: str, batch: int) -> None:
    """Also one in which a chat goes on, whose windows have forgotten its beginning."""
    model, prompts = model_of(name), padded_prompts(batch)
    caches: list[Any] = [StaticCache(config=model.config, max_cache_len=90) for _ in range(2)]
    addresses = []
    for turn in range(3):
        call = {**prompts, "max_new_tokens": 20, "eos_token_id": EOS}
        plain = model.generate(**call, **{CACHE: caches[0]})
        length = prompts["input_ids"].shape[1]
        spec = oracle(plain, length)
        assert plain.tolist() == model.generate(**call, **{CACHE: caches[1]}, custom_generate=spec).tolist()
        assert_accepted_and_rolled_back(spec)
        assert_same_cache(*caches)
        addresses.append(caches[1].layers[0].keys.data_ptr())
        said = torch.tensor([[2 + turn, 3, 2]]).expand(batch, 3)
        emitted = torch.ones((batch, plain.shape[1] - length + 3), dtype=torch.long)
        prompts = {
            "input_ids": torch.cat([plain, said], dim=1),
            "attention_mask": torch.cat([prompts["attention_mask"], emitted], dim=1),
        }
    assert 1 == len(set(addresses)), "a graph may have captured where the cache was"


def test_a_static_cache_that_is_returned_holds_the_keys_of_plain_decoding() -> None:
    call = {**padded_prompts(2), **STATIC, "max_new_tokens": 20, "return_dict_in_generate": True}
    plain = tiny("gemma3").generate(**call)
    output = tiny("gemma3").generate(**call, custom_generate=oracle(plain.sequences))
    assert plain.sequences.tolist() == output.sequences.tolist()
    assert_same_cache(cache_of(plain), cache_of(output))


def test_a_static_cache_that_a_text_may_outgrow_is_refused() -> None:
    call: dict[str, Any] = {**padded_prompts(1), "max_new_tokens": 20}
    for size, fits in ((28, True), (27, False)):
        call[CACHE] = StaticCache(config=tiny("llama").config, max_cache_len=size)
        if fits:
            assert 29 == tiny("llama").generate(**call, custom_generate=Speculator()).shape[1]
            continue
        with pytest.raises(RefusedError, match="28 slots, got 27"):
            tiny("llama").generate(**call, custom_generate=Speculator())


@pytest.mark.parametrize("name", ["bloom", "t5"])
def test_models_whose_rows_begin_a_pass_together_decode_plainly(name: str) -> None:
    model, prompts = (tiny_seq2seq("t5"), sources(2)) if name == "t5" else (aligned("bloom"), padded_prompts(2))
    plain = model.generate(**prompts, max_new_tokens=9, **STATIC)
    with pytest.warns(NgramspecWarning, match="static cache only where each row has slots of its own"):
        found = model.generate(**prompts, max_new_tokens=9, **STATIC, custom_generate=Speculator())
    assert plain.tolist() == found.tolist()


def test_a_model_with_an_unknown_hook_decodes_plainly() -> None:
    model, calls = copy.deepcopy(tiny("llama")), []
    plain = model.generate(**padded_prompts(1), max_new_tokens=30, **STATIC)
    model.model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    with pytest.warns(NgramspecWarning, match="not tried with a static cache"):
        found = model.generate(**padded_prompts(1), max_new_tokens=30, **STATIC, custom_generate=Speculator())
    assert plain.tolist() == found.tolist()
    assert calls


def test_an_engine_takes_no_static_cache() -> None:
    with ModelEngine(tiny("llama")) as engine, pytest.raises(RefusedError, match="got a static cache"):
        engine.add(torch.tensor([[2, 3, 4]]), max_new_tokens=5, **STATIC)


def test_an_enabled_model_is_drafted_for() -> None:
    model: Any = copy.deepcopy(tiny("llama"))
    call = {**padded_prompts(2), **STATIC, "max_new_tokens": 30}
    plain = model.generate(**call)
    with ngramspec.enable(model, oracle(plain)) as spec:
        assert plain.tolist() == model.generate(**call).tolist()
    assert_accepted_and_rolled_back(spec)


def test_what_was_captured_does_not_keep_a_model_alive() -> None:
    model = copy.deepcopy(tiny("llama"))
    model.generate(**padded_prompts(1), max_new_tokens=9, **compiled(), custom_generate=Speculator())
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_passes_of_static_caches_have_prices_of_their_own() -> None:
    model, spec = copy.deepcopy(tiny("llama")), Speculator()
    model.generate(**padded_prompts(1), max_new_tokens=20, **STATIC, custom_generate=spec)
    assert 0 < len(spec.costs.of(model, "static").state()["alone"])
    assert [] == spec.costs.of(model).state()["alone"]


@given(columns=st.integers(1, WIDTHS[-1]))
def test_a_pass_has_the_least_width_that_has_room(columns: int) -> None:
    assert min(width for width in WIDTHS if width >= columns) == width_for(columns)


def emitted(output: Tensor) -> list[list[int]]:
    texts: list[list[int]] = output[:, 9:].tolist()
    return texts


@pytest.mark.parametrize("length", [40, 60])
def test_long_drafts_are_cut_to_the_widest_pass(length: int) -> None:
    plain = tiny("llama").generate(**padded_prompts(1), max_new_tokens=90)
    spec = Speculator(OracleDrafter(emitted(plain), VOCABULARY, corrupted=0.0), FixedBudget(length))
    call = {**padded_prompts(1), **STATIC, "max_new_tokens": 90, "custom_generate": spec}
    assert plain.tolist() == tiny("llama").generate(**call).tolist()
    assert 3 == spec.stats.total.target_passes
