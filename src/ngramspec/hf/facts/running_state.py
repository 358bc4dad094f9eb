"""Models with a running state: which of them read a block of tokens after a state like single ones."""

import inspect

from ngramspec.hf.facts.alignment import why_aligned_beside_states
from ngramspec.hf.facts.layers import OWN_STATES, RANKS, READS_AGAIN, ROLLS_BACK, layers_of, most_ranked
from ngramspec.hf.seam import (
    CacheLayerMixin,
    DynamicSlidingWindowLayer,
    LinearAttentionLayer,
    own_cache_class,
    reads_blocks_after_states,
    text_config,
    works_with_dynamic_cache,
)
from ngramspec.hf.types import Model

UNFIT = {
    "glm5_next_text": "has an indexer that reads from its cache which tokens are padding",
    "recurrent_gemma": "keeps its running state in its own modules, and starts the convolution of a block from nothing",
}
"""Model types whose blocks of tokens cannot be read after a state, and rejected ones undone."""

ALONE = {
    **dict.fromkeys(
        ("inkling_text", "inkling2_text", "inkling2_loop_text"), "counts the positions of all rows from one slot"
    ),
    "rwkv": "mixes the states of all rows where it reads a single token",
}
"""Model types whose rows cannot have separate states in a batch."""


_WITHOUT_STATES = frozenset(("full_attention", "sliding_attention", "chunked_attention"))


def has_running_state(model: Model) -> bool:
    """Whether a layer of the cache of `model` keeps a running state."""
    config = text_config(model)
    if config.model_type in OWN_STATES:
        return True
    if _WITHOUT_STATES.issuperset(getattr(config, "layer_types", None) or ()):
        return False  # runs in each call, and making the layers of a cache takes half a millisecond
    if not works_with_dynamic_cache(model) and own_cache_class(model) is None:
        return False
    return any(isinstance(layer, LinearAttentionLayer) for layer in layers_of(model))


def why_not_read_again(model: Model) -> str | None:
    """Why rejected drafts cannot be undone in a `model` with a running state, as a clause; None if they can."""
    config = text_config(model)
    if config.model_type in UNFIT:
        return UNFIT[config.model_type]
    if not reads_blocks_after_states():
        return "keeps a running state, which was not tried with blocks of tokens in this transformers"
    allowed = ROLLS_BACK | READS_AGAIN if most_ranked(model) is None else ROLLS_BACK | READS_AGAIN | RANKS
    for layer in layers_of(model):
        if type(layer) not in allowed:
            return f"has a cache layer that cannot take a step back ({type(layer).__name__})"
    reason = why_aligned_beside_states(model, has_attention=bool(attention_windows(model)))
    return None if reason is None else f"keeps a running state, and {reason}"


def why_not_in_a_batch(model: Model) -> str | None:
    """Why `model` reads drafts of one row only, as a clause; None if it reads those of several."""
    return ALONE.get(text_config(model).model_type)


def attention_windows(model: Model) -> set[int | None]:
    """The sliding windows of the attention layers, None for full attention; empty if there is no attention."""
    return {
        layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else None
        for layer in layers_of(model)
        if isinstance(layer, CacheLayerMixin)
    }


def takes_positions(model: Model) -> bool:
    """Whether `model` takes a position per token."""
    return "position_ids" in inspect.signature(model.forward).parameters
