"""All arms at all batch sizes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ngramspec.bench.arms import OURS, arms_of, lookup_refusal
from ngramspec.bench.results import measured
from ngramspec.bench.turns import WARM_UP_TOKENS, Answer, Request, call_of, num_calls, take_turns, warm_up
from ngramspec.decoding import Clock
from ngramspec.hf import Speculator
from ngramspec.simulate import Simulation


@dataclass(frozen=True, slots=True)
class Benched:
    """What `bench` found. refusal: why transformers' prompt lookup does not decode this model; None if it does."""

    found: Simulation
    refusal: str | None

    @property
    def num_changed(self) -> int:
        """Number of texts, over all batch sizes, that drafts changed."""
        return sum(each.total.off.requests - each.total.identical[OURS] for each in self.found.results)


def bench(
    model: Any,
    requests: Sequence[Request],
    sizes: Sequence[int],
    *,
    max_new_tokens: int,
    pad_token: int | None,
    costs: Path | None = None,
    clock: Clock = time.perf_counter,
    progress: Callable[[int], None] = lambda total: None,
) -> Benched:
    """Decode `requests` in batches of each of `sizes`, in rising order, greedily, by all arms in turns.

    model: in evaluation mode. max_new_tokens: of each answer. pad_token: for shorter prompts and answers of a batch.
    costs: prices to begin with (`Speculator.load_costs`). clock: times the calls, in seconds. progress: called after
    each call with the number of all calls.

    Drafts begin with an empty history at each size, so that no size can copy what an earlier one decoded.
    Raises ValueError without requests, and for a size below 1 or above the number of requests.
    """
    wrong = next((size for size in sizes if not 1 <= size <= len(requests)), None)
    if not requests or not sizes or wrong is not None:
        raise ValueError(
            f"batch sizes must lie between 1 and the number of prompts, {len(requests)}, got {list(sizes)}: leave the"
            " larger ones out"
        )
    refusal = lookup_refusal(model, call_of(model, requests[:1], WARM_UP_TOKENS, pad_token), pad_token=pad_token)
    found: dict[int, dict[str, list[Answer]]] = {}
    for size in sorted(set(sizes)):
        spec = Speculator()
        if costs is not None:
            spec.load_costs(costs)
        arms = arms_of(model, spec, pad_token=pad_token, with_lookup=refusal is None)
        total = num_calls(len(requests), sorted(set(sizes)), arms)
        warm_up(model, arms, requests, size, pad_token)
        found[size] = take_turns(
            model,
            arms,
            requests,
            size,
            max_new_tokens=max_new_tokens,
            pad_token=pad_token,
            clock=clock,
            progress=lambda total=total: progress(total),  # type: ignore[misc]
        )
    return Benched(measured(requests, found), refusal)
