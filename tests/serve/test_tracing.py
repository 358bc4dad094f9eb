"""OpenTelemetry's spans and metrics, with the names of its conventions."""

import asyncio
import sys
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.serve.serving import Client, Reply, generated, serving

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROMPT = "### repeat\nOne line.\n### answer\n"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Spans and measures; the providers are this test's own."""
    spans, measures = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([measures])
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    return spans, measures


def asked(*bodies: Any, goes_after: int | None = None) -> None:
    async def ask() -> None:
        async with serving() as client:
            for body in bodies:
                reply = await _ask(client, body, goes_after)
                assert reply.status in (200, 400) or goes_after is not None

    asyncio.run(ask())


async def _ask(client: Client, fields: Any, goes_after: int | None) -> Reply:
    body = {"model": "pico", "prompt": PROMPT, "max_tokens": 40, **fields}
    return await client.ask("/v1/completions", body, headers={"traceparent": PARENT}, goes_after=goes_after)


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_a_span_of_its_callers_trace(seen: Any, stream: bool) -> None:
    asked({"stream": stream, "temperature": 0, "n": 2})
    [span] = seen[0].get_finished_spans()
    assert (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331) == (span.context.trace_id, span.parent.span_id)
    assert ("text_completion pico", trace.SpanKind.SERVER) == (span.name, span.kind)
    reply = span.attributes
    num_tokens = len(generated(PROMPT, max_new_tokens=40))
    assert 2 * num_tokens == reply["gen_ai.usage.output_tokens"]
    assert ("stop", "stop") == reply["gen_ai.response.finish_reasons"]
    assert (0, 2) == (reply["gen_ai.request.temperature"], reply["gen_ai.request.choice.count"])
    assert not any("One line" in str(value) for value in reply.values())


def test_times_are_measured_under_the_conventions_names(seen: Any) -> None:
    asked({}, {"stream": True})
    [resource] = seen[1].get_metrics_data().resource_metrics
    found = {each.name: each.data.data_points for scope in resource.scope_metrics for each in scope.metrics}
    measured = {name: points for name, points in found.items() if name.startswith("gen_ai.")}
    assert {
        "gen_ai.server.request.duration",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
    } == measured.keys()
    assert [2, 2, 2] == [sum(point.count for point in points) for points in measured.values()]
    assert 2 == sum(point.value for point in found["ngramspec.requests"])


@pytest.mark.parametrize(
    ("fields", "goes_after", "kind"),
    [
        ({"logit_bias": {"9999": 1}}, None, "400"),
        ({"max_tokens": 900, "ignore_eos": True, "stream": True}, 2, "cancelled"),
        ({"max_tokens": 900, "ignore_eos": True}, 0, "cancelled"),
    ],
)
def test_a_request_that_fails_or_is_dropped_ends_its_span_with_the_reason(
    seen: Any, fields: Any, goes_after: int | None, kind: str
) -> None:
    asked(fields, goes_after=goes_after)
    [span] = seen[0].get_finished_spans()
    assert (kind, trace.StatusCode.ERROR) == (span.attributes["error.type"], span.status.status_code)


def test_without_its_api_nothing_is_traced_and_all_is_answered(monkeypatch: pytest.MonkeyPatch, seen: Any) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.setitem(sys.modules, name, None)
    asked({}, {"stream": True})
    assert () == seen[0].get_finished_spans()
