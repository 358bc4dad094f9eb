"""The layers of a model's cache: which of them can be rolled back, and their sliding windows."""

from collections.abc import Callable
from typing import Any

from ngramspec.hf.seam import (
    EMPTY_LAYERS,
    INDEXED_LAYERS,
    STATE_LAYERS,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionLayer,
    StaticLayer,
    StaticSlidingWindowLayer,
    text_config,
)
from ngramspec.hf.types import Model

ROLLS_BACK = frozenset[type]((DynamicLayer, DynamicSlidingWindowLayer)) | EMPTY_LAYERS
"""Layers of transformers' caches that hold one key and value per token, the last of which a rollback drops; and layers
that hold nothing, because they have no attention or share the keys of others."""

RANKS = INDEXED_LAYERS
"""Layers that roll back in the same way, of sparse attention, which sees only the best tokens of a long text."""

READS_AGAIN = STATE_LAYERS
"""Layers with a running state, which cannot drop tokens: it is restored, and accepted tokens are read again."""

ATTENTIONS = {
    False: ("full_attention", "indexed_attention", "hybrid"),
    True: ("sliding_attention", "hybrid_sliding"),
}
"""Names of layer types in configurations that see the same slots: without a sliding window, and with one."""


OWN_STATES: dict[str, Callable[[Any], list[int]]] = {
    "rwkv": lambda config: [5],
    "xlstm": lambda config: [3] * config.num_hidden_layers,
}
"""Model types that take running states without a cache of transformers, and no positions: the number of states in each
layer of ours. The tensors of RWKV are those of all its layers."""


def layers_of(model: Model) -> list[Any]:
    """The layers of the cache that `generate()` makes for `model`, empty."""
    config = text_config(model)
    if config.model_type in OWN_STATES:
        return [LinearAttentionLayer(number_of_states=number) for number in OWN_STATES[config.model_type](config)]
    layers: list[Any] = DynamicCache(config=config).layers
    return layers


def most_ranked(model: Model) -> int | None:
    """Tokens that a sparse attention of `model` sees of a longer text; None if it has none that ranks tokens."""
    config = text_config(model)
    most = getattr(config, "index_topk", getattr(config, "indexer_budget", None))
    if not isinstance(most, int) or not any(type(layer) in RANKS for layer in layers_of(model)):
        return None
    return most


STATIC = frozenset[type]((StaticLayer, StaticSlidingWindowLayer))
"""Layers of the same kind with a fixed number of slots."""


def windows_of(model: Model) -> list[int | None]:
    """The sliding window of each layer in tokens, None for full attention."""
    return [
        layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else None for layer in layers_of(model)
    ]
