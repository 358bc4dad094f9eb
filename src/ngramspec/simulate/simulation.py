"""All requests at several loads, with drafts and without, and what follows from it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ngramspec.replay import Trace
from ngramspec.simulate.drafting import Reliability
from ngramspec.simulate.figures import Figures
from ngramspec.simulate.formulas import Formula
from ngramspec.simulate.gain import Gain
from ngramspec.simulate.load import Arrivals, ClosedLoop
from ngramspec.simulate.machine import Machine
from ngramspec.simulate.service import OFF, Arm, Run, Served, Service
from ngramspec.simulate.verdict import Verdict, judge
from ngramspec.stats import MAX_SEGMENTS, OTHER


@dataclass(frozen=True, slots=True)
class Load:
    """A number of concurrent requests, or of requests per second; arrivals: makes the requests of a run."""

    size: float
    arrivals: Callable[[], Arrivals]


def closed_loops(num_requests: int, concurrencies: Sequence[int]) -> list[Load]:
    """A closed loop for each number of clients, in rising order."""
    return [Load(clients, partial(ClosedLoop, num_requests, clients)) for clients in sorted(set(concurrencies))]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same requests with drafts and without.

    others: figures of other ways of decoding, by name. identical: by way, the number of requests whose text was
    compared with plain decoding's and is the same.
    """

    on: Figures
    off: Figures
    gain: Gain
    others: Mapping[str, Figures] = field(default_factory=dict)
    identical: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        found = {"on": self.on.as_dict(), "off": self.off.as_dict(), "gain": self.gain.ratio}
        others = {name: each.as_dict() for name, each in self.others.items()}
        return found | others | ({"identical": dict(self.identical)} if self.identical else {})


@dataclass(frozen=True, slots=True)
class LoadResult:
    """At one load: all requests, and those of each named segment. reliability: of the drafts.

    formula: what the field's formula says for all of them. Both are None for requests that were measured.
    """

    load: float
    total: Pair
    segments: dict[str, Pair]
    reliability: Reliability | None = None
    formula: Formula | None = None

    def as_dict(self, key: str) -> dict[str, object]:
        """For JSON; key: the name of the load."""
        found: dict[str, object] = {
            key: self.load,
            "total": self.total.as_dict(),
            "segments": {name: pair.as_dict() for name, pair in self.segments.items()},
        }
        if self.reliability is not None:
            found["reliability"] = self.reliability.as_dicts()
        if self.formula is not None:
            found["formula"] = self.formula.as_dict()
        return found


@dataclass(frozen=True, slots=True)
class Simulation:
    """Results by load, and the verdicts on them. unit: of the loads, in words."""

    unit: str
    results: list[LoadResult]
    total: Verdict
    segments: dict[str, Verdict]

    def as_dict(self) -> dict[str, object]:
        """The object that `ngramspec simulate --json` prints, or `ngramspec bench --json`."""
        key = KEYS[self.unit]
        return {
            "runs": [result.as_dict(key) for result in self.results],
            "total": self.total.as_dict(key),
            "segments": {name: each.as_dict(key) for name, each in self.segments.items()},
        }


CONCURRENT, PER_SECOND, IN_A_BATCH = "concurrent", "per second", "in a batch"
KEYS = {CONCURRENT: "concurrency", PER_SECOND: "rate", IN_A_BATCH: "batch"}
"""Units of loads, in words and as keys of JSON."""


def simulate(
    traces: Sequence[Trace],
    machine: Machine,
    arm: Arm,
    loads: Sequence[Load],
    *,
    unit: str = CONCURRENT,
    progress: Callable[[], None] = lambda: None,
) -> Simulation:
    """Decode `traces` at each of `loads`, in rising order, by `arm` and plainly.

    progress: called whenever a request has ended. Raises ValueError without requests or loads, and for an empty output.
    """
    if not traces or not loads:
        raise ValueError(f"a simulation needs requests and loads, got {len(traces)} and {len(loads)}: give one of each")
    if any(not trace.output.size for trace in traces):
        raise ValueError("a request must have an output of at least one token, got one without: leave it out")
    results = []
    for load in loads:
        on, off = (Service(machine, each).run(traces, load.arrivals(), progress) for each in (arm, OFF))
        results.append(_compared(load.size, on, off, machine))
    return judged(unit, results, arm.settings)


def judged(unit: str, results: list[LoadResult], settings: str, basis: str = "at these prices") -> Simulation:
    """Results at rising loads, and the verdicts on them. settings: see `Arm`. basis: what the figures rest on."""
    sizes = [result.load for result in results]

    def verdict(pairs: list[Pair]) -> Verdict:
        return judge(sizes, [pair.gain for pair in pairs], [pair.on for pair in pairs], unit, settings, basis)

    total = verdict([result.total for result in results])
    segments = {name: verdict([result.segments[name] for result in results]) for name in results[0].segments}
    return Simulation(unit, results, total, segments)


def shuffled(traces: Sequence[Trace], seed: int = 0) -> list[Trace]:
    """The same requests in random order: files have one kind of traffic after another, services get them mixed."""
    return [traces[index] for index in np.random.default_rng(seed).permutation(len(traces))]


def _compared(load: float, on: Run, off: Run, machine: Machine) -> LoadResult:
    names = [each.segment for each in on.served]
    segments = {name: _pair(on, off, indices) for name, indices in by_segment(names).items()}
    everything = _pair(on, off, range(len(on.served)))
    formula = Formula.of(everything.on.counters, on.reliability, machine.passes)
    return LoadResult(load, everything, segments, on.reliability, formula)


def by_segment(names: Sequence[str | None]) -> dict[str, list[int]]:
    """Indices of the requests of each segment, by name; the rarest segments are merged, which bounds their number.

    names: the segment of each request.
    """
    counts = Counter(name for name in names if name is not None)
    known = dict(counts.most_common(MAX_SEGMENTS - 1)) if len(counts) > MAX_SEGMENTS else counts
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if name is not None:
            found.setdefault(name if name in known else OTHER, []).append(index)
    return dict(sorted(found.items()))


def _pair(on: Run, off: Run, indices: Sequence[int]) -> Pair:
    with_drafts, without = ([run.served[index] for index in indices] for run in (on, off))
    gain = Gain.of(_latencies(without), _latencies(with_drafts))
    return Pair(Figures.of(with_drafts, on.seconds), Figures.of(without, off.seconds), gain)


def _latencies(served: Sequence[Served]) -> list[float]:
    return [each.latency for each in served]
