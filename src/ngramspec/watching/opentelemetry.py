"""Metrics of a Speculator for OpenTelemetry, by segment: observable counters, read when they are exported."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

try:
    from opentelemetry import metrics
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
except ImportError as error:
    raise ImportError("observe() needs OpenTelemetry's API: pip install opentelemetry-api") from error

from ngramspec.stats import Stats
from ngramspec.watching.drift import Drifts
from ngramspec.watching.figures import FIGURES, POSITIONS, Figure, Watched, by_segment, num_accepted_beyond

NAME = "ngramspec"
"""Name of the meter, and prefix of each instrument and attribute."""


def observe(spec: Watched, meter_provider: MeterProvider | None = None) -> None:
    """Export the metrics of `spec` with those of the program, from now on. Without a configured SDK this does nothing.

    All instruments and attributes are `ngramspec.…`; requests without a segment have no attribute `ngramspec.segment`.
    The counters stay in memory as long as the program runs, but not the Speculator with its histories.
    meter_provider: by default the global one.
    """
    meter = metrics.get_meter(NAME) if meter_provider is None else meter_provider.get_meter(NAME)

    def create(name: str, unit: str, meaning: str, read: Callable[[], Iterator[Observation]]) -> None:
        def observed(options: CallbackOptions) -> Iterable[Observation]:
            return read()

        meter.create_observable_counter(f"{NAME}.{name}", [observed], unit=unit, description=f"{meaning}.")

    stats, drifts = spec.stats, spec.drifts
    for figure in FIGURES:
        unit = figure.unit if figure.unit == "s" else f"{{{figure.unit}}}"
        create(figure.name, unit, figure.meaning, partial(_counted, figure, stats))
    accepted = "Drafts whose token at this position was accepted"
    create("accepted_tokens_per_pos", "{draft}", accepted, partial(_positions, stats))
    create("drifts", "{drift}", "Times that the accepted share left its band", partial(_drifts, drifts))


def _counted(figure: Figure, stats: Stats) -> Iterator[Observation]:
    for segment, counters in by_segment(stats).items():
        for value, number in figure.of(counters).items():
            yield Observation(number, _attributes(segment, figure.label, value))


def _positions(stats: Stats) -> Iterator[Observation]:
    for segment, counters in by_segment(stats).items():
        for position in POSITIONS:
            yield Observation(num_accepted_beyond(counters, position), _attributes(segment, "position", position))


def _drifts(drifts: Drifts) -> Iterator[Observation]:
    for segment, counts in drifts.counts.items():
        yield Observation(counts.fell, _attributes(segment, "direction", "fell"))
        yield Observation(counts.rose, _attributes(segment, "direction", "rose"))


def _attributes(segment: str, label: str, value: str | int) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {f"{NAME}.segment": segment} if segment else {}
    return attributes | ({f"{NAME}.{label}": value} if label else {})
