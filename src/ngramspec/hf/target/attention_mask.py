"""Masks: which slots each query of a block sees."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ngramspec.hf.facts.layers import ATTENTIONS
from ngramspec.hf.target.block import TreeRow


def attention_mask(slots: Tensor, extent: int, valid: Tensor | None, window: int | None) -> Tensor:
    """Which slots each query sees: boolean `[R, 1, Q, T]`.

    slots: `int64[R, Q]`, the slot of each query; it sees that and those before it.
    extent: T. valid: boolean `[R, T]`, False where the prompt is padded; None if nothing is padded.
    window: with a sliding window, a query sees only that many slots up to its own.

    Whether a query sees a key depends only on their distance. So all lines are parts of one short sequence, and copying
    them takes a tenth of the time of comparing each key with each query.
    """
    distances = torch.arange(1 - extent, extent, device=slots.device)  # slots from a query to a key
    is_near = distances <= 0
    if window is not None:
        is_near &= distances > -window
    seen = is_near.unfold(0, extent, 1)[extent - 1 - slots][:, None]
    if valid is not None:
        seen &= valid[:, None, None, :]
    return seen


def by_layer_type(masks: Mapping[int | None, Tensor]) -> dict[str, Tensor]:
    """The masks, given by sliding window, under the layer type names of configurations."""
    return {name: mask for window, mask in masks.items() for name in ATTENTIONS[window is not None]}


def mask_branches(seen: Tensor, branches: Sequence[TreeRow], window: int | None) -> None:
    """Let each node of the `branches` see, among the slots of its tree, only its own and its ancestors'.

    seen: `[R, 1, Q, T]`, in which each node sees what a chain of its depth would.
    """
    if not branches:
        return
    own = [layout.seen(window) for _, _, layout in branches]
    flat = torch.from_numpy(np.concatenate([each.ravel() for each in own])).to(seen.device)  # in one copy
    for (row, first, _), nodes in zip(branches, flat.split([each.size for each in own]), strict=True):
        size = math.isqrt(len(nodes))
        seen[row, 0, -size:, first : first + size] = nodes.view(size, size)


def additive_mask(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask that eager attention adds to its scores: 0 where `seen` `[R, 1, Q, T]`, else the lowest finite number.

    A boolean mask would be added, too, and be silently wrong. A query in left padding sees nothing. Eager attention in
    float64 turns that into NaN, which poisons every query that reads it, masked or not. So such a query is allowed to
    see everything.
    """
    seen = seen | ~seen.any(dim=-1, keepdim=True)
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
