"""Which models can be drafted for: those whose cache can take a step back by moving an integer."""

import inspect

from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from ngramspec.hf.types import Model

ATTENTION_IMPLEMENTATIONS = ("sdpa", "eager")
"""Those that take a mask per query. flash_attention takes 2-D masks only, flex_attention block masks."""


def why_undrafted(model: Model) -> str | None:
    """Why no draft can be rolled back in `model`, in a clause that follows its name; None where drafts are fine.

    A whitelist, for flags such as `_is_stateful` miss models that keep a running state (MiniMax, LFM2, …): every layer
    must keep one key and value per token, and the model must take positions per row.
    """
    if model.config.is_encoder_decoder:
        return "is an encoder-decoder model"
    if getattr(model, "_is_stateful", False):
        return "keeps a running state that cannot take a step back"
    if not model._supports_default_dynamic_cache():
        return "does not work with a DynamicCache"
    config = model.config.get_text_config(decoder=True)
    for layer in DynamicCache(config=config).layers:
        if type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer):
            return f"has a cache layer that cannot take a step back ({type(layer).__name__})"
    unknown = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if unknown:
        return f"has attention layers of an unknown kind ({', '.join(sorted(unknown))})"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "attends in chunks"
    if getattr(config, "alibi", False):
        return "encodes positions in the attention mask (alibi)"
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return "takes no position ids per row"
    return None


def windows_of(model: Model) -> list[int | None]:
    """The sliding window of each layer in tokens, None for full attention."""
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return [layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else None for layer in layers]
