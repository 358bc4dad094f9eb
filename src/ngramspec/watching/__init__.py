"""Monitoring of a Speculator: metrics of its traffic by segment, and alerts when that traffic changes.

`SpeculatorCollector` is for Prometheus, `observe` for OpenTelemetry. Both read existing counters (`Speculator.stats`)
when metrics are collected. `Drifts` watches the segments of each Speculator (`Speculator.drifts`).
"""

from typing import TYPE_CHECKING

from ngramspec.lazily import lazily
from ngramspec.watching.drift import Direction, Drift, DriftCounts, Drifts

if TYPE_CHECKING:
    from ngramspec.watching.opentelemetry import observe
    from ngramspec.watching.prometheus import SpeculatorCollector

__all__ = ["Direction", "Drift", "DriftCounts", "Drifts", "SpeculatorCollector", "observe"]

_HOMES = {"SpeculatorCollector": "ngramspec.watching.prometheus", "observe": "ngramspec.watching.opentelemetry"}

# Each of these needs an optional package.
__getattr__, __dir__ = lazily(__name__, _HOMES)
