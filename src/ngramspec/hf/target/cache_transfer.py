"""Keys and values between the cache that a call came with and ours: in before the first pass, out after the last."""

import copy
from typing import Any

from torch import Tensor

from ngramspec.hf.rows.given_cache import GivenCache
from ngramspec.hf.seam import DynamicSlidingWindowLayer, EncoderDecoderCache
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_layer import RaggedLayer


def load(given: GivenCache, ragged: RaggedCache) -> None:
    """Start `ragged` with the keys and values. They are copied: a call that fails leaves the caller's as it was."""
    if given.length:
        layers = given.own.layers
        ragged.load([(layer.keys, layer.values) if layer.is_initialized else None for layer in layers], given.length)


def beside_cross_attention(given: GivenCache, ragged: RaggedCache) -> Any:
    """What a model is given: `ragged`, for an encoder-decoder model with a cross-attention cache beside it."""
    if not isinstance(given.cache, EncoderDecoderCache):
        return ragged
    return EncoderDecoderCache(ragged, copy.deepcopy(given.cache.cross_attention_cache))


def hand_back(given: GivenCache, used: Any, num_slots: int) -> None:
    """Have `given` hold `num_slots` keys and values per row: after plain decoding, all but the last token's.

    used: a RaggedCache, or what `beside_cross_attention` made of one.
    """
    ragged = used
    if isinstance(used, EncoderDecoderCache):
        ragged = used.self_attention_cache
        given.cache.cross_attention_cache.layers = used.cross_attention_cache.layers
        given.cache.is_updated = used.is_updated
    own = given.own
    while len(own.layers) < len(ragged.layers):  # a DynamicCache() without a configuration grows when it is used
        own.layers.append(own.layer_class_to_replicate())
    for layer, source in zip(own.layers, ragged.layers, strict=True):
        assert isinstance(source, RaggedLayer)
        if source.is_initialized:
            _fill(layer, source, num_slots)


def _fill(layer: Any, source: RaggedLayer, num_slots: int) -> None:
    assert source.keys is not None
    assert source.values is not None
    start = 0
    if isinstance(layer, DynamicSlidingWindowLayer):
        start = max(0, num_slots - layer.sliding_window + 1)
        if layer.record_past:  # whoever asked for that means to take steps back
            start = 0 if layer.keys is None else layer.cumulative_length - layer.keys.shape[2]
        layer.cumulative_length = num_slots
    if not layer.is_initialized:
        layer.lazy_initialization(source.keys, source.values)
    layer.keys, layer.values = _part(source.keys, start, num_slots), _part(source.values, start, num_slots)


def _part(states: Tensor, start: int, end: int) -> Tensor:
    return states[:, :, start:end].contiguous()  # without the room behind it
