"""Copies keys and values out of a caller's static cache, and into it."""

from torch import Tensor

from ngramspec.hf.seam import StaticLayer, StaticSlidingWindowLayer
from ngramspec.hf.target.cache_layer import RaggedLayer


def states_of(layer: StaticLayer, length: int) -> tuple[Tensor, Tensor]:
    """Keys and values `[R, H, t, D]` of the last t of `length` slots; in a sliding window, t is at most its size."""
    assert layer.keys is not None
    assert layer.values is not None
    kept = min(length, layer.max_cache_len)
    return layer.keys[:, :, :kept], layer.values[:, :, :kept]


def fill(layer: StaticLayer, filled: RaggedLayer, num_slots: int) -> None:
    """Leave `num_slots` keys and values per row in `layer`, as plain decoding does; in a sliding window the last ones.

    The tensors are kept, because a graph may have captured them.
    """
    assert filled.keys is not None
    assert filled.values is not None
    if not layer.is_initialized:
        layer.lazy_initialization(filled.keys, filled.values)
    assert layer.keys is not None
    assert layer.values is not None
    kept = min(num_slots, layer.max_cache_len)
    for own, states in ((layer.keys, filled.keys), (layer.values, filled.values)):
        own[:, :, :kept] = states[:, :, num_slots - kept : num_slots]
    layer.cumulative_length.fill_(kept)
    if isinstance(layer, StaticSlidingWindowLayer):
        layer.cumulative_length_int = num_slots
