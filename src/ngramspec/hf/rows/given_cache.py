"""The cache that a call comes with: the caller's, with a chat in it, or the empty one that `generate()` made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ngramspec.hf.seam import (
    CacheLayerMixin,
    EncoderDecoderCache,
    StaticCache,
    is_callers,
)


@dataclass(frozen=True, slots=True)
class GivenCache:
    """The cache of a call, copied before the first pass, and left as plain decoding leaves it.

    cache: a `DynamicCache` or `StaticCache`, or an `EncoderDecoderCache` whose self-attention has one; None if the
        model makes its own.
    """

    cache: Any

    @property
    def is_callers(self) -> bool:
        """Whether the caller passed it, and may use it again."""
        return is_callers(self.cache)

    @property
    def length(self) -> int:
        """Slots with keys, padding included; 0 in a cache without keys, which is never continued."""
        if self.cache is None:
            return 0
        layers = self.own.layers
        if layers and not any(isinstance(layer, CacheLayerMixin) for layer in layers):
            return 0
        return int(self.cache.get_seq_length())

    @property
    def num_rows(self) -> int:
        """Rows; there must be keys."""
        return next(int(layer.keys.shape[0]) for layer in self.own.layers if holds_keys(layer))

    @property
    def is_static(self) -> bool:
        """Whether it has a fixed number of slots."""
        return isinstance(self.own, StaticCache)

    def num_slots(self, windows: Sequence[int | None]) -> int | None:
        """Slots of a static cache; None if each layer keeps a whole window and drops what is before it.

        windows: of its layers, in tokens.
        """
        sizes = [layer.max_cache_len for layer in self.own.layers]
        bounds = [size for size, window in zip(sizes, windows, strict=True) if window is None or size < window]
        return min(bounds, default=None)

    @property
    def own(self) -> Any:
        """The self-attention cache."""
        return self.cache.self_attention_cache if isinstance(self.cache, EncoderDecoderCache) else self.cache


def holds_keys(layer: Any) -> bool:
    """Whether a layer of a cache has keys yet; layers that share the keys of others never do."""
    return bool(layer.is_initialized) and layer.keys is not None
