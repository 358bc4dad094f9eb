"""What a Speculator does, for those who run it: metrics of its traffic by segment, and word of traffic that changes.

`SpeculatorCollector` is for Prometheus, `observe` for OpenTelemetry. Both read what is counted anyway
(`Speculator.stats`) when somebody asks for it. `Drifts` watches the segments of each Speculator (`Speculator.drifts`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ngramspec.watching.drift import Direction, Drift, DriftCounts, Drifts

if TYPE_CHECKING:
    from ngramspec.watching.opentelemetry import observe
    from ngramspec.watching.prometheus import SpeculatorCollector

__all__ = ["Direction", "Drift", "DriftCounts", "Drifts", "SpeculatorCollector", "observe"]

_HOMES = {"SpeculatorCollector": "ngramspec.watching.prometheus", "observe": "ngramspec.watching.opentelemetry"}


def __getattr__(name: str) -> Any:
    """Import what needs a package of its own when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
