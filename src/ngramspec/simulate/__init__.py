"""Recorded requests at any load on a machine of known prices: what users would experience, with drafts and without.

This is the decode engine with recorded texts as its target, and a virtual clock that everything reads. So what is
simulated is what is served: rows that join and leave, the drafter and its history, the budget and its measurements.
"""

from ngramspec.simulate.clock import VirtualClock
from ngramspec.simulate.drafting import PricedDrafter, Reliability
from ngramspec.simulate.figures import Figures, Quantiles
from ngramspec.simulate.formulas import Formula, break_even_rows, expected_tokens
from ngramspec.simulate.gain import Gain, gone_at
from ngramspec.simulate.load import Arrivals, ClosedLoop, OpenLoop, poisson
from ngramspec.simulate.machine import Machine
from ngramspec.simulate.service import OFF, Arm, Run, Served, Service
from ngramspec.simulate.simulation import (
    CONCURRENT,
    IN_A_BATCH,
    PER_SECOND,
    Load,
    LoadResult,
    Pair,
    Simulation,
    by_segment,
    closed_loops,
    judged,
    shuffled,
    simulate,
)
from ngramspec.simulate.target import RecordedRow, RecordedTarget
from ngramspec.simulate.verdict import Advice, Verdict

__all__ = [
    "CONCURRENT",
    "IN_A_BATCH",
    "OFF",
    "PER_SECOND",
    "Advice",
    "Arm",
    "Arrivals",
    "ClosedLoop",
    "Figures",
    "Formula",
    "Gain",
    "Load",
    "LoadResult",
    "Machine",
    "OpenLoop",
    "Pair",
    "PricedDrafter",
    "Quantiles",
    "RecordedRow",
    "RecordedTarget",
    "Reliability",
    "Run",
    "Served",
    "Service",
    "Simulation",
    "Verdict",
    "VirtualClock",
    "break_even_rows",
    "by_segment",
    "closed_loops",
    "expected_tokens",
    "gone_at",
    "judged",
    "poisson",
    "shuffled",
    "simulate",
]
