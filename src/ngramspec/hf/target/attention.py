"""Attention of grouped-query models over a mask, without a copy of the cache.

Given a mask, transformers' sdpa attention repeats the keys and values for every head of a group: several copies of the
whole cache, in each layer of each drafted pass. Here the queries of a group's heads are concatenated instead, as if
they were more queries of one head:

    query [R, G * H, Q, D]  ->  [R, H, G * Q, D]        keys, values [R, H, T, D] as they are, mask repeated G times

Attention functions are looked up by the name in the model's config, which all threads that use the model share. So the
function called "sdpa" is replaced for good, and only behaves differently inside `folded()`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.seam import ALL_ATTENTION_FUNCTIONS, AttentionInterface, sdpa_attention_forward

Masks = dict[tuple[int, int], tuple[Tensor, Tensor]]
"""By a mask's id and the group size: the mask, and its repetition, which all layers share."""

_masks: ContextVar[Masks | None] = ContextVar("masks of the pass whose heads are folded", default=None)


@contextmanager
def folded() -> Iterator[None]:
    """Within the block, and in this thread only, sdpa attention with a mask folds groups of heads."""
    if ALL_ATTENTION_FUNCTIONS["sdpa"] is sdpa_attention_forward:  # a function that other code registered is left alone
        AttentionInterface.register("sdpa", _attend)
    token = _masks.set({})
    try:
        yield
    finally:
        _masks.reset(token)


def _attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """As `sdpa_attention_forward`."""
    # A compiled model keeps what it has traced.
    masks = None if torch.compiler.is_compiling() else _masks.get()
    if masks is None or attention_mask is None or not _can_fold(query, key, attention_mask, kwargs):
        output: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output
    rows, num_heads, num_queries, _ = query.shape
    size = num_heads // key.shape[1]
    attended = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, key.shape[1], size * num_queries, -1),
        key,
        value,
        attn_mask=_repeated(attention_mask, size, masks),
        dropout_p=kwargs.get("dropout", 0.0),
        scale=kwargs.get("scaling"),
    )
    return attended.reshape(rows, num_heads, num_queries, -1).transpose(1, 2).contiguous(), None


def _can_fold(query: Tensor, key: Tensor, mask: Tensor, kwargs: dict[str, Any]) -> bool:
    """Whether heads come in groups, and one mask for all heads is the only extra."""
    is_grouped = query.shape[1] > key.shape[1] and query.shape[2] > 1
    is_plain = all(kwargs.get(name) is None for name in ("position_bias", "softcap", "cache"))
    return is_grouped and is_plain and mask.dim() == 4 and mask.shape[1] == 1


def _repeated(mask: Tensor, size: int, masks: Masks) -> Tensor:
    """The mask `[R, 1, Q, T]` for folded queries, `[R, 1, G * Q, T]`; made once per pass."""
    found = masks.get((id(mask), size))
    if found is None:
        found = masks[id(mask), size] = (mask, mask.repeat(1, 1, size, 1))
    return found[1]
