"""The layers of a model's cache: which of them can be rolled back, and their sliding windows."""

from ngramspec.hf.seam import (
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    StaticLayer,
    StaticSlidingWindowLayer,
    text_config,
)
from ngramspec.hf.types import Model

ROLLS_BACK = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers of transformers' caches that hold one key and value per token: a rollback forgets the last ones."""

STATIC = (StaticLayer, StaticSlidingWindowLayer)
"""The same with a fixed number of slots."""


def windows_of(model: Model) -> list[int | None]:
    """The sliding window of each layer in tokens, None for full attention."""
    layers = DynamicCache(config=text_config(model)).layers
    return [layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else None for layer in layers]
