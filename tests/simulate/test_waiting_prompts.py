"""Prompts do not wait longer because other rows draft: how much of them is read depends on tokens, not on passes."""

import numpy as np
import pytest

from ngramspec.decoding import FITS
from ngramspec.drafting import AdaptiveLookup
from ngramspec.replay import Trace
from ngramspec.simulate import OFF, Arm, ClosedLoop, Figures, Machine, Service

NUMBER = 192
H100 = Machine(FITS["h100-8b"].passes, FITS["h100-8b"].host)


def traffic(least: int, most: int) -> list[Trace]:
    """Prompts of so many tokens; answers that copy a few, write one of their own, and copy from elsewhere."""
    drawn, made = np.random.default_rng(0), []
    for _ in range(NUMBER):
        prompt = drawn.integers(5, 30_000, int(drawn.integers(least, most))).astype(np.int32)
        starts = drawn.integers(0, prompt.size - 8, int(drawn.integers(least // 40, most // 35)))
        pieces = [
            [*prompt[start : start + int(drawn.integers(1, 5))].tolist(), int(drawn.integers(5, 30_000))]
            for start in starts.tolist()
        ]
        made.append(Trace(prompt, np.array([token for piece in pieces for token in piece], np.int32)))
    return made


@pytest.mark.parametrize("sizes", [(400, 1400), (100, 250)], ids=["long prompts", "short prompts"])
def test_drafts_make_requests_quicker_also_where_prompts_set_the_pace(sizes: tuple[int, int]) -> None:
    on, off = (Service(H100, arm).run(traffic(*sizes), ClosedLoop(NUMBER, 64)) for arm in (Arm(AdaptiveLookup), OFF))
    with_drafts, plain = (Figures.of(run.served, run.seconds) for run in (on, off))
    assert plain.mean_latency_s / with_drafts.mean_latency_s >= 1.05
    assert plain.first_token_s.p95 / with_drafts.first_token_s.p95 >= 1.0
    assert off.seconds / on.seconds >= 1.05
