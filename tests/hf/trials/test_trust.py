"""Untried parts are tried once, in a model's first call; a model that fails stays plain, with a warning of why."""

import copy
import functools
import gc
import warnings
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, LlamaForCausalLM

from ngramspec import FixedBudget, NgramspecWarning, Speculator
from ngramspec.hf.facts.known_code import known_classes
from ngramspec.hf.facts.strangers import strangers_in
from ngramspec.hf.seam import AttentionInterface, sdpa_attention_forward
from ngramspec.hf.trials.trial import MOST_WIDTH
from ngramspec.hf.trials.trust import MOST_CALL_TYPES
from ngramspec.testing import OracleDrafter
from ngramspec.testing.forwards import timed_forwards
from tests.hf.comparing import assert_accepted_and_rolled_back, oracle
from tests.hf.models import EOS, FAMILIES, VOCABULARY, padded_prompts, tiny
from tests.hf.seq2seq import SEQ2SEQ, sources, tiny_seq2seq

LIMITS = {"max_new_tokens": 24, "eos_token_id": None, "pad_token_id": 0}


def fresh(family: str = "llama", kind: type[Any] | None = None) -> Any:
    """A model of its own, so that nothing is remembered of it; of class `kind`, where one is given."""
    model = copy.deepcopy(tiny(family))
    if kind is not None:
        model.__class__ = kind
    return model


def call(model: Any, spec: Speculator | None = None, *, batch: int = 1, **more: Any) -> Tensor:
    torch.manual_seed(5)
    prompts = sources(batch) if model.config.is_encoder_decoder else padded_prompts(batch)
    given = {} if spec is None else {"custom_generate": spec}
    output: Tensor = model.generate(**prompts, **{**LIMITS, **more}, **given)
    return output


def drafted_in_the_second_call(model: Any, **more: Any) -> int:
    """Draft tokens accepted in a model's second call; asserts that both texts are plain's, and that the first is plain.

    Fails where the model is warned of.
    """
    plain = call(model, **more)
    spec = oracle(plain, 1 if model.config.is_encoder_decoder else 9, max_draft=6)
    assert plain.tolist() == call(model, spec, **more).tolist()
    assert 0 == spec.stats.total.num_draft_tokens
    assert plain.tolist() == call(model, spec, **more).tolist()
    total = spec.stats.total
    assert total.num_accepted_tokens < total.num_draft_tokens
    return total.num_accepted_tokens


def never_drafted(model: Any, **more: Any) -> str:
    """The one warning of a model's first three calls; asserts that all texts are plain's, and nothing drafted."""
    plain = call(model, **more)
    spec = oracle(plain, 1 if model.config.is_encoder_decoder else 9, max_draft=6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NgramspecWarning)
        for _ in range(3):
            assert plain.tolist() == call(model, spec, **more).tolist()
    assert 0 == spec.stats.total.num_draft_tokens
    (message,) = [str(warning.message) for warning in caught if warning.category is NgramspecWarning]
    return message


def hooked(hook: Callable[..., Any], where: str = "model.layers.0", family: str = "llama") -> Any:
    model = fresh(family)
    model.get_submodule(where).register_forward_hook(hook)
    return model


def harmless(module: nn.Module, args: Any, output: Any) -> None:
    """As a profiler does."""


