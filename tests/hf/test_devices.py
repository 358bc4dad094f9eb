"""Models whose layers are on several devices, or on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload, dispatch_model  # type: ignore[import-untyped]

from tests.hf.comparing import assert_accepted_and_rolled_back, compare, limits
from tests.hf.models import padded_prompts, tiny


def spread(tmp_path: Path) -> Any:
    """The first layer and the last norm are read from disk when they are needed."""
    parts = ["model.embed_tokens", "model.rotary_emb", "model.layers.0", "model.layers.1", "model.norm", "lm_head"]
    devices = {part: "disk" if part in ("model.layers.0", "model.norm") else "cpu" for part in parts}
    return dispatch_model(tiny.__wrapped__("llama"), devices, main_device="cpu", offload_dir=str(tmp_path))


def offloaded(_: Path) -> Any:
    """Every weight is loaded when it is needed, so the model itself is on no device."""
    model = cpu_offload(tiny.__wrapped__("llama"), execution_device=torch.device("cpu"))
    assert model.device.type == "meta"
    return model


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dispatched", [spread, offloaded])
def test_a_model_on_several_devices_writes_the_same_text(dispatched: Any, batch: int, tmp_path: Path) -> None:
    assert_accepted_and_rolled_back(compare(dispatched(tmp_path), padded_prompts(batch), limits).spec)
