"""Time steps of state spaces as for single tokens, in passes over several tokens.

Nemotron-H and Zamba2 clamp the time steps of a pass over several tokens from below, as in training, but not those of a
single token. So a draft is read without the clamp, like single tokens in plain decoding; the prompt is read with it, as
there.

A module reads its limit from an attribute, and all threads share a model. So the attribute of these classes becomes a
property, which returns the module's own limit except inside `unclamped()`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ngramspec.hf.facts.strangers import parts_of
from ngramspec.hf.types import Model

NAME = "time_step_limit"
NO_LIMIT = (0.0, float("inf"))
"""The limit that does not change time steps."""

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
    """Make `unclamped` apply to the modules of `model` that have a limit."""
    for part in parts_of(model):
        limit = vars(part).get(NAME)
        if limit is not None and tuple(limit) != NO_LIMIT and not isinstance(vars(type(part)).get(NAME), property):
            setattr(type(part), NAME, property(_limit, _set_limit))


def _limit(module: Any) -> Any:
    return NO_LIMIT if _is_unclamped.get() else vars(module)[NAME]


def _set_limit(module: Any, limit: Any) -> None:
    vars(module)[NAME] = limit
