"""Prometheus metrics: those of vLLM's dashboards under vLLM's names, and our own by segment."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ngramspec.hf.engine.model_engine import ModelEngine
from ngramspec.serve.wire.answers import FinishReason
from ngramspec.watching import SpeculatorCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LATENCIES = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
)
DURATIONS = (
    0.3,
    0.5,
    0.8,
    1.0,
    1.5,
    2.0,
    2.5,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    120.0,
    240.0,
    480.0,
    960.0,
)
"""Bounds of the buckets, in seconds."""


class Meters:
    """The metrics of a service; times are measured on the event loop's thread."""

    def __init__(self, name: str, engine: Callable[[], ModelEngine | None], clock: Callable[[], float]) -> None:
        """name: of the model. engine: returns the one that decodes, None if there is none. clock: in seconds."""
        self.clock = clock
        self._registry = CollectorRegistry()
        self._registry.register(_OfEngine(name, engine))
        self.first_token = self._histogram(
            "time_to_first_token_seconds", "From request to first token", LATENCIES, name
        )
        self.between = self._histogram("inter_token_latency_seconds", "Between deliveries of tokens", LATENCIES, name)
        self.whole = self._histogram("e2e_request_latency_seconds", "From request to last token", DURATIONS, name)
        self.prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts").labels(name)
        self.generation_tokens = self._counter("generation_tokens", "Tokens of answers").labels(name)
        self._finished = self._counter("request_success", "Complete answers", "finished_reason")
        self._name = name

    def finished(self, reason: FinishReason) -> None:
        """An answer is complete."""
        self._finished.labels(self._name, reason).inc()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], model: str) -> Histogram:
        made = Histogram(f"vllm:{name}", f"{meaning}.", ["model_name"], buckets=buckets, registry=self._registry)
        return made.labels(model)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"vllm:{name}", f"{meaning}.", ["model_name", *labels], registry=self._registry)


class RequestMeter:
    """Times the answers of one request; see `Watch`."""

    def __init__(self, meters: Meters, received_at: float, num_prompt_tokens: int) -> None:
        self._meters, self._received_at = meters, received_at
        self._told_at: dict[int, float] = {}
        meters.prompt_tokens.inc(num_prompt_tokens)

    def tokens(self, index: int, num_tokens: int) -> None:
        """See `Watch`."""
        now, before = self._meters.clock(), self._told_at.get(index)
        self._told_at[index] = now
        self._meters.generation_tokens.inc(num_tokens)
        if before is None:
            self._meters.first_token.observe(now - self._received_at)
        else:
            self._meters.between.observe(now - before)

    def finished(self, index: int, reason: FinishReason) -> None:
        """See `Watch`."""
        self._meters.finished(reason)
        self._meters.whole.observe(self._meters.clock() - self._received_at)


class _OfEngine(Collector):
    """The engine's own counters, read at each scrape."""

    def __init__(self, name: str, engine: Callable[[], ModelEngine | None]) -> None:
        self._name, self._engine = name, engine

    def collect(self) -> Iterator[Metric]:
        engine = self._engine()
        if engine is None:
            return
        total = engine.spec.stats.total
        figures = (
            (GaugeMetricFamily, "num_requests_running", "Answers that are decoded", engine.num_running),
            (GaugeMetricFamily, "num_requests_waiting", "Answers that wait to be decoded", engine.num_waiting),
            (
                GaugeMetricFamily,
                "kv_cache_usage_perc",
                "Share of the cache that answers in progress hold",
                engine.cache_usage,
            ),
            (CounterMetricFamily, "spec_decode_num_drafts", "Passes that verified a draft", total.num_drafts),
            (CounterMetricFamily, "spec_decode_num_draft_tokens", "Draft tokens verified", total.num_draft_tokens),
            (
                CounterMetricFamily,
                "spec_decode_num_accepted_tokens",
                "Draft tokens accepted",
                total.num_accepted_tokens,
            ),
        )
        for family, name, meaning, value in figures:
            metric = family(f"vllm:{name}", f"{meaning}.", labels=["model_name"])
            metric.add_metric([self._name], value)
            yield metric
        by_position = CounterMetricFamily(
            "vllm:spec_decode_num_accepted_tokens_per_pos",
            "Drafts whose token at this position was accepted.",
            labels=["model_name", "position"],
        )
        for position, count in enumerate(total.num_accepted_tokens_per_pos):
            by_position.add_metric([self._name, str(position)], count)
        yield by_position
        unrecorded = CounterMetricFamily(
            "ngramspec:unrecorded_answers", "Answers that could not be recorded.", labels=["model_name"]
        )
        unrecorded.add_metric([self._name], engine.num_unrecorded)
        yield unrecorded
        yield from SpeculatorCollector(engine.spec, {"model_name": self._name}).collect()
