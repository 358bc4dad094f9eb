"""Prometheus and OpenTelemetry get the counters by segment; the sum over segments is the total."""

import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ngramspec
from ngramspec.pico import repeat_prompt
from ngramspec.stats import Counters, GuardOutcome, Undrafted
from ngramspec.watching import SpeculatorCollector, observe
from ngramspec.watching.figures import POSITIONS

PHASES = ("drafting", "steering", "masking")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposed(spec: ngramspec.Speculator) -> Samples:
    """Values by name and labels."""
    registry = CollectorRegistry()
    registry.register(SpeculatorCollector(spec))
    samples: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples, "Prometheus takes no series twice"
            samples[key] = sample.value
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"ngramspec:{name}", tuple(sorted(labels.items()))]


def counted(rng: random.Random) -> Counters:
    counters = Counters(requests=1)
    for _ in range(rng.randrange(1, 9)):
        num_drafted = rng.randrange(9)
        num_accepted = rng.randint(0, num_drafted)
        counters.record_pass(num_accepted + 1, num_drafted, num_accepted, rng.choice(list(Undrafted)))
    counters.num_guarded_per_outcome = {rng.choice(list(GuardOutcome)): 1}
    counters.num_shortened_drafts = rng.randrange(3)
    counters.drafting_seconds, counters.verifying_seconds = rng.random(), rng.random()
    return counters


@settings(max_examples=30)
@given(
    names=st.lists(st.none() | st.text(max_size=5) | st.sampled_from(['"', "\n", "\\", "other", ""]), max_size=8),
    seed=st.integers(0, 1000),
)
def test_whatever_segments_are_called_each_series_is_told_once_and_their_sum_is_the_total(
    names: list[str | None], seed: int
) -> None:
    spec, rng = ngramspec.Speculator(), random.Random(seed)
    for name in names:
        spec.stats.add(counted(rng), name)
    samples, total = exposed(spec), spec.stats.total

    def over(name: str, **labels: str) -> float:
        wanted = {*labels.items()}
        return sum(
            value for (found, own), value in samples.items() if f"ngramspec:{name}" == found and wanted <= {*own}
        )

    segments = {dict(labels)["segment"] for _, labels in samples}
    assert {name or "" for name in names} | {""} == segments
    assert total.requests == over("requests_total")
    assert total.tokens == over("tokens_total")
    assert total.num_accepted_tokens == over("accepted_tokens_total") == over("accepted_tokens_per_draft_sum")
    for reason in Undrafted:
        expected = total.num_undrafted_per_reason.get(reason, 0)
        assert expected == over("undrafted_passes_total", reason=reason.value)
    for outcome in GuardOutcome:
        assert total.num_guarded_per_outcome.get(outcome, 0) == over("guarded_requests_total", outcome=outcome.value)
    assert pytest.approx(total.verifying_seconds) == over("time_seconds_total", phase="verifying")


@settings(max_examples=30)
@given(passes=st.lists(st.tuples(st.integers(0, 96), st.integers(0, 96)).map(sorted), max_size=30))
def test_buckets_count_the_drafts_of_which_so_many_tokens_were_accepted(passes: list[list[int]]) -> None:
    spec, counters = ngramspec.Speculator(), Counters(requests=1)
    for num_accepted, num_drafted in passes:
        counters.record_pass(num_accepted + 1, num_drafted, num_accepted)
    spec.stats.add(counters, "orders")
    samples = exposed(spec)
    drafts = [accepted for accepted, drafted in passes if drafted]
    for most in POSITIONS:
        bucket = value(samples, "accepted_tokens_per_draft_bucket", segment="orders", le=f"{most:.1f}")
        assert sum(accepted <= most for accepted in drafts) == bucket
    assert len(drafts) == value(samples, "accepted_tokens_per_draft_count", segment="orders")


