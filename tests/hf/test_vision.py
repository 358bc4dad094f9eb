"""Vision models: text alone, and text with images."""

from typing import Any

import pytest
import torch
import transformers

from ngramspec import Speculator
from ngramspec.testing import OracleDrafter
from tests.families.build import build, drawn
from tests.families.exceptions import ROPE
from tests.families.shrink import VOCABULARY
from tests.hf.comparing import assert_accepted_and_rolled_back

NEW_TOKENS = 30
IMAGE = 20
"""The token that stands for a picture's patches."""

VISION: dict[str, Any] = {
    "llava": {"vision_config": {"image_size": 28, "patch_size": 14}, "image_token_index": IMAGE},
    "qwen2_vl": {
        "text_config": {"rope_parameters": {**ROPE, "mrope_section": [2, 1, 1]}},
        "vision_config": {"hidden_size": 32, "embed_dim": 32, "patch_size": 14},
        "image_token_id": IMAGE,
        "vision_start_token_id": 22,
        "vision_end_token_id": 23,
    },
    "gemma3": {"mm_tokens_per_image": 4, "image_token_index": IMAGE},
}


def model_of(name: str) -> Any:
    config_class = transformers.CONFIG_MAPPING[name]
    model_class = transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[config_class]
    return drawn(build(config_class, model_class, settings=VISION[name]), seed=3)


def prompts(batch: int, num_image_tokens: int) -> dict[str, Any]:
    """Rows padded on the left, each with a run of image tokens."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(2, 19, (batch, 14), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(batch):
        ids[row, :row], mask[row, :row] = 0, 0
    if num_image_tokens:
        ids[:, 4 : 4 + num_image_tokens] = IMAGE
    return {"input_ids": ids, "attention_mask": mask}


def pictures(name: str, batch: int, seed: int) -> dict[str, Any]:
    """A picture of 28 x 28 for each row, as the family's processor prepares it: four tokens."""
    generator = torch.Generator().manual_seed(seed)
    if name == "qwen2_vl":  # 4 x 4 patches of two frames, of which 2 x 2 are merged
        pixels = torch.randn((batch * 16, 3 * 2 * 14 * 14), generator=generator, dtype=torch.float64)
        return {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, 4, 4]] * batch)}
    return {"pixel_values": torch.randn((batch, 3, 28, 28), generator=generator, dtype=torch.float64)}


def call_of(name: str, batch: int, *, seed: int | None) -> dict[str, Any]:
    call = {**prompts(batch, 0 if seed is None else 4), "max_new_tokens": NEW_TOKENS}
    return call if seed is None else {**call, **pictures(name, batch, seed)}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seed", [None, 1], ids=["text", "pictures"])
@pytest.mark.parametrize("name", VISION)
def test_a_model_that_sees_writes_the_same_text(name: str, seed: int | None, batch: int) -> None:
    model, call = model_of(name), call_of(name, batch, seed=seed)
    plain = model.generate(**call)
    spec = Speculator(OracleDrafter(plain[:, -NEW_TOKENS:].tolist(), VOCABULARY))
    assert plain.tolist() == model.generate(**call, custom_generate=spec).tolist()
    assert_accepted_and_rolled_back(spec)


@pytest.mark.parametrize("name", VISION)
def test_what_is_seen_shows_in_the_text(name: str) -> None:
    """Else the test above would say nothing of pictures."""
    model = model_of(name)
    texts = {tuple(model.generate(**call_of(name, 1, seed=seed))[0].tolist()) for seed in (1, 2, 3)}
    assert len(texts) > 1
