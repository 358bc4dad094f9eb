"""Costs survive a restart, for the model and the machine that they were measured on."""

import copy
import gc
import itertools
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from ngramspec import AdaptiveLookup, CostsError, Speculator
from ngramspec.decoding import Shape
from ngramspec.files import whole_file
from tests.hf.models import EOS, padded_prompts, tiny

CALL: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": EOS}
SHAPE = Shape(1, 1, 1, 16)


def measured(*families: str) -> Speculator:
    spec = Speculator()
    for family in families:
        tiny(family).generate(**padded_prompts(1), **CALL, custom_generate=spec, speculate=False)
    return spec


def restarted_process() -> Speculator:
    """A Speculator that shares no measurement with those before: prices are shared by the Speculators of one clock."""
    return Speculator(clock=itertools.count().__next__)


def test_all_speculators_of_a_process_share_what_passes_of_a_model_cost() -> None:
    spec = measured("llama")
    assert spec.costs.of(tiny("llama")) is Speculator().costs.of(tiny("llama"))
    assert spec.costs.of(tiny("llama")) is not Speculator().costs.of(tiny("gpt2"))
    assert restarted_process().costs.of(tiny("llama")).prices(SHAPE, 0) is None


def test_prices_go_with_their_model() -> None:
    model = copy.deepcopy(tiny("llama"))
    costs = weakref.ref(Speculator().costs.of(model))
    assert costs() is not None
    del model
    gc.collect()
    assert costs() is None


@pytest.mark.parametrize("forged", [{"alone": 3}, {"alone": [], "growths": [[0, 3, {"x": [1.0]}]], "rates": []}, []])
def test_a_table_that_holds_something_else_is_refused(tmp_path: Path, forged: Any) -> None:
    whole_file.write(tmp_path / "costs", whole_file.COSTS, {"tables": {"a model": forged}})
    with pytest.raises(
        CostsError, match=r"must hold what was saved, got a file made otherwise, .*costs: table 'a model': "
    ):
        Speculator().load_costs(tmp_path / "costs")


def test_a_saved_table_is_used_for_the_model_that_it_was_measured_with(tmp_path: Path) -> None:
    spec = measured("llama")
    spec.save_costs(tmp_path / "costs")
    restarted = restarted_process()
    restarted.load_costs(tmp_path / "costs")
    costs = restarted.costs.of(tiny("llama"))
    assert spec.costs.of(tiny("llama")).prices(SHAPE, 0) == costs.prices(SHAPE, 0) is not None
    rate = costs.rate(SHAPE)  # the time of drafting is not saved: it is another drafter's as soon
    assert 0 < rate == pytest.approx(spec.costs.of(tiny("llama")).rate(SHAPE), rel=0.01)
    assert restarted.costs.of(tiny("gpt2")).prices(SHAPE, 0) is None


def test_a_table_for_other_threads_is_passed_over(tmp_path: Path) -> None:
    measured("llama").save_costs(tmp_path / "costs")
    restarted = restarted_process()
    restarted.load_costs(tmp_path / "costs")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert restarted.costs.of(tiny("llama")).prices(SHAPE, 0) is None
    finally:
        torch.set_num_threads(threads)


def test_a_table_that_nobody_used_is_saved_again(tmp_path: Path) -> None:
    measured("llama").save_costs(tmp_path / "costs")
    second = measured("gpt2")
    second.load_costs(tmp_path / "costs")
    second.save_costs(tmp_path / "costs")
    third = restarted_process()
    third.load_costs(tmp_path / "costs")
    assert all(third.costs.of(tiny(family)).prices(SHAPE, 0) is not None for family in ("llama", "gpt2"))


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
    assert spec.costs.of(tiny("llama")).prices(SHAPE, 0) is not None
