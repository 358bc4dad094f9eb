"""Metrics of a Speculator for Prometheus, by segment; read at each scrape."""

from collections.abc import Iterator, Mapping

try:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("SpeculatorCollector needs prometheus_client: pip install prometheus-client") from error

from ngramspec.stats import Counters
from ngramspec.watching.figures import FIGURES, POSITIONS, Watched, by_segment, num_accepted_beyond


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
        segments = by_segment(self._spec.stats)
        names, own = [*self._labels, "segment"], [*self._labels.values()]
        for figure in FIGURES:
            name = f"{figure.name}_seconds" if figure.unit == "s" else figure.name
            labels = [*names, figure.label] if figure.label else names
            counted = CounterMetricFamily(f"ngramspec:{name}", f"{figure.meaning}.", labels=labels)
            for segment, counters in segments.items():
                for value, number in figure.of(counters).items():
                    counted.add_metric([*own, segment, *([value] if figure.label else [])], number)
            yield counted
        accepted = HistogramMetricFamily(
            "ngramspec:accepted_tokens_per_draft", "Draft tokens accepted, of each draft.", labels=names
        )
        for segment, counters in segments.items():
            accepted.add_metric([*own, segment], _buckets(counters), counters.num_accepted_tokens)
        yield accepted
        drifts = CounterMetricFamily(
            "ngramspec:drifts", "Times that the accepted share left its band.", labels=[*names, "direction"]
        )
        found = self._spec.drifts.counts
        for segment in {**segments, **found}:
            drifts.add_metric([*own, segment, "fell"], found[segment].fell if segment in found else 0)
            drifts.add_metric([*own, segment, "rose"], found[segment].rose if segment in found else 0)
        yield drifts


def _buckets(counters: Counters) -> list[tuple[str, float]]:
    """Cumulative buckets: drafts of which at most this many tokens were accepted."""
    bounded = [(f"{most:.1f}", counters.num_drafts - num_accepted_beyond(counters, most)) for most in POSITIONS]
    return [*bounded, ("+Inf", counters.num_drafts)]
