"""Selective scans that continue from a state, in passes over several tokens.

Mamba, Falcon-Mamba, Jamba and Zamba read a block with a scan that starts from an empty state, because its kernel takes
no other. Within `from_states` such a scan is a sequence of single steps, by the models' own function for single tokens.
It starts from the state that its layer has just requested from the cache, and gives the results of single tokens.

A layer looks up the scan in its own module, which all threads share. So that name is rebound to a function that only
behaves differently inside `from_states`.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.facts.strangers import parts_of
from ngramspec.hf.target.state_cache import StateCache
from ngramspec.hf.types import Model

SCAN, STEP = "mamba_selective_scan", "mamba_selective_state_update"
"""Names in models' modules: of the function that reads a block, and of the one that reads a token."""

_read_with: ContextVar[StateCache | None] = ContextVar("read_with", default=None)


@contextmanager
def from_states(cache: StateCache) -> Iterator[None]:
    """Within the block, and in this thread only, the scans of prepared models start from the states of `cache`."""
    token = _read_with.set(cache)
    try:
        yield
    finally:
        _read_with.reset(token)


def prepare(model: Model) -> None:
    """Let `from_states` reach the scans of `model`."""
    for name in {type(part).__module__ for part in parts_of(model)}:
        module = sys.modules[name]
        scan, step = vars(module).get(SCAN), vars(module).get(STEP)
        if scan is not None and step is not None and not hasattr(scan, "starts_anywhere"):
            setattr(module, SCAN, _starting_anywhere(scan, step))


def _starting_anywhere(scan: Callable[..., Any], step: Callable[..., Tensor]) -> Callable[..., Any]:
    @functools.wraps(scan)
    def scan_on(
        tokens: Tensor, time_steps: Tensor, decay: Tensor, keys: Tensor, queries: Tensor, **settings: Any
    ) -> Any:
        """As `scan`. tokens, time_steps, settings' z: `[R, D, Q]`; keys, queries: `[R, N, Q]`; states: `[R, D, N]`."""
        cache = _read_with.get()
        state = None if cache is None else cache.next_state()
        if state is None:
            return scan(tokens, time_steps, decay, keys, queries, **settings)
        gates, bias, softplus = settings["z"], settings["delta_bias"], settings["delta_softplus"]
        read = [
            step(
                state,
                tokens[..., column],
                time_steps[..., column],
                decay,
                keys[..., column],
                queries[..., column],
                settings["D"],
                z=gates[..., column],
                dt_bias=bias,
                dt_softplus=softplus,
            )
            for column in range(tokens.shape[-1])
        ]
        return torch.stack(read, dim=-1), state

    scan_on.starts_anywhere = True  # type: ignore[attr-defined]
    return scan_on
