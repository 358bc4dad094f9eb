"""Costs of a large hybrid's passes are computed from one layer of each kind."""

from itertools import count

import numpy as np
import pytest
import transformers

from benchmarks.hybrid_passes import Hybrid, pass_seconds, table_of
from ngramspec.decoding import FixedBudget
from ngramspec.drafting import AdaptiveLookup
from ngramspec.replay import SavedCosts, Trace, replay
from tests.hf.hybrids import with_blocks

pytestmark = with_blocks


def tiny(counts: tuple[int, int]) -> Hybrid:
    config = transformers.Qwen3_5TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
    )
    return Hybrid(config, transformers.Qwen3_5ForCausalLM, counts)


def passes(counts: tuple[int, int]) -> dict[int, float]:
    """By a clock that ticks whenever it is looked at: before and after each layer, and the whole pass."""
    ticks = count()
    return pass_seconds(tiny(counts), lambda: float(next(ticks)), rounds=3)


def test_a_layer_counts_as_often_as_the_whole_model_has_it() -> None:
    one, many = passes((1, 1)), passes((4, 2))
    assert one.keys() == many.keys()
    assert {1, 2} <= one.keys()
    # Between the ends of a pass are four looks of its layers: it takes 5 ticks. A copy takes one.
    assert {5.0} == {seconds - (columns > 1) for columns, seconds in one.items()}
    assert {5.0 + 3 + 1} == {seconds - (columns > 1) for columns, seconds in many.items()}


def test_a_replay_goes_by_the_passes_that_were_measured() -> None:
    seconds = {1: 1.0, 2: 1.5, 8: 2.0, 32: 3.0, 64: 4.0}
    text = np.array([1, 2, 3, 4, 5, 6] * 9, np.int32)
    costs = SavedCosts(table_of(seconds), "measured")
    report = replay([Trace(text[:20], text[20:])], AdaptiveLookup(), budget=FixedBudget(7), costs=costs).total
    assert report.counters.target_passes * 2.0 == pytest.approx(costs.seconds, abs=2.0)
    assert float(report.counters.tokens) == costs.plain_seconds