def newest_alone(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """As activation steering does."""
    output = output.clone()
    output[:, -1] += torch.linspace(-1, 1, output.shape[-1], dtype=output.dtype)
    return output


def all_alike(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output * 1.1


def by_row(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output * torch.arange(1, len(output) + 1, dtype=output.dtype)[:, None, None]


def after_the_prompt(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """As what takes every pass over more than one token for a prompt does."""
    return output * 0.5 if output.shape[1] > 1 else output


def mean_over_the_pass(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """As activations quantised per tensor do."""
    return output + 0.3 * output.mean(dim=1, keepdim=True)


class Own(LlamaForCausalLM):
    """A class of a user's, that adds nothing."""


class Louder(LlamaForCausalLM):
    """Prepares its inputs itself, and does so for one token as for several."""

    def prepare_inputs_for_generation(self: Any, input_ids: Any, **kwargs: Any) -> Any:
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        inputs["inputs_embeds"] = 1.7 * self.model.embed_tokens(inputs.pop("input_ids"))
        return inputs


class Masked(LlamaForCausalLM):
    """Prepares its inputs itself, and only for one token after another."""

    def prepare_inputs_for_generation(self: Any, input_ids: Any, **kwargs: Any) -> Any:
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        if inputs["input_ids"].shape[1] > 1 and input_ids.shape[1] > 9:
            raise NotImplementedError("one token at a time")
        return inputs


class Counting(GPT2LMHeadModel):
    """Keeps a state of its own between passes."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.num_passes = getattr(self, "num_passes", 0) + 1
        output = super().forward(*args, **kwargs)
        output.logits = output.logits.roll(self.num_passes % 3, -1)
        return output


@pytest.mark.parametrize("family", FAMILIES)
def test_known_families_have_no_stranger_and_are_drafted_for_at_once(family: str) -> None:
    model = fresh(family)
    assert [] == strangers_in(model)
    plain = call(model)
    spec = oracle(plain, 9, max_draft=6)
    assert plain.tolist() == call(model, spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("family", SEQ2SEQ)
def test_known_encoder_decoder_families_have_no_stranger(family: str) -> None:
    assert [] == strangers_in(tiny_seq2seq(family))
    assert type(tiny_seq2seq(family)).__name__ in known_classes()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hook", [harmless, all_alike])
@pytest.mark.parametrize("family", ["llama", "gemma3", "mixtral"])
def test_a_hook_that_reads_blocks_as_single_tokens_is_drafted_for_from_the_second_call_on(
    family: str, hook: Callable[..., Any], batch: int
) -> None:
    assert 0 < drafted_in_the_second_call(hooked(hook, family=family), batch=batch)


@pytest.mark.parametrize("kind", [Own, Louder])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_class_that_reads_blocks_as_single_tokens_is_drafted_for_from_the_second_call_on(
    kind: type[Any], batch: int
) -> None:
    assert 0 < drafted_in_the_second_call(fresh(kind=kind), batch=batch)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_an_encoder_decoder_model_with_a_harmless_hook_is_drafted_for_from_the_second_call_on(family: str) -> None:
    model = copy.deepcopy(tiny_seq2seq(family))
    model.get_decoder().register_forward_hook(harmless)
    assert 0 < drafted_in_the_second_call(model)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("hook", [newest_alone, after_the_prompt, mean_over_the_pass])
def test_a_hook_that_reads_blocks_otherwise_is_found_out(hook: Callable[..., Any], batch: int) -> None:
    message = never_drafted(hooked(hook), batch=batch)
    assert "reads a block" in message
    assert f"the hook {hook.__name__} on model.layers.0" in message


def test_a_class_that_reads_blocks_otherwise_is_found_out() -> None:
    assert "Masked" in never_drafted(fresh(kind=Masked))


def test_a_class_that_counts_its_passes_is_found_out() -> None:
    plain = call(fresh("gpt2", Counting))
    with pytest.warns(NgramspecWarning, match="the class .*Counting"):
        assert plain.tolist() == call(fresh("gpt2", Counting), Speculator()).tolist()


def test_layers_quantised_by_the_whole_pass_are_found_out() -> None:
    model = torch.ao.quantization.quantize_dynamic(fresh().float(), {nn.Linear}, dtype=torch.qint8)
    assert "torch.ao" in never_drafted(model)


def test_what_a_processor_nobody_knows_may_read_from_a_hook_is_not_drafted_for() -> None:
    model = fresh()
    seen: dict[str, Tensor] = {}

    def note(module: nn.Module, args: Any, output: Any) -> None:
        seen["newest"] = output.last_hidden_state[:, -1]

    def guide(input_ids: Tensor, scores: Tensor) -> Tensor:
        wanted: Tensor = seen["newest"] @ model.lm_head.weight.roll(1, 0).T
        return scores + wanted.to(scores)

    model.model.register_forward_hook(note)
    assert "an unknown logits processor" in never_drafted(model, logits_processor=[guide])
    assert 0 < drafted_in_the_second_call(model, temperature=0.5, do_sample=True)


def test_a_hook_that_goes_by_the_row_sees_every_row_to_the_end() -> None:
    model = hooked(by_row)
    assert 0 < drafted_in_the_second_call(model, batch=6, eos_token_id=EOS)


def test_a_hook_that_is_another_one_in_each_call_is_plain_in_all() -> None:
    model = fresh()
    plain = call(model)
    spec = oracle(plain, 9, max_draft=6)

    def with_a_new_hook() -> Tensor:
        handle = model.model.register_forward_hook(functools.partial(harmless))
        try:
            return call(model, spec)
        finally:
            handle.remove()

    for _ in range(MOST_CALL_TYPES):
        assert plain.tolist() == with_a_new_hook().tolist()
    with pytest.warns(NgramspecWarning, match="other ones in each call"):
        assert plain.tolist() == with_a_new_hook().tolist()
    assert 0 == spec.stats.total.num_draft_tokens
    model.model.register_forward_hook(harmless)  # and one that stays is drafted for
    assert 0 < drafted_in_the_second_call(model)


def test_a_hook_that_is_gone_is_forgotten_and_another_one_is_tried() -> None:
    model = fresh()
    handle = model.model.layers[0].register_forward_hook(newest_alone)
    assert "newest_alone" in never_drafted(model)
    handle.remove()
    plain = call(model)
    spec = oracle(plain, 9, max_draft=6)
    assert plain.tolist() == call(model, spec).tolist()
    assert_accepted_and_rolled_back(spec)
    model.model.layers[0].register_forward_hook(all_alike)
    assert 0 < drafted_in_the_second_call(model)


def _scaled(forward: Callable[..., Tensor], states: Tensor) -> Tensor:
    return 1.1 * forward(states)


def test_a_forward_that_was_put_on_a_part_or_on_its_class_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh()
    part = model.model.layers[1].mlp
    part.forward = functools.partial(_scaled, part.forward)
    assert 0 < drafted_in_the_second_call(model)

    model = fresh()
    of_the_class = type(model.model.norm).forward

    @functools.wraps(of_the_class)
    def mean(self: Any, states: Tensor) -> Any:
        return of_the_class(self, states + states.mean(dim=1, keepdim=True))

    monkeypatch.setattr(type(model.model.norm), "forward", mean)
    assert "LlamaRMSNorm" in never_drafted(model)


def test_a_trial_costs_two_passes_and_is_remembered_for_all_speculators() -> None:
    model = hooked(harmless)
    widths: list[int] = []
    model.register_forward_pre_hook(
        lambda _model, _args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    plain = call(model)
    num_plain = len(widths)
    widths.clear()
    call(model, Speculator(budget=FixedBudget(6)))
    chain = num_plain - 1
    assert [9, *[1] * chain, chain, 1 + (chain - 1) // 2 * 2] == widths
    widths.clear()
    spec = oracle(plain, 9, max_draft=6)
    assert plain.tolist() == call(model, spec).tolist()
    assert len(widths) < num_plain
    assert_accepted_and_rolled_back(spec)


def test_a_trial_leaves_the_random_generator_as_plain_decoding_does() -> None:
    model = hooked(harmless)
    plain = call(model, do_sample=True)
    state = torch.get_rng_state()
    assert plain.tolist() == call(model, Speculator(), do_sample=True).tolist()
    assert torch.equal(state, torch.get_rng_state())


def test_too_short_an_answer_proves_nothing_and_the_next_call_is_tried() -> None:
    model = hooked(newest_alone)
    plain = call(model, max_new_tokens=2)
    spec = Speculator(budget=FixedBudget(6))
    assert plain.tolist() == call(model, spec, max_new_tokens=2).tolist()
    assert "newest_alone" in never_drafted(model)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_dropout_that_was_left_on_is_plain(family: str) -> None:
    model = fresh(family)
    model.model.layers[0].self_attn.train() if family == "llama" else model.transformer.drop.train()
    assert "training mode" in never_drafted(model)


HOOKS = [harmless, newest_alone, all_alike, by_row, after_the_prompt, mean_over_the_pass]
PARTS = [
    "model.embed_tokens",
    "model.layers.0",
    "model.layers.1.self_attn.o_proj",
    "model.layers.1.mlp",
    "lm_head",
]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    hooks=st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(HOOKS)), min_size=1, max_size=3),
    batch=st.integers(1, 4),
    seed=st.integers(0, 99),
    eos=st.sampled_from([None, EOS]),
)
@pytest.mark.filterwarnings("ignore::ngramspec.errors.NgramspecWarning")
def test_with_any_hooks_the_text_is_that_of_plain_decoding(
    hooks: list[tuple[str, Callable[..., Any]]], batch: int, seed: int, eos: int | None
) -> None:
    model = fresh()
    for where, hook in hooks:
        model.get_submodule(where).register_forward_hook(hook)
    prompts = padded_prompts(batch, seed=seed)
    arguments = {**prompts, **LIMITS, "eos_token_id": eos}
    plain = model.generate(**arguments)
    spec = oracle(plain, 9, max_draft=6)
    for _ in range(3):
        assert plain.tolist() == model.generate(**arguments, custom_generate=spec).tolist()


def test_passes_may_be_watched_without_a_trial() -> None:
    model = fresh()
    plain = call(model)
    spec = oracle(plain, 9, max_draft=6)
    with timed_forwards(model, clock=lambda: 0.0) as forwards:
        assert plain.tolist() == call(model, spec).tolist()
    assert len(forwards.ends) == len(forwards.starts) == spec.stats.total.target_passes
    assert_accepted_and_rolled_back(spec)


def mean_over_the_batch(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output + 0.3 * output.mean(dim=0, keepdim=True)


def beyond_what_is_tried(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output * 0.5 if output.shape[1] > MOST_WIDTH else output


def test_a_hook_that_mixes_rows_is_found_out() -> None:
    assert "mean_over_the_batch" in never_drafted(hooked(mean_over_the_batch), batch=4)


def test_no_draft_of_a_model_that_was_tried_is_wider_than_the_trial() -> None:
    model = hooked(beyond_what_is_tried)
    plain = call(model, max_new_tokens=160)
    spec = Speculator(OracleDrafter.of_output(plain, 9, VOCABULARY), FixedBudget(90))
    for _ in range(3):
        assert plain.tolist() == call(model, spec, max_new_tokens=160).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_half_precision_too_what_looks_at_the_whole_pass_is_found_out(dtype: torch.dtype) -> None:
    model = hooked(mean_over_the_pass).to(dtype)
    spec = Speculator(budget=FixedBudget(6))
    with pytest.warns(NgramspecWarning, match="mean_over_the_pass"):
        call(model, spec)
    assert 0 == spec.stats.total.num_draft_tokens


def as_float32(module: nn.Module, args: Any, output: Any) -> Any:
    """As the recipes of adapters do with a head."""
    output.logits = output.logits.float()
    return output


def test_finer_logits_of_a_coarser_model_are_no_reason_to_distrust_it() -> None:
    model = fresh().bfloat16()
    model.register_forward_hook(as_float32)
    spec = Speculator(budget=FixedBudget(6))
    for _ in range(2):
        call(model, spec)
    assert 0 < spec.stats.total.num_draft_tokens


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.filterwarnings("ignore::ngramspec.errors.NgramspecWarning")
def test_logits_that_are_not_finite_leave_text_and_call_as_they_are(value: float) -> None:
    def fill(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        return torch.full_like(output, value)

    model = hooked(fill, "lm_head")
    plain = call(model)
    for _ in range(2):
        assert plain.tolist() == call(model, Speculator(budget=FixedBudget(6))).tolist()


class Noting(nn.Module):
    """A part of a user's, which notes what it sees."""

    def __init__(self, within: nn.Module) -> None:
        super().__init__()
        self.within = within
        self.seen: Tensor | None = None

    def forward(self, states: Tensor) -> Any:
        self.seen = self.within(states)
        return self.seen


def test_a_part_that_notes_what_it_sees_for_a_processor_is_not_drafted_for() -> None:
    model = fresh()
    noting = model.model.layers[0].mlp = Noting(model.model.layers[0].mlp)

    def guide(input_ids: Tensor, scores: Tensor) -> Tensor:
        assert noting.seen is not None
        return scores + noting.seen[:, -1, : scores.shape[1]].to(scores)

    assert "an unknown logits processor" in never_drafted(model, logits_processor=[guide])
    assert 0 < drafted_in_the_second_call(model)


def test_what_is_put_on_a_class_or_model_that_was_tried_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh(kind=Own)
    assert 0 < drafted_in_the_second_call(model)
    usual = LlamaForCausalLM.forward

    @functools.wraps(usual)
    def mixing(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = usual(self, *args, **kwargs)
        output.logits = output.logits + output.logits.mean(dim=1, keepdim=True)
        return output

    monkeypatch.setattr(Own, "forward", mixing, raising=False)
    never_drafted(model)
    monkeypatch.undo()
    other = fresh(kind=Own)
    other.forward = functools.partial(mixing, other)
    never_drafted(other)


def test_hooks_that_accelerate_runs_for_a_user_are_strangers() -> None:
    accelerate_hooks = pytest.importorskip("accelerate.hooks")

    class Scales(accelerate_hooks.ModelHook):  # type: ignore[name-defined, misc]
        def post_forward(self, module: nn.Module, output: Tensor) -> Tensor:
            return newest_alone(module, (), output)

    model = fresh()
    accelerate_hooks.add_hook_to_module(model.model.layers[0], Scales())
    assert "Scales" in never_drafted(model)


def test_an_attention_function_of_a_users_is_a_stranger() -> None:
    model = fresh()
    name = "attention_of_a_test"
    AttentionInterface.register("sdpa", _own_attention)
    try:
        assert any("attention function" in each.name for each in strangers_in(model)), name
    finally:
        AttentionInterface.register("sdpa", sdpa_attention_forward)
    assert [] == strangers_in(model)


def _by_slot(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **kwargs: Any) -> Any:
    """Attention that knows a chain when it sees one, and masks by slot whatever mask it is given."""
    if mask is not None:
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril(key.shape[2] - query.shape[2])
        mask = mask.expand(len(query), 1, *mask.shape)
    return sdpa_attention_forward(module, query, key, value, mask, **kwargs)


@pytest.mark.parametrize("is_by_slot", [True, False])
def test_a_model_gets_trees_only_if_a_tree_of_known_tokens_had_their_logits(*, is_by_slot: bool) -> None:
    model, branches = hooked(harmless), Counter[int]()
    if is_by_slot:
        AttentionInterface.register("sdpa", _by_slot)
    try:
        plain = call(model, max_new_tokens=40)
        for seed in range(4):
            drafter = OracleDrafter.of_output(plain, 9, VOCABULARY, seed=seed)
            spec = Speculator(drafter, FixedBudget(10))
            assert plain.tolist() == call(model, spec, max_new_tokens=40).tolist()
            branches += drafter.branches
            assert (0 < spec.stats.total.num_accepted_tokens) == (seed > 0)  # the first call is the trial
    finally:
        AttentionInterface.register("sdpa", sdpa_attention_forward)
    assert is_by_slot == (branches.total() == 0)


def _own_attention(*args: Any, **kwargs: Any) -> Any:
    return sdpa_attention_forward(*args, **kwargs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_parts_of_any_kind_are_looked_at_without_harm() -> None:
    model = fresh()
    layer = model.model.layers[1]
    layer.mlp.parent = layer  # a cycle
    layer.mlp.act_fn = torch.jit.trace(nn.SiLU(), torch.ones(1))
    model.model.layers[0] = torch.compile(model.model.layers[0], backend="eager")
    layer.register_forward_hook(MagicMock(return_value=None))
    scope: dict[str, Any] = {"__builtins__": {}}
    exec("def nameless(module, args, output): pass", scope)
    layer.register_forward_hook(scope["nameless"])
    names = " ".join(each.name for each in strangers_in(model))
    assert "MagicMock" in names
    assert "nameless" in names


def test_a_model_is_freed_though_its_classes_were_looked_at() -> None:
    model = fresh()

    class Holding(nn.Module):
        def __init__(self, held: Any) -> None:
            super().__init__()
            type(self).held = held  # type: ignore[attr-defined]

        def forward(self, states: Tensor) -> Tensor:
            return states

    model.model.layers[0].extra = Holding(model)
    strangers_in(model)
    reference = weakref.ref(model)
    del model, Holding
    gc.collect()
    assert reference() is None
