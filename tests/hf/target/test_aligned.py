"""Models that are fed as in plain `generate()`: alibi, their own masks and positions, images."""

from typing import Any

import pytest
import torch
import transformers

from ngramspec import PromptLookup, Speculator
from ngramspec.hf.facts.alignment import why_aligned
from ngramspec.testing import OracleDrafter
from tests.hf.comparing import assert_a_processor_sees_the_same, assert_accepted_and_rolled_back, compare, limits
from tests.hf.entry.test_refusals import HYBRID, SMALL
from tests.hf.models import PAD, VOCABULARY, padded_prompts, settled, tiny

ALIGNED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bloom": ("BloomConfig", "BloomForCausalLM", {**SMALL, "n_layer": 2, "n_head": 4}),
    "mpt": (
        "MptConfig",
        "MptForCausalLM",
        {"vocab_size": VOCABULARY, "d_model": 32, "n_layers": 2, "n_heads": 4, "use_cache": True},
    ),
    "falcon with alibi": (
        "FalconConfig",
        "FalconForCausalLM",
        {**SMALL, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": True, "new_decoder_architecture": False},
    ),
    "gpt_neo": (
        "GPTNeoConfig",
        "GPTNeoForCausalLM",
        {
            **SMALL,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 8,
            "max_position_embeddings": 64,
        },
    ),
    "qwen2_vl": (
        "Qwen2VLConfig",
        "Qwen2VLForConditionalGeneration",
        {
            "text_config": {
                **HYBRID,
                "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
            },
            "vision_config": {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 4},
            "tie_word_embeddings": False,
            "image_token_id": 20,
            "video_token_id": 21,
        },
    ),
}


def aligned(name: str) -> Any:
    config, model, settings = ALIGNED[name]
    made = getattr(transformers, model)(getattr(transformers, config)(**settings))
    return settled(made, seed=4).float()  # several kernels know no float64; both ways to decode run the same ones


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", ALIGNED)
def test_a_model_that_takes_no_position_per_row_is_drafted_for_all_the_same(name: str, batch: int) -> None:
    model = aligned(name)
    prompts = padded_prompts(batch, seed=2)
    assert why_aligned(model, prompts) is not None
    for arguments in (limits(), limits(repetition_penalty=1.3), limits(do_sample=True)):
        assert_accepted_and_rolled_back(compare(model, prompts, arguments.copy).spec)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_processor_that_nobody_knows_sees_what_it_sees_in_plain_decoding(batch: int) -> None:
    assert_a_processor_sees_the_same(aligned("bloom"), padded_prompts(batch))


@pytest.mark.parametrize("length", [2, 9])
def test_token_types_are_counted_on_as_in_plain_decoding(length: int) -> None:
    """Told of several tokens at once, transformers would repeat the last several types, and not the last one."""
    model = tiny("gpt2")
    prompts = padded_prompts(1, length)
    prompts["token_type_ids"] = torch.tensor([[2, 2, 2, 3, 3, 3, 3, 2, 5][-length:]])
    assert_accepted_and_rolled_back(compare(model, prompts, lambda: {"max_new_tokens": 27}).spec)


def test_inputs_beside_ids_mask_and_positions_are_fed_as_in_plain_decoding() -> None:
    model = tiny("gpt2")
    for batch in (1, 3):
        prompts = padded_prompts(batch)
        prompts["token_type_ids"] = torch.ones_like(prompts["input_ids"])
        plain = model.generate(**prompts, **limits())
        assert plain.tolist() != model.generate(**padded_prompts(batch), **limits()).tolist()
        assert_accepted_and_rolled_back(compare(model, prompts, limits).spec)


def model_that_sees() -> Any:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 14,
    }
    settings: dict[str, Any] = {
        "text_config": {
            **HYBRID,
            "head_dim": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 8,
        },
        "vision_config": vision,
        "image_token_index": VOCABULARY - 1,
        "mm_tokens_per_image": 4,
        "tie_word_embeddings": False,
    }
    return settled(transformers.Gemma3ForConditionalGeneration(transformers.Gemma3Config(**settings)), seed=4)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_that_could_see_is_drafted_for_where_there_is_text_alone(batch: int) -> None:
    model = model_that_sees()
    call: dict[str, Any] = {**padded_prompts(batch, vocabulary=VOCABULARY - 1), "max_new_tokens": 24}
    plain = model.generate(**call)
    spec = Speculator(OracleDrafter.of_output(plain, 9, VOCABULARY))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_picture_is_read_once_and_its_tokens_are_drafted_like_any_others(batch: int) -> None:
    """The prompt's placeholders are the likeliest thing to copy; a draft that holds them is text, and is rejected."""
    model = model_that_sees()
    image = VOCABULARY - 1
    prompts = padded_prompts(batch, 12, vocabulary=image)
    prompts["attention_mask"][:, -8:], prompts["input_ids"][:, -8:-4] = 1, image
    prompts["input_ids"][:, -4:] = torch.tensor([2, 3, 2, 3])
    pixels = torch.randn((batch, 3, 28, 28), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    call: dict[str, Any] = {**prompts, "pixel_values": pixels, "token_type_ids": (prompts["input_ids"] == image).long()}
    plain = model.generate(**call, max_new_tokens=24, pad_token_id=PAD)
    assert plain.tolist() != model.generate(**{**call, "pixel_values": -pixels}, max_new_tokens=24).tolist()
    for drafter in (OracleDrafter.of_output(plain, 12, VOCABULARY), PromptLookup()):
        spec = Speculator(drafter)
        output = model.generate(**call, max_new_tokens=24, pad_token_id=PAD, custom_generate=spec)
        assert plain.tolist() == output.tolist()
    assert spec.stats.total.num_draft_tokens > 0
