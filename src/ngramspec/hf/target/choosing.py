"""Chooses the target that reads the rows of a call, or of many calls."""

from collections.abc import Sequence as Rows

import torch

from ngramspec.hf.facts.running_state import has_running_state, why_not_in_a_batch
from ngramspec.hf.rows.request import Request
from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.target.aligned import AlignedTarget
from ngramspec.hf.target.pool import LinePool
from ngramspec.hf.target.ragged import RaggedTarget
from ngramspec.hf.target.replaying import ReplayingTarget
from ngramspec.hf.target.state_pool import StatePool
from ngramspec.hf.target.static import StaticTarget
from ngramspec.hf.types import Model


def target_of(
    request: Request, rows: Rows[ModelRow], *, is_ragged: bool
) -> RaggedTarget | AlignedTarget | ReplayingTarget:
    """A target for the `rows` of one request. is_ragged: see `Request.is_ragged`."""
    if has_running_state(request.model):
        return ReplayingTarget.of(request, rows)
    if request.cache.is_static:
        return StaticTarget.of(request, rows)
    return RaggedTarget.of(request, rows) if is_ragged else AlignedTarget(request, rows)


def joins_others(request: Request, *, is_ragged: bool) -> bool:
    """Whether the row of `request` may be read in one pass with those of other requests."""
    return is_ragged or (has_running_state(request.model) and why_not_in_a_batch(request.model) is None)


def pool_of(model: Model, device: torch.device, max_bytes: int) -> LinePool | StatePool:
    """A target for the rows of many requests, which join and leave. max_bytes: of its cache."""
    return (StatePool if has_running_state(model) else LinePool)(model, device, max_bytes)
