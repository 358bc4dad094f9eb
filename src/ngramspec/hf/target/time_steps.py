"""Time steps of state spaces as single tokens take them, in passes over several tokens.

Nemotron-H and Zamba2 clamp the time steps of a pass over several tokens from below, as they were trained, and those of
a single token not at all. So a draft is read without the clamp, as plain decoding reads its tokens one by one; the
prompt is read with it, as there.

A module reads its limit from itself, and all threads share a model. So the attribute of these classes becomes a
property, which gives what the module was given except inside `unclamped()`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ngramspec.hf.facts.strangers import parts_of
from ngramspec.hf.types import Model

NAME = "time_step_limit"
NO_LIMIT = (0.0, float("inf"))
"""The limit that leaves time steps as they are."""

_is_unclamped: ContextVar[bool] = ContextVar("is_unclamped", default=False)


@contextmanager
def unclamped() -> Iterator[None]:
    """Within the block, and in this thread only, the time steps of prepared models have no limit."""
    token = _is_unclamped.set(True)
    try:
        yield
    finally:
        _is_unclamped.reset(token)


def prepare(model: Model) -> None:
    """Let `unclamped` reach the modules of `model` that have a limit."""
    for part in parts_of(model):
        limit = vars(part).get(NAME)
        if limit is not None and tuple(limit) != NO_LIMIT and not isinstance(vars(type(part)).get(NAME), property):
            setattr(type(part), NAME, property(_limit, _set_limit))


def _limit(module: Any) -> Any:
    return NO_LIMIT if _is_unclamped.get() else vars(module)[NAME]


def _set_limit(module: Any, limit: Any) -> None:
    vars(module)[NAME] = limit
