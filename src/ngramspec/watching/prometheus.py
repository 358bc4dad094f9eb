"""Metrics for Prometheus, by segment; read when Prometheus asks for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

try:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("SpeculatorCollector needs prometheus_client: pip install prometheus-client") from error

from ngramspec.stats import Counters
from ngramspec.watching.drift import DriftCounts
from ngramspec.watching.figures import FIGURES, POSITIONS, Watched, by_segment, num_accepted_beyond


class CountedTraffic(NamedTuple):
    """What was counted in one source. labels: values of its labels. segments, drifts: by segment."""

    labels: tuple[str, ...]
    segments: Mapping[str, Counters]
    drifts: Mapping[str, DriftCounts]


class SpeculatorCollector(Collector):
    """A collector of `prometheus_client`: `REGISTRY.register(SpeculatorCollector(spec))`.

    All metrics are `ngramspec:…`, by `segment`; requests without one have `segment=""`. One Speculator serves any
    number of calls and models, so one collector is registered in a process.
    """

    def __init__(self, spec: Watched, labels: Mapping[str, str] | None = None) -> None:
        """labels: further labels of all metrics, such as the name of the model."""
        self._spec, self._labels = spec, {} if labels is None else dict(labels)

    def collect(self) -> Iterator[Metric]:
        """The metrics, as they are now."""
        counted = CountedTraffic((*self._labels.values(),), by_segment(self._spec.stats), self._spec.drifts.counts)
        yield from metrics((*self._labels,), [counted])


def metrics(labels: tuple[str, ...], sources: Sequence[CountedTraffic]) -> Iterator[Metric]:
    """All metrics of the traffic that `sources` counted. labels: names of the labels that tell the sources apart."""
    names = [*labels, "segment"]
    for figure in FIGURES:
        name = f"{figure.name}_seconds" if figure.unit == "s" else figure.name
        own = [*names, figure.label] if figure.label else names
        counted = CounterMetricFamily(f"ngramspec:{name}", f"{figure.meaning}.", labels=own)
        for source in sources:
            for segment, counters in source.segments.items():
                for value, number in figure.of(counters).items():
                    counted.add_metric([*source.labels, segment, *([value] if figure.label else [])], number)
        yield counted
    accepted = HistogramMetricFamily(
        "ngramspec:accepted_tokens_per_draft", "Draft tokens accepted, of each draft.", labels=names
    )
    for source in sources:
        for segment, counters in source.segments.items():
            accepted.add_metric([*source.labels, segment], _buckets(counters), counters.num_accepted_tokens)
    yield accepted
    drifts = CounterMetricFamily(
        "ngramspec:drifts", "Times that the accepted share left its band.", labels=[*names, "direction"]
    )
    for source in sources:
        for segment in {**source.segments, **source.drifts}:
            found = source.drifts.get(segment, DriftCounts())
            drifts.add_metric([*source.labels, segment, "fell"], found.fell)
            drifts.add_metric([*source.labels, segment, "rose"], found.rose)
    yield drifts


def _buckets(counters: Counters) -> list[tuple[str, float]]:
    """Cumulative buckets: drafts of which at most this many tokens were accepted."""
    bounded = [(f"{most:.1f}", counters.num_drafts - num_accepted_beyond(counters, most)) for most in POSITIONS]
    return [*bounded, ("+Inf", counters.num_drafts)]
