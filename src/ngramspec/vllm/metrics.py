"""Our counters by segment on vLLM's /metrics, beside vLLM's own: a plug-in that vLLM finds by its entry point.

If several API servers share an engine, vLLM serves only the servers' own counters, and so none of these.
"""

import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vllm
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from vllm.v1.metrics.loggers import StatLoggerBase

from ngramspec.errors import NgramspecError
from ngramspec.vllm.counts import EngineCounts, counts_file, published
from ngramspec.vllm.tested_releases import is_tested
from ngramspec.watching.prometheus import CountedTraffic, metrics

LABELS = ("model_name", "engine")


class StatLogger(StatLoggerBase):
    """A statistics logger of vLLM. It only registers engines: their counters are read at each scrape.

    vLLM makes one wherever ngramspec is installed, whoever drafts. On an untried release it does nothing.
    """

    def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
        if not is_tested(vllm.__version__):
            return
        file = counts_file(vllm_config.instance_id, engine_index)
        _engines.add(str(vllm_config.model_config.served_model_name), str(engine_index), file)

    def record(self, *arguments: Any, **named: Any) -> None:
        """Nothing: see `Engines`."""

    def log_engine_initialized(self) -> None:
        """Nothing."""


class Engines(Collector):
    """The engines that this process serves, by name of the model and index."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], Path] = {}

    def add(self, model: str, index: str, file: Path) -> None:
        """Show the counters of `file`, once there are any; it is removed at exit, because vLLM kills its engines."""
        if not self._files:
            REGISTRY.register(self)
        self._files[model, index] = file
        atexit.register(file.unlink, missing_ok=True)

    def collect(self) -> Iterator[Metric]:
        """The counters of all engines, with the names of `ngramspec serve`, and their errors."""
        found = {labels: _read(file) for labels, file in self._files.items()}
        counted = [CountedTraffic(labels, counts.segments, counts.drifts) for labels, counts in found.items()]
        yield from metrics(LABELS, counted)
        errors = CounterMetricFamily("ngramspec:drafting_errors", "Errors while drafting.", labels=LABELS)
        for labels, counts in found.items():
            errors.add_metric(labels, counts.num_errors)
        yield errors


_engines = Engines()


def _read(file: Path) -> EngineCounts:
    """The counts of an engine; none before its first request, or if its file cannot be read."""
    try:
        return published(file)
    except (OSError, NgramspecError, ValueError):
        return EngineCounts({}, {}, 0)
