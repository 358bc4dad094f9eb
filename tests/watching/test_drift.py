"""A segment whose traffic changes is reported once, with what has changed; one that stays the same is not."""

import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from transformers import LlamaConfig

import ngramspec
from ngramspec.replay import Trace
from ngramspec.stats import MAX_SEGMENTS, Counters, Undrafted
from ngramspec.testing.replay_model import ReplayModel
from ngramspec.watching import Direction, Drift, Drifts
from ngramspec.watching.drift import WARM_UP

VOCABULARY = 256


def request(num_accepted: int, num_tokens: int = 40, undrafted: Undrafted = Undrafted.NO_MATCH) -> Counters:
    """A request of which so many tokens were drafted and accepted."""
    counters = Counters(requests=1)
    counters.record_pass(num_accepted + 1, num_accepted, num_accepted, undrafted)
    for _ in range(num_tokens - num_accepted - 1):
        counters.record_pass(1, 0, 0, undrafted)
    return counters


def watched() -> tuple[Drifts, list[Drift]]:
    told: list[Drift] = []
    return Drifts(report=told.append), told


def repeated(rng: random.Random, size: int) -> np.ndarray[Any, Any]:
    """A text that copies from its beginning, which all of them share."""
    return np.array(([1, 2, 3, *rng.sample(range(10, VOCABULARY), 5)] * size)[:size], np.int32)


def novel(rng: random.Random, size: int) -> np.ndarray[Any, Any]:
    return np.array([rng.randrange(10, VOCABULARY) for _ in range(size)], np.int32)


@pytest.fixture(scope="module")
def model() -> ReplayModel:
    """Writes 96 texts that repeat themselves, and then 64 that do not."""
    rng = random.Random(0)
    texts = [repeated(rng, 56) for _ in range(96)] + [novel(rng, 56) for _ in range(64)]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )
    return ReplayModel(config, [Trace(text[:32], text[32:]) for text in texts])


def test_switched_traffic_is_logged_and_counted_with_what_has_changed(
    model: ReplayModel, caplog: pytest.LogCaptureFixture
) -> None:
    spec = ngramspec.Speculator()
    with caplog.at_level(logging.INFO, "ngramspec"):
        for first in range(0, 160, 8):
            rows = range(first, first + 8)
            model.generate(**model.inputs(rows), max_new_tokens=24, custom_generate=spec, segment="orders")
            if spec.drifts.counts:
                break
            assert first < 144
    assert first >= 96
    assert ["orders"] == [*spec.drifts.counts]
    assert (1, 0) == (spec.drifts.counts["orders"].fell, spec.drifts.counts["orders"].rose)
    [record] = [each for each in caplog.records if each.name.startswith("ngramspec.watching")]
    assert logging.WARNING == record.levelno
    told = vars(record)
    assert ("ngramspec.drift", "orders", "fell") == (told["event"], told["segment"], told["direction"])
    assert told["accepted_share_before"] > 2 * told["accepted_share_since"]
    assert told["no_match_share_before"] < told["no_match_share_since"]
    assert 1 <= told["num_requests_since"] <= first + 8 - 96
    assert record.getMessage().startswith("the accepted share of segment 'orders' fell: 0.")
    assert "no match share" in record.getMessage()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_traffic_that_stays_the_same_is_not_told_of(share: float) -> None:
    drifts, told = watched()
    rng = random.Random(1)
    for _ in range(2000):
        drifts.add(request(sum(rng.random() < share for _ in range(39))), "orders")
    assert ([], {}) == (told, drifts.counts)


def test_a_rise_is_told_of_too_and_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    drifts, rng = Drifts(), random.Random(1)
    with caplog.at_level(logging.INFO, "ngramspec"):
        for number in range(200):
            drifts.add(request(rng.randrange(5) + (30 if number >= 150 else 0)), "orders")
    assert [logging.INFO] == [record.levelno for record in caplog.records]
    assert (0, 1) == (drifts.counts["orders"].fell, drifts.counts["orders"].rose)


def test_what_has_changed_is_told_by_what_was_counted_before_and_since() -> None:
    drifts, told = watched()
    rng = random.Random(1)
    for _ in range(100):
        drifts.add(request(20 + rng.randrange(10)), "orders", template=7)
    for _ in range(30):
        later = request(rng.randrange(10), undrafted=Undrafted.TOO_DEAR)
        later.verifying_seconds = later.target_passes * 0.5
        drifts.add(later, "orders", template=8)
    [drift] = told
    assert Direction.FELL is drift.direction
    before, since = drift.before.figures(), drift.since.figures()
    assert (1.0, 0.0) == (before["usual_template_share"], since["usual_template_share"])
    assert (0.0, 0.5) == (before["seconds_per_pass"], since["seconds_per_pass"])
    assert before["no_match_share"] > 0.5 > since["no_match_share"]
    assert before["too_dear_share"] == 0.0 < since["too_dear_share"]
    assert 100 - WARM_UP == drift.before.counters.requests
    assert drift.fields() == json.loads(json.dumps(drift.fields()))


@pytest.mark.parametrize("reason", [Undrafted.SWITCHED_OFF, Undrafted.PLAIN])
def test_requests_that_were_not_drafted_for_say_nothing(reason: Undrafted) -> None:
    drifts, told = watched()
    for number in range(200):
        undrafted = request(0, undrafted=reason)
        drifts.add(undrafted if number >= 100 else request(30), "orders")
    assert [] == told


def test_requests_without_a_segment_or_without_tokens_are_not_compared() -> None:
    spec = ngramspec.Speculator()
    for number in range(300):
        spec.stats.add(request(30 if number < 200 else 0))
        spec.stats.add(Counters(requests=1), "empty")
    assert {} == spec.drifts.counts


def test_segments_drift_apart_from_each_other() -> None:
    drifts, told = watched()
    rng = random.Random(1)
    for number in range(200):
        drifts.add(request(20 + rng.randrange(10)), "same")
        drifts.add(request(rng.randrange(10) + (20 if number < 150 else 0)), "other")
    assert ["other"] == [drift.segment for drift in told]


def test_a_segments_name_cannot_forge_a_line_of_the_log() -> None:
    drifts, told = watched()
    name = "orders\nWARNING: all is well \x1b[2J" + 500 * "x"
    for number in range(200):
        drifts.add(request(30 if number < 150 else 1), name)
    [drift] = told
    assert str(drift).isprintable()
    assert len(str(drift)) < 500
    assert name == drift.fields()["segment"]


def test_the_least_recently_used_segments_are_forgotten() -> None:
    drifts, _ = watched()
    for number in range(MAX_SEGMENTS + 5):
        drifts.add(request(5), f"tenant {number}")
    assert MAX_SEGMENTS == len(drifts._bands)
    assert "tenant 4" not in drifts._bands


def test_many_threads_may_add() -> None:
    drifts, told = watched()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: drifts.add(request(number % 7), "orders"), range(800)))
    assert [] == told
    assert 800 == drifts._bands["orders"].traffic.counters.requests
