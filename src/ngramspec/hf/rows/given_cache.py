"""The cache that a call brings: the caller's, with a chat in it, or the empty one that `generate()` made."""

import copy
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ngramspec.errors import RefusedError
from ngramspec.hf.seam import (
    CACHE,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    EncoderDecoderCache,
    is_callers,
)
from ngramspec.hf.target.cache import RaggedCache, RaggedLayer

ROLLS_BACK = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers of transformers' caches that hold one key and value per token: a rollback forgets the last ones."""


@dataclass(frozen=True, slots=True)
class GivenCache:
    """The cache of a call, read before the first pass, and left as plain decoding leaves it.

    cache: a `DynamicCache`, or an `EncoderDecoderCache` whose self-attention has one.
    """

    cache: Any

    @property
    def is_callers(self) -> bool:
        """Whether the caller passed it, and will look at it again."""
        return is_callers(self.cache)

    @property
    def length(self) -> int:
        """Slots that hold keys, padding included."""
        return int(self.cache.get_seq_length())

    @property
    def num_rows(self) -> int:
        """Rows, where there are keys at all."""
        return next(int(layer.keys.shape[0]) for layer in self._own.layers if layer.is_initialized)

    @property
    def _own(self) -> Any:
        """The cache of self-attention."""
        return self.cache.self_attention_cache if isinstance(self.cache, EncoderDecoderCache) else self.cache

    def refuse(self) -> None:
        """Raise RefusedError for a cache that cannot take a step back by forgetting its last keys."""
        if isinstance(self.cache, EncoderDecoderCache) and self.length:
            raise RefusedError(
                f"an answer of an encoder-decoder model is not continued in its cache yet, got {CACHE} with"
                f" {self.length} tokens: pass decoder_input_ids without it"
            )
        layers = sorted({type(layer).__name__ for layer in self._own.layers if type(layer) not in ROLLS_BACK})
        if layers or self._own.offloading:
            kind = f"with {', '.join(layers)}" if layers else "with offloading"
            raise RefusedError(
                f"drafts are rolled back in a DynamicCache only, got {CACHE}={type(self.cache).__name__}"
                f" {kind}: pass a DynamicCache, or the whole text"
            )
        if type(self._own) is not DynamicCache or type(self.cache) not in (DynamicCache, EncoderDecoderCache):
            raise RefusedError(
                f"drafts are rolled back in a DynamicCache only, got {CACHE}={type(self.cache).__name__}, whose own"
                " methods would not be called: pass a DynamicCache, or the whole text"
            )

    def around(self, ragged: RaggedCache) -> Any:
        """What a model is given: `ragged`, for an encoder-decoder model with a cross-attention cache beside it."""
        if not isinstance(self.cache, EncoderDecoderCache):
            return ragged
        return EncoderDecoderCache(ragged, copy.deepcopy(self.cache.cross_attention_cache))

    def copy_to(self, ragged: RaggedCache) -> None:
        """Start `ragged` with the keys and values. They are copied: a call that fails leaves the caller's as it was."""
        if self.length:
            layers = self._own.layers
            ragged.load([(layer.keys, layer.values) if layer.is_initialized else None for layer in layers], self.length)

    def take(self, used: Any, num_slots: int) -> None:
        """Hold `num_slots` keys and values per row: after plain decoding, all but the last token's.

        used: a RaggedCache, or what `around` made of one.
        """
        ragged = used
        if isinstance(used, EncoderDecoderCache):
            ragged = used.self_attention_cache
            self.cache.cross_attention_cache.layers = used.cross_attention_cache.layers
            self.cache.is_updated = used.is_updated
        own = self._own
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
