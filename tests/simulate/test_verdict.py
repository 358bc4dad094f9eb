"""The verdict of a simulation: gains, the load at which they are gone, and what to do about it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngramspec.decoding import DraftingPrices, HostPrices, PassPrices
from ngramspec.drafting import AdaptiveLookup
from ngramspec.replay import Trace
from ngramspec.simulate import (
    Advice,
    Arm,
    Gain,
    Machine,
    Reliability,
    Simulation,
    closed_loops,
    gone_at,
    shuffled,
    simulate,
)
from ngramspec.simulate.gain import GONE
from ngramspec.stats import MAX_SEGMENTS, OTHER
from tests.simulate.drafters import Knows

MACHINE = Machine(PassPrices(0.01, of_token=1e-4))
SECONDS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=30)


def repeated(num: int, segment: str | None) -> list[Trace]:
    """Outputs that copy their prompts."""
    prompts = [np.arange(40, dtype=np.int32) + 50 * index for index in range(num)]
    return [Trace(prompt, prompt[:30], segment) for prompt in prompts]


def fresh(num: int, segment: str | None) -> list[Trace]:
    """Outputs in which nothing comes twice."""
    return [
        Trace(np.arange(40, dtype=np.int32) + 100 * index, np.arange(60, 90, dtype=np.int32) + 100 * index, segment)
        for index in range(1000, 1000 + num)
    ]


def at(traces: list[Trace], *concurrencies: int, machine: Machine = MACHINE, arm: Arm | None = None) -> Simulation:
    return simulate(traces, machine, arm or Arm(AdaptiveLookup), closed_loops(len(traces), concurrencies))


def test_a_segment_that_copies_is_switched_on_and_one_that_never_does_is_not() -> None:
    found = at(shuffled([*repeated(40, "copies"), *fresh(40, "fresh")]), 1, 2)
    copies, other = found.segments["copies"], found.segments["fresh"]
    assert (Advice.ON, True) == (copies.advice, copies.sure)
    assert copies.gains[1].low > 2.0
    assert other.advice is not Advice.ON
    assert copies.words.startswith("Switch it on. A request takes 0.")
    assert "The gain is still there at 2 concurrent." in copies.words


def test_drafts_that_cost_time_and_bring_nothing_are_left_off() -> None:
    machine = Machine(PassPrices(0.01), HostPrices(blind=DraftingPrices(of_row=0.005)))
    found = at(fresh(40, "fresh"), 1, machine=machine, arm=Arm(Knows))
    assert (Advice.OFF, True) == (found.total.advice, found.total.sure)
    assert found.total.words.startswith("Leave it off. A request takes 1.")


def test_few_requests_are_not_sure() -> None:
    found = at(repeated(3, "copies"), 1)
    assert not found.segments["copies"].sure
    assert "Not sure: only 3 requests, " in found.segments["copies"].words
    assert "Not sure: only 1 request, " in at(repeated(1, "copies"), 1).segments["copies"].words


def test_the_object_for_json_has_both_arms_of_each_segment_at_each_load() -> None:
    found = json.loads(json.dumps(at(repeated(5, "a") + repeated(5, "b"), 1, 4).as_dict()))
    assert [1, 4] == [run["concurrency"] for run in found["runs"]]
    for run in found["runs"]:
        assert {"a", "b"} == set(run["segments"])
        for pair in (run["total"], *run["segments"].values()):
            for arm in ("on", "off"):
                quantiles = pair[arm]["latency_s"]
                assert 0.0 < quantiles["p50"] <= quantiles["p95"] <= quantiles["p99"]
            assert pair["off"]["num_draft_tokens"] == pair["off"]["host_seconds"] == 0
            on = pair["on"]
            assert on["num_wasted_tokens"] == on["num_draft_tokens"] - on["num_accepted_tokens"]
    assert {"a", "b"} == set(found["segments"])
    assert {"verdict", "words", "sure", "concurrency_without_gain"} < set(found["segments"]["a"])


def test_requests_without_a_segment_are_in_the_total_only() -> None:
    found = at([*repeated(3, None), *repeated(2, "a")], 1)
    assert (["a"], 5, 2) == (
        list(found.segments),
        found.results[0].total.on.requests,
        found.results[0].segments["a"].on.requests,
    )


def test_the_rarest_of_too_many_segments_are_counted_together() -> None:
    traces = [Trace(np.zeros(1, np.int32), np.zeros(1, np.int32), str(index)) for index in range(MAX_SEGMENTS + 5)]
    (result,) = at(traces, 8).results
    assert MAX_SEGMENTS == len(result.segments)
    assert result.segments[OTHER].on.requests == 6


@pytest.mark.parametrize(
    ("gains", "expected"),
    [((2.0, 1.5, 1.2), None), ((1.0, 0.9, 0.9), 1.0), ((1.03, 0.99, 0.9), 2.0), ((0.9, 1.03, 0.99), 8.0)],
)
def test_a_gain_is_gone_where_it_falls_to_nothing(gains: tuple[float, ...], expected: float | None) -> None:
    assert expected == pytest.approx(gone_at((1, 4, 16), gains))


@given(st.lists(st.floats(0.5, 3.0), min_size=1, max_size=6))
def test_where_any_gain_is_gone_lies_within_the_loads(gains: list[float]) -> None:
    loads = [float(2**index) for index in range(len(gains))]
    found = gone_at(loads, gains)
    assert (found is None) == (gains[-1] > GONE)
    assert found is None or loads[0] <= found <= loads[-1]


@given(SECONDS, st.floats(0.1, 10.0))
def test_a_gain_of_any_requests_that_all_end_sooner_alike_is_certain(off: list[float], factor: float) -> None:
    gain = Gain.of([factor * seconds for seconds in off], off)
    assert (factor, factor, factor) == pytest.approx((gain.ratio, gain.low, gain.high))


def test_the_interval_of_a_gain_holds_what_is_true_nineteen_times_of_twenty() -> None:
    drawn, hits = np.random.default_rng(0), 0
    for _ in range(400):
        off = drawn.lognormal(0.0, 0.7, 200)
        on = off / 2.0 * drawn.lognormal(0.0, 0.3, 200) / np.exp(0.045)
        gain = Gain.of(off.tolist(), on.tolist())
        hits += gain.low <= 2.0 <= gain.high
    assert 0.9 < hits / 400 < 0.99


@given(st.lists(st.tuples(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), st.integers(0, 6)), max_size=20))
def test_reliability_is_what_a_loop_counts(drafts: list[tuple[list[float], int]]) -> None:
    found, tenths = Reliability(), [[0.0, 0.0, 0.0] for _ in range(10)]
    for survival, accepted in drafts:
        found.record(np.array(survival), accepted)
        for position, probability in enumerate(survival):
            tenth = tenths[min(9, int(probability * 10))]
            tenth[0] += 1
            tenth[1] += probability
            tenth[2] += position < accepted
    shown = [
        {"tokens": count, "predicted": predicted / count, "accepted": accepted / count}
        for count, predicted, accepted in tenths
        if count
    ]
    assert len(shown) == len(found.as_dicts())
    for expected, actual in zip(shown, found.as_dicts(), strict=True):
        assert expected == pytest.approx(actual)


def test_a_simulation_needs_requests_that_write_something() -> None:
    empty = Trace(np.zeros(1, np.int32), np.empty(0, np.int32))
    with pytest.raises(ValueError, match="must have an output of at least one token"):
        at([empty], 1)
    with pytest.raises(ValueError, match="needs requests and loads, got 0 and 1"):
        at([], 1)
