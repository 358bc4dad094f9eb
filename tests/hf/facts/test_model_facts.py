"""Facts that models state in their own ways: limits, attention per part, placeholders for images, capacities."""

from typing import Any

import pytest
import torch
from transformers import (
    DynamicCache,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    MptConfig,
    MptForCausalLM,
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
)

from ngramspec import FixedBudget, NgramspecWarning, RefusedError, Speculator
from ngramspec.hf.seam import CACHE
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_accepted_and_rolled_back
from tests.hf.models import EOS, VOCABULARY, padded_prompts, settled, tiny


def gemma3_that_sees(image_token: int = 39) -> Any:
    text = {"vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "query_pre_attn_scalar": 8, "sliding_window": 8}
    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    parts: dict[str, Any] = {
        "text_config": {**text, **heads},
        "vision_config": {**vision, "image_size": 28, "patch_size": 14},
        "image_token_id": image_token,
    }
    config = Gemma3Config(tie_word_embeddings=False, mm_tokens_per_image=4, **parts)
    torch.manual_seed(0)
    return settled(Gemma3ForConditionalGeneration(config), seed=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager", {"text_config": "eager", "vision_config": "sdpa"}])
def test_the_attention_that_counts_is_that_of_the_language_model(attention: Any) -> None:
    model = gemma3_that_sees()
    model.set_attn_implementation(attention)
    call: dict[str, Any] = {"max_new_tokens": 24, "pad_token_id": 0, "eos_token_id": None}
    ids = torch.randint(2, 8, (1, 8), generator=torch.Generator().manual_seed(0))
    plain = model.generate(ids, **call)
    spec = Speculator(OracleDrafter.of_output(plain, 8, 40), FixedBudget(10))
    assert plain.tolist() == model.generate(ids, **call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


def test_a_part_with_an_attention_that_is_not_supported_is_refused_by_its_name() -> None:
    model = gemma3_that_sees()
    model.config.text_config._attn_implementation = "flex_attention"
    with pytest.raises(RefusedError, match="got 'flex_attention'"):
        model.generate(torch.ones((1, 4), dtype=torch.long), max_new_tokens=3, custom_generate=Speculator())


def test_stand_ins_for_pictures_may_lie_beyond_the_vocabulary() -> None:
    model = gemma3_that_sees(image_token=40)
    ids = torch.tensor([[2, 5, 40, 40, 40, 40, 9]])
    call: dict[str, Any] = {"token_type_ids": (ids == 40).long(), "max_new_tokens": 8, "pad_token_id": 0}
    call |= {"pixel_values": torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0)).double()}
    plain = model.generate(ids, **call)
    spec = Speculator(OracleDrafter.of_output(plain, 7, 40), FixedBudget(4))
    assert plain.tolist() == model.generate(ids, **call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("alibi", [True, False])
@pytest.mark.filterwarnings("ignore::ngramspec.errors.NgramspecWarning")
def test_no_draft_crosses_a_limit_by_another_name(alibi: bool) -> None:
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"d_model": 32, "n_heads": 4, "n_layers": 2, "vocab_size": 40}
    sizes |= {"max_seq_len": 48, "attn_config": {"alibi": alibi}}
    config = MptConfig(**sizes, use_cache=True)
    model: Any = MptForCausalLM(config).double().eval()
    ids = torch.randint(2, 40, (1, 36))
    call: dict[str, Any] = {"inputs": ids, "pad_token_id": 0, "do_sample": True}
    torch.manual_seed(2)
    text = model.generate(**call, max_new_tokens=11, eos_token_id=None)[0, 36:].tolist()
    call |= {"max_new_tokens": 60, "eos_token_id": text[-1] if text[-1] not in text[:-1] else 41}
    torch.manual_seed(2)
    plain = model.generate(**call)[0, 36:].tolist()  # ends just before the limit
    spec = Speculator(OracleDrafter([text + [3] * 60], 40, corrupted=0), FixedBudget(20))
    for _ in range(2):
        torch.manual_seed(2)
        assert plain == model.generate(**call, custom_generate=spec)[0, 36:].tolist()
    assert_accepted_and_rolled_back(spec)


def test_a_class_of_ones_own_that_declares_a_running_state_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    model, call = tiny("llama"), {**padded_prompts(1), "max_new_tokens": 6}
    monkeypatch.setattr(type(model), "_is_stateful", True)
    plain, spec = model.generate(**call), Speculator()
    with pytest.warns(NgramspecWarning, match="keeps a running state that cannot take a step back"):
        assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert spec.stats.total.num_draft_tokens == 0


def test_experts_of_a_limited_capacity_are_plain() -> None:
    torch.manual_seed(4)
    sizes: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 2}
    experts: dict[str, Any] = {"num_experts": 2, "expert_capacity": 4, "num_sparse_decoder_layers": 2}
    ends: dict[str, Any] = {"decoder_start_token_id": 0, "eos_token_id": EOS, "tie_word_embeddings": False}
    config = SwitchTransformersConfig(vocab_size=VOCABULARY, num_heads=4, **sizes, **experts, **ends)
    model: Any = SwitchTransformersForConditionalGeneration(config).double().eval()
    ids = torch.randint(2, VOCABULARY, (1, 12))
    plain = model.generate(ids, max_new_tokens=40, eos_token_id=None)
    spec = Speculator(OracleDrafter.of_output(plain, 1, VOCABULARY), FixedBudget(20))
    with pytest.warns(NgramspecWarning, match="expert_capacity"):
        assert (
            plain.tolist() == model.generate(ids, max_new_tokens=40, eos_token_id=None, custom_generate=spec).tolist()
        )
    assert 0 == spec.stats.total.num_draft_tokens


class RoundingCache(DynamicCache):
    """As caches of research code are made, that quantise or evict."""

    def update(self, keys: Any, values: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().update((4 * keys).round() / 4, (4 * values).round() / 4, *args, **kwargs)


def test_a_cache_with_methods_of_its_own_is_refused_by_its_name() -> None:
    model = tiny("llama")
    with pytest.raises(RefusedError, match=f"{CACHE}=RoundingCache, whose own methods"):
        model.generate(**padded_prompts(1), **{CACHE: RoundingCache(config=model.config)}, custom_generate=Speculator())
