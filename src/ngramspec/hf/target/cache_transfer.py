"""Copies between the cache of a call and ours: in before the first pass, back after the last one."""

import copy
from typing import Any

from torch import Tensor

from ngramspec.hf.rows.given_cache import GivenCache, holds_keys
from ngramspec.hf.seam import DynamicSlidingWindowLayer, EncoderDecoderCache, StaticLayer
from ngramspec.hf.target import static_layers
from ngramspec.hf.target.cache import RaggedCache
from ngramspec.hf.target.cache_layer import RaggedLayer


def load(given: GivenCache, ragged: RaggedCache) -> None:
    """Start `ragged` with a copy of the given keys and values, so that a failed call leaves the caller's unchanged."""
    if given.length:
        layers = given.own.layers
        held = [_states_of(layer, given.length) if holds_keys(layer) else None for layer in layers]
        ragged.load(held, given.length)


def beside_cross_attention(given: GivenCache, ragged: RaggedCache) -> Any:
    """The cache for the model: `ragged`; for an encoder-decoder model together with a cross-attention cache."""
    if not isinstance(given.cache, EncoderDecoderCache):
        return ragged
    return EncoderDecoderCache(ragged, copy.deepcopy(given.cache.cross_attention_cache))


def hand_back(given: GivenCache, used: Any, num_slots: int) -> None:
    """Fill `given` with `num_slots` keys and values per row: those of all tokens but the last, as in plain decoding.

    used: a RaggedCache, or the result of `beside_cross_attention`.
    """
    ragged = used
    if isinstance(used, EncoderDecoderCache):
        ragged = used.self_attention_cache
        given.cache.cross_attention_cache.layers = used.cross_attention_cache.layers
        given.cache.is_updated = used.is_updated
    own = given.own
    while len(own.layers) < len(ragged.layers):  # a DynamicCache() without a configuration creates its layers lazily
        own.layers.append(own.layer_class_to_replicate())
    for layer, filled in zip(own.layers, ragged.layers, strict=True):
        assert isinstance(filled, RaggedLayer)
        if filled.is_initialized:
            (static_layers.fill if isinstance(layer, StaticLayer) else _fill)(layer, filled, num_slots)


def _states_of(layer: Any, length: int) -> tuple[Tensor, Tensor]:
    return static_layers.states_of(layer, length) if isinstance(layer, StaticLayer) else (layer.keys, layer.values)


def _fill(layer: Any, filled: RaggedLayer, num_slots: int) -> None:
    assert filled.keys is not None
    assert filled.values is not None
    start = 0
    if isinstance(layer, DynamicSlidingWindowLayer):
        start = max(0, num_slots - layer.sliding_window + 1)
        if layer.record_past:  # so that the caller can crop it
            start = 0 if layer.keys is None else layer.cumulative_length - layer.keys.shape[2]
        layer.cumulative_length = num_slots
    if not layer.is_initialized:
        layer.lazy_initialization(filled.keys, filled.values)
    layer.keys, layer.values = _part(filled.keys, start, num_slots), _part(filled.values, start, num_slots)


def _part(states: Tensor, start: int, end: int) -> Tensor:
    return states[:, :, start:end].contiguous()  # without the spare slots
