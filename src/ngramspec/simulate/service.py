"""The engine as a service of recorded requests: they arrive, wait, are decoded, and are counted."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ngramspec.decoding import AdaptiveBudget, Budget, Engine, FixedBudget, HostPrices, MeasuredCosts
from ngramspec.decoding.steering import RowSteering
from ngramspec.drafting import Drafter, NoDrafts
from ngramspec.replay import Trace
from ngramspec.simulate.clock import VirtualClock
from ngramspec.simulate.drafting import PricedDrafter, PricedSession, Reliability
from ngramspec.simulate.load import Arrival, Arrivals
from ngramspec.simulate.machine import Machine
from ngramspec.simulate.target import RecordedRow, RecordedTarget
from ngramspec.stats import Counters


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to decode all requests. drafter, budget: make new ones. host: prices of drafting; None: the machine's.

    settings: the settings that select it, in words.
    is_given_output: whether the drafter gets the output of a row as its reference, as a hypothetical model does.
    takes_trees: whether drafts may be trees.
    """

    drafter: Callable[[], Drafter]
    budget: Callable[[], Budget] = AdaptiveBudget
    host: HostPrices | None = None
    settings: str = "the defaults, with the segment named"
    is_given_output: bool = False
    takes_trees: bool = False


OFF = Arm(NoDrafts, lambda: FixedBudget(0), HostPrices())
"""Plain decoding."""


@dataclass(slots=True)
class Served:
    """One request. arrival, joined, first, end: when it arrived, joined the engine, had its first token, and ended."""

    segment: str | None
    arrival: float
    joined: float
    first: float = 0.0
    end: float = 0.0
    host_seconds: float = 0.0
    counters: Counters = field(default_factory=lambda: Counters(requests=1))

    @property
    def latency(self) -> float:
        """Seconds from arrival to end."""
        return self.end - self.arrival

    @property
    def seconds_to_first(self) -> float:
        """Seconds from arrival to the first token."""
        return self.first - self.arrival

    @property
    def seconds_per_token(self) -> float | None:
        """Seconds for each token after the first; None if there is none."""
        more = self.counters.tokens - 1
        return (self.end - self.first) / more if more > 0 else None


@dataclass(frozen=True, slots=True)
class Run:
    """All requests of one arm, in the order of the traces. seconds: from the first arrival to the last end."""

    served: Sequence[Served]
    reliability: Reliability
    seconds: float
    num_passes: int


class Service:
    """The decode engine on a simulated machine."""

    def __init__(self, machine: Machine, arm: Arm) -> None:
        """Begin with an empty history, and with what the machine's table has measured."""
        self._machine, self._clock, self._is_given_output = machine, VirtualClock(), arm.is_given_output
        self._drafter = PricedDrafter(arm.drafter(), machine.host if arm.host is None else arm.host, self._clock)
        self._target = RecordedTarget(machine, self._clock, takes_trees=arm.takes_trees)
        table = machine.table
        costs = MeasuredCosts(counts_fill=machine.passes.pads) if table is None else MeasuredCosts.of_state(table)
        self._engine = Engine(arm.budget(), costs, self._clock, max_prompt_tokens=machine.max_prompt_tokens)

    def run(self, traces: Sequence[Trace], arrivals: Arrivals, progress: Callable[[], None] = lambda: None) -> Run:
        """Decode all of `traces`, each with at least one token of output; progress: called as each one ends."""
        clock, engine = self._clock, self._engine
        served: dict[int, Served] = {}
        rows: dict[RecordedRow, Served] = {}
        starting: deque[RecordedRow] = deque()
        begin = arrivals.next_time()
        while True:
            while len(rows) < self._machine.max_rows and arrivals.next_time() <= clock.now:
                arrival = arrivals.take()
                clock.advance(self._machine.host.of_request)
                row = self._opened(traces[arrival.request])
                rows[row] = served[arrival.request] = self._joined(traces[arrival.request], arrival, row)
                starting.append(row)
                engine.add([row], self._target, self._target)
            if not rows:
                if len(served) == len(traces):
                    break
                clock.wait_until(arrivals.next_time())
                continue
            done = engine.step()
            while starting and starting[0].emitted:  # prompts are read in the order in which rows joined
                rows[starting.popleft()].first = clock.now
            for ended in done:
                assert isinstance(ended, RecordedRow)
                self._end(rows.pop(ended), ended)
                arrivals.ended(clock.now)
                progress()
        self._drafter.reliability.settle()
        in_order = [served[request] for request in range(len(traces))]
        return Run(in_order, self._drafter.reliability, clock.now - begin if traces else 0.0, self._target.num_passes)

    def _opened(self, trace: Trace) -> RecordedRow:
        session = self._drafter.open(trace.segment, [trace.output] if self._is_given_output else ())
        self._drafter.read(session, trace.prompt)
        # A model reads at least one token before it writes one.
        row = RecordedRow(session, trace.prompt.tolist() or [0], trace.output.size, output=trace.output.tolist())
        if trace.output_top is not None:
            row.said = trace.output_top.likely
        if trace.guard is not None:
            matcher = trace.guard.matcher()
            row.guarded_by = (matcher,)
            if session.is_steerable:  # plain decoding and other projects' drafters use the masks alone
                row.steering = RowSteering([matcher], [trace.prompt])
        return row

    def _joined(self, trace: Trace, arrival: Arrival, row: RecordedRow) -> Served:
        served = Served(trace.segment, arrival.time, self._clock.now)
        row.counters = served.counters
        return served

    def _end(self, served: Served, row: RecordedRow) -> None:
        assert isinstance(row.session, PricedSession)
        served.end, served.host_seconds = self._clock.now, row.session.seconds
