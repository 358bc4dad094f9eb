"""Which slots each query of a block sees."""

import torch
from torch import Tensor


def attention_mask(slots: Tensor, extent: int, valid: Tensor | None, window: int | None) -> Tensor:
    """Which slots each query sees: boolean `[R, 1, Q, T]`.

    slots: `int64[R, Q]`, the slot of each query; it sees that and those before it.
    extent: T. valid: boolean `[R, T]`, False where the prompt is padded; None where nothing is padded.
    window: with a sliding window, a query sees only that many slots up to its own.
    """
    keys = torch.arange(extent, device=slots.device)
    queries = slots[:, None, :, None]
    seen = keys <= queries
    if window is not None:
        seen &= keys > queries - window
    if valid is not None:
        seen &= valid[:, None, None, :]
    return seen


def additive_mask(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask that eager attention adds to its scores: 0 where `seen` `[R, 1, Q, T]`, else the lowest finite number.

    A boolean mask would be added as well, and be silently wrong. A query in left padding sees nothing; in float64 eager
    attention makes NaN of that, and a NaN value poisons every query that reads it, masked or not. So such a query sees
    everything.
    """
    seen = seen | ~seen.any(dim=-1, keepdim=True)
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
