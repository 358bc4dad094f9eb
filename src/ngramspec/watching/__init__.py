"""What a Speculator does, for those who run it: metrics of its traffic by segment, and word of traffic that changes.

`SpeculatorCollector` is for Prometheus, `observe` for OpenTelemetry. Both read what is counted anyway
(`Speculator.stats`) when somebody asks for it. `Drifts` watches the segments of each Speculator (`Speculator.drifts`).
"""

from typing import TYPE_CHECKING

from ngramspec.lazily import lazily
from ngramspec.watching.drift import Direction, Drift, DriftCounts, Drifts

if TYPE_CHECKING:
    from ngramspec.watching.opentelemetry import observe
    from ngramspec.watching.prometheus import SpeculatorCollector

__all__ = ["Direction", "Drift", "DriftCounts", "Drifts", "SpeculatorCollector", "observe"]

_HOMES = {"SpeculatorCollector": "ngramspec.watching.prometheus", "observe": "ngramspec.watching.opentelemetry"}

# These need a package of their own each.
__getattr__, __dir__ = lazily(__name__, _HOMES)
