"""After any wrong times of a clock, speculation recovers if it pays, and trials cost little if it does not."""

import math
from collections.abc import Sequence as Rows

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.simulation import MACHINES, Machine
from ngramspec.decoding import AdaptiveBudget, MeasuredCosts, Plan, Reading, Row, Shape, Target, step
from ngramspec.drafting import Draft, TokenArray
from tests.decoding.scripted import Scripted

GPU = Machine("GPU", {1: 7.1}, {1: {1: 1, 97: 1.2}})
DEAR = Machine("dear", {1: 30}, {1: {1: 1, 97: 97}})
CLIFF = Machine("cliff", {1: 30}, {1: {1: 1, 2: 2.4, 8: 2.5, 97: 4}})
"""Two columns never pay, eight do: another kernel is taken for them."""

WITHIN = 4_000
"""Passes after which speculation is back, whatever was measured in a stretch of LONGEST passes."""

LONGEST = 200

PROBABILITY = 0.97
DRAFTING = 1e-5


class Service(Target):
    """One row that goes on and on, on a machine with true prices; each of its tokens is foreseen with PROBABILITY."""

    def __init__(self, machine: Machine, costs: MeasuredCosts | None = None, seed: int = 0) -> None:
        self.machine = machine
        self.budget, self.costs = AdaptiveBudget(), costs or MeasuredCosts()
        self.row = Row(self, [0], remaining=10**9)
        self.seconds = self.tokens = 0.0
        self.widths: list[int] = []
        self.drafting_delay = self.delay = 0.0
        self._now = 0.0
        self._random = np.random.default_rng(seed)

    def run(self, passes: int) -> "Service":
        for _ in range(passes):
            step(self, [self.row], self.budget, self.costs, lambda: self._now)
        return self

    def disturbed(self, delays: list[tuple[float, float]], passes: int) -> "Service":
        """Passes whose drafting and checking take so much longer, in turn; what is not finite is said once."""
        for number in range(passes):
            self.drafting_delay, self.delay = delays[number % len(delays)]
            self.run(1)
            self._now = self._now if math.isfinite(self._now) else 0.0
        self.drafting_delay = self.delay = 0.0
        return self

    # A session.
    def extend(self, tokens: TokenArray) -> None: ...

    def propose(self, max_tokens: int, min_survival: float = 0.0) -> Draft:
        survival = np.cumprod(np.full(max_tokens, PROBABILITY))
        length = int((survival >= min_survival).sum())
        self._now += DRAFTING * length + self.drafting_delay
        return Draft(np.ones(length, np.int32), survival=survival[:length], is_unsure=length < max_tokens)

    def observe(self, draft: Draft, num_accepted: int) -> None: ...

    def close(self) -> None: ...

    # A target.
    def shape(self, rows: Rows[Row]) -> Shape:
        return Shape(1, 1, 1, 1000)

    def read(self, plans: Rows[Plan]) -> Reading:
        size = plans[0].draft.tokens.size
        seconds = self.machine.seconds(1, 1 + size)
        misses = np.flatnonzero(self._random.random(size) > PROBABILITY)
        accepted = int(misses[0]) if misses.size else size
        self.seconds, self.tokens = self.seconds + seconds, self.tokens + accepted + 1
        self.widths.append(1 + size)
        self._now += seconds + self.delay
        chosen = [1] * accepted + [0]
        choices = Scripted(self.row, plans[0].draft.tokens.tolist(), [*chosen, -1])  # more would follow: it goes on
        return Reading(Shape(1, 1 + size, 1 + size, 1000), [choices])


def speed(service: Service, passes: int) -> float:
    """Tokens per second of the next passes."""
    seconds, tokens = service.seconds, service.tokens
    service.run(passes)
    return (service.tokens - tokens) / (service.seconds - seconds)


DELAYS = st.one_of(
    st.just(0.0),
    st.floats(0.0, 5.0),
    st.sampled_from([3600.0, 1e-4, 0.5, -1.0, -1e9, math.nan, math.inf, -math.inf]),
)
STRETCHES = st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=12)


UNDISTURBED = {machine.name: speed(Service(machine).run(300), 200) for machine in (*MACHINES, GPU, CLIFF)}


def passes_until_back(service: Service) -> int:
    """Passes after which a hundred in a row are nearly as fast as undisturbed ones; a number beyond WITHIN if never."""
    for passes in range(100, WITHIN + 1, 100):
        if speed(service, 100) >= 0.75 * UNDISTURBED[service.machine.name]:
            return passes
    return WITHIN + 1


@pytest.mark.parametrize("machine", [*MACHINES, GPU, CLIFF], ids=lambda machine: machine.name)
@given(warm=st.sampled_from([0, 5, 40, 400]), delays=STRETCHES, passes=st.integers(1, LONGEST))
@example(warm=5, delays=[(0.0, 0.5)], passes=LONGEST)
@example(warm=5, delays=[(0.0, 0.5)], passes=1)
@example(warm=5, delays=[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], passes=27)
@example(warm=5, delays=[(3600.0, 0.0)], passes=LONGEST)
@example(warm=0, delays=[(0.0, 3600.0)], passes=LONGEST)
@example(warm=5, delays=[(0.0, 1.0), (0.0, 0.0)], passes=LONGEST)
@example(warm=0, delays=[(1.0, 0.0)], passes=17)
@example(
    warm=0,
    delays=[
        (3600, 0),
        (0, 0),
        (0, 0),
        (0, 3600),
        (0, 3600),
        (0, 0.5),
        (0, 0.75),
        (0, 1),
        (3, 0),
    ],  # no draft seems to pay
    passes=18,
)
@example(warm=5, delays=[(0, 0), (0, 4), (0, 1), (0, 0), (0, 0), (0, 0)], passes=15)  # cheap trials before a dear one
@example(warm=5, delays=[(0.0, 3600.0)], passes=20)  # on the GPU 32 columns seem to cost four passes, 25 do not tell
@settings(max_examples=8)
def test_after_any_disturbance_speculation_returns(
    machine: Machine, warm: int, delays: list[tuple[float, float]], passes: int
) -> None:
    service = Service(machine).run(warm).disturbed(delays, passes)
    assert passes_until_back(service) <= WITHIN


@given(warm=st.sampled_from([0, 40]), delays=STRETCHES, passes=st.integers(1, LONGEST))
@example(warm=40, delays=[(0.0, 3600.0)], passes=LONGEST)
@settings(max_examples=4)
def test_after_any_disturbance_trials_cost_little_where_drafts_never_pay(
    warm: int, delays: list[tuple[float, float]], passes: int
) -> None:
    service = Service(DEAR).run(warm).disturbed(delays, passes).run(WITHIN)
    plain = 1 / DEAR.seconds(1, 1)
    assert speed(service, 1000) >= 0.97 * plain


def test_saved_prices_that_are_wrong_are_measured_again() -> None:
    wrong = Service(DEAR).run(200).costs.state()
    service = Service(GPU, MeasuredCosts.of_state(wrong))
    assert passes_until_back(service) <= WITHIN
