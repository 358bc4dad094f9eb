"""Where prompts wait for each other, drafts make no request slower: a token saves less there."""

from collections.abc import Callable

import numpy as np
import pytest

from ngramspec.decoding import FITS
from ngramspec.drafting import AdaptiveLookup
from ngramspec.replay import Trace
from ngramspec.simulate import OFF, Arm, Arrivals, ClosedLoop, Figures, Machine, OpenLoop, Run, Service, poisson

NUMBER = 256
H100 = Machine(FITS["h100-8b"].passes, FITS["h100-8b"].host)


def traffic() -> list[Trace]:
    """Prompts of several parts; answers that copy a few tokens, write one of their own, and copy from elsewhere."""
    drawn, made = np.random.default_rng(0), []
    for _ in range(NUMBER):
        prompt = drawn.integers(5, 30_000, int(drawn.integers(400, 1400))).astype(np.int32)
        starts = drawn.integers(0, prompt.size - 8, int(drawn.integers(10, 40)))
        pieces = [
            [*prompt[start : start + int(drawn.integers(1, 5))].tolist(), int(drawn.integers(5, 30_000))]
            for start in starts.tolist()
        ]
        made.append(Trace(prompt, np.array([token for piece in pieces for token in piece], np.int32)))
    return made


def clients(number: int) -> Callable[[], Arrivals]:
    return lambda: ClosedLoop(NUMBER, number)


def each_second(rate: float) -> Callable[[], Arrivals]:
    return lambda: OpenLoop(poisson(NUMBER, rate))


def mean_latency(run: Run) -> float:
    return Figures.of(run.served, run.seconds).mean_latency_s


@pytest.mark.parametrize(
    ("load", "least"),
    [(clients(16), 1.1), (clients(64), 0.99), (each_second(8), 1.4), (each_second(16), 0.99)],
    ids=["16 clients", "64 clients", "8 a second", "16 a second"],
)
def test_drafts_slow_no_load_down_whatever_sets_its_pace(load: Callable[[], Arrivals], least: float) -> None:
    on, off = (Service(H100, arm).run(traffic(), load()) for arm in (Arm(AdaptiveLookup), OFF))
    assert mean_latency(off) / mean_latency(on) >= least
    assert off.seconds / on.seconds >= 0.99