def decoded() -> ngramspec.Speculator:
    """A Speculator that has served a request of each kind."""
    spec = ngramspec.Speculator()
    model: Any
    model, tokenizer = ngramspec.load_pico()
    inputs = tokenizer(repeat_prompt("Counted once, and counted again."), return_tensors="pt")
    for number in range(2):
        model.generate(**inputs, custom_generate=spec, max_new_tokens=40, segment="copies" if number else None)
    guard = ngramspec.Guard.regex("[0-9]{20,30}", tokenizer)
    for max_new_tokens in (2, 60):
        arguments = {"logits_processor": [guard], "max_new_tokens": max_new_tokens}
        model.generate(**inputs, custom_generate=spec, segment="numbers", **arguments)
    return spec


def test_what_generate_does_is_exposed_by_segment_with_the_time_that_it_took() -> None:
    spec = decoded()
    samples, stats = exposed(spec), spec.stats
    for name in ("copies", "numbers"):
        expected = stats.segments[name]
        assert expected.tokens == value(samples, "tokens_total", segment=name)
        assert expected.num_drafts == value(samples, "drafts_total", segment=name)
        assert expected.num_draft_tokens == value(samples, "draft_tokens_total", segment=name)
        assert value(samples, "time_seconds_total", segment=name, phase="verifying") > 0
        assert 0 == value(samples, "drifts_total", segment=name, direction="fell")
    assert stats.unnamed.tokens == value(samples, "tokens_total", segment="") > 0
    taken = {
        name: [value(samples, "time_seconds_total", segment=name, phase=phase) > 0 for phase in PHASES]
        for name in ("copies", "numbers")
    }
    assert {"copies": [True, False, False], "numbers": [False, True, True]} == taken
    outcomes = [
        value(samples, "guarded_requests_total", segment="numbers", outcome=outcome.value) for outcome in GuardOutcome
    ]
    assert [1, 1, 0] == outcomes


def test_all_metrics_have_the_labels_that_the_program_gives_them() -> None:
    registry = CollectorRegistry(auto_describe=True)  # as prometheus_client's own
    registry.register(SpeculatorCollector(ngramspec.Speculator(), {"model_name": "pico"}))
    families = [*text_string_to_metric_families(generate_latest(registry).decode())]
    assert len(families) >= 12
    assert {"pico"} == {sample.labels["model_name"] for family in families for sample in family.samples}


def test_opentelemetry_is_told_the_same() -> None:
    spec, reader = decoded(), InMemoryMetricReader()
    observe(spec, MeterProvider([reader]))
    data: Any = reader.get_metrics_data()
    [scope] = data.resource_metrics[0].scope_metrics
    found = {
        (metric.name, *sorted(point.attributes.items())): point.value
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    assert spec.stats.unnamed.tokens == found["ngramspec.tokens",]
    copies = spec.stats.segments["copies"]
    segment = ("ngramspec.segment", "copies")
    assert copies.tokens == found["ngramspec.tokens", segment]
    assert copies.verifying_seconds == found["ngramspec.time", ("ngramspec.phase", "verifying"), segment]
    first = copies.num_accepted_tokens_per_pos[0]
    assert 0 < first == found["ngramspec.accepted_tokens_per_pos", ("ngramspec.position", 0), segment]
    units = {metric.name: metric.unit for metric in scope.metrics}
    assert ("s", "{token}") == (units["ngramspec.time"], units["ngramspec.tokens"])


def test_without_their_packages_both_say_what_to_install_and_the_rest_works() -> None:
    code = """
import sys
sys.modules["prometheus_client"] = sys.modules["prometheus_client.core"] = sys.modules["opentelemetry"] = None
from ngramspec import watching
from ngramspec.stats import Counters
watching.Drifts().add(Counters(requests=1, tokens=1), "orders")
for name in ("SpeculatorCollector", "observe"):
    try:
        getattr(watching, name)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [
        "SpeculatorCollector needs prometheus_client: pip install prometheus-client",
        "observe() needs OpenTelemetry's API: pip install opentelemetry-api",
    ] == done.stdout.splitlines()
