"""Costs outlive a restart, for the model and the machine that they were measured on."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ngramspec import AdaptiveLookup, CostsError, Speculator
from ngramspec.decoding import Shape
from tests.hf.models import EOS, padded_prompts, tiny

CALL: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": EOS}
SHAPE = Shape(1, 1, 1, 16)


def measured(*families: str) -> Speculator:
    spec = Speculator()
    for family in families:
        tiny(family).generate(**padded_prompts(1), **CALL, custom_generate=spec, speculate=False)
    return spec


def test_a_saved_table_is_used_for_the_model_that_it_was_measured_with(tmp_path: Path) -> None:
    spec = measured("llama")
    spec.save_costs(tmp_path / "costs")
    restarted = Speculator()
    restarted.load_costs(tmp_path / "costs")
    costs = restarted._costs.of(tiny("llama"))
    assert spec._costs.of(tiny("llama")).prices(SHAPE, 0) == costs.prices(SHAPE, 0) is not None
    assert spec._costs.of(tiny("llama")).rate(SHAPE) == costs.rate(SHAPE) > 0
    assert restarted._costs.of(tiny("gpt2")).prices(SHAPE, 0) is None


def test_a_table_for_other_threads_is_passed_over(tmp_path: Path) -> None:
    measured("llama").save_costs(tmp_path / "costs")
    restarted = Speculator()
    restarted.load_costs(tmp_path / "costs")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert restarted._costs.of(tiny("llama")).prices(SHAPE, 0) is None
    finally:
        torch.set_num_threads(threads)


def test_a_table_that_nobody_used_is_saved_again(tmp_path: Path) -> None:
    measured("llama").save_costs(tmp_path / "costs")
    second = measured("gpt2")
    second.load_costs(tmp_path / "costs")
    second.save_costs(tmp_path / "costs")
    third = Speculator()
    third.load_costs(tmp_path / "costs")
    assert all(third._costs.of(tiny(family)).prices(SHAPE, 0) is not None for family in ("llama", "gpt2"))


def test_what_is_no_table_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    spec = measured("llama")
    spec.save_costs(tmp_path / "costs")
    whole = (tmp_path / "costs").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-5])
    AdaptiveLookup().save(tmp_path / "history", "of a tokenizer")
    with pytest.raises(CostsError, match=r"as it was written, got a damaged or truncated file"):
        spec.load_costs(tmp_path / "cut")
    with pytest.raises(CostsError, match=r"a saved cost table begins with 'ngramspec cost table ', got .*history"):
        spec.load_costs(tmp_path / "history")
    assert spec._costs.of(tiny("llama")).prices(SHAPE, 0) is not None
