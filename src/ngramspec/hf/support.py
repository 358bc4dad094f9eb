"""Which models can be drafted for: those whose cache can take a step back. And whose rows may run ahead of others."""

import inspect
from collections.abc import Iterable
from typing import Any

from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from ngramspec.hf.given import ROLLS_BACK
from ngramspec.hf.types import Model

PLAIN_INPUTS = frozenset({"attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"})
"""Inputs of a model that `RaggedTarget` makes itself."""

MASKS_PER_QUERY = ("sdpa", "eager")
"""Attention implementations that take a mask per query. flash_attention takes 2-D masks only, flex_attention blocks."""

OWN_MASKS = {"gpt_neo": "masks by the place of a query in its block, whatever its slot"}
"""Model types that overrule a mask per query."""

OWN_CACHES = {"moshi": "has a sliding window that its own cache alone keeps to"}
"""Model types that no cache but transformers' own will do for."""


def why_undrafted(model: Model) -> str | None:
    """Why no draft can be rolled back in `model`, in a clause that follows its name; None where drafts are fine.

    A whitelist, for flags such as `_is_stateful` miss models that keep a running state (MiniMax, LFM2, …): every layer
    must keep one key and value per token.
    """
    if getattr(model, "_is_stateful", False):
        return "keeps a running state that cannot take a step back"
    if not model._supports_default_dynamic_cache():
        return "does not work with a DynamicCache"
    config = model.config.get_text_config(decoder=True)
    for layer in DynamicCache(config=config).layers:
        if type(layer) not in ROLLS_BACK:
            return f"has a cache layer that cannot take a step back ({type(layer).__name__})"
    if getattr(config, "is_decoder", True) is False and not model.config.is_encoder_decoder:
        return "is set up as an encoder, so its text is read in both directions (is_decoder=False)"
    if config.model_type in OWN_CACHES:
        return OWN_CACHES[config.model_type]
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        return "keeps no cache of keys and values"
    return None


def why_aligned(model: Model, model_kwargs: Iterable[str]) -> str | None:
    """Why all rows of a pass must begin at one slot, in a clause that follows the model's name; None: they need not.

    A row of its own length needs a position of its own for each token and a mask of its own for each query.
    model_kwargs: the inputs of the call, by name.
    """
    config = model.config.get_text_config(decoder=True)
    if model.config.is_encoder_decoder:
        return "is an encoder-decoder model, which takes no positions per row"
    unknown = sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"})
    if unknown:
        return f"has attention layers of an unknown kind ({', '.join(unknown)})"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "attends in chunks"
    if getattr(config, "alibi", False):
        return "encodes positions in the attention mask (alibi)"
    if any("mrope_section" in rope for rope in _ropes(config)):
        return "gives a token several positions (multimodal rope)"
    if config.model_type in OWN_MASKS:
        return OWN_MASKS[config.model_type]
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return "takes no position ids per row"
    implementation = model.config._attn_implementation
    if implementation not in MASKS_PER_QUERY:
        return f"takes no mask per query (attn_implementation={implementation!r})"
    others = sorted(set(model_kwargs) - PLAIN_INPUTS)
    return f"is given more than ids, a mask and positions ({', '.join(others)})" if others else None


def why_undrafted_at(model: Model, shortest: int, longest: int) -> str | None:
    """Why no draft can be checked in texts that grow from `shortest` tokens, of all prompts, to `longest`.

    Some rotary embeddings scale all positions of a pass by the largest one in it. A draft may then scale the tokens
    before it, and rows of other lengths each other's.
    """
    config = model.config.get_text_config(decoder=True)
    for rope in _ropes(config):
        kind = rope.get("rope_type")
        if kind == "longrope":
            limit = rope["original_max_position_embeddings"]
            if shortest <= limit < longest:
                return f"scales its positions anew (longrope) where a text crosses {limit} tokens, as this one may"
        if kind == "dynamic" and longest >= config.max_position_embeddings:
            limit = config.max_position_embeddings
            return f"scales its positions by the length of the text (dynamic rope) from {limit} tokens on"
    return None


def _ropes(config: Any) -> list[dict[str, Any]]:
    """The parameters of each rotary embedding: one, or one per kind of layer."""
    parameters = getattr(config, "rope_parameters", None) or {}
    if "rope_type" in parameters:
        return [parameters]
    return [rope for rope in parameters.values() if isinstance(rope, dict)]


def windows_of(model: Model) -> list[int | None]:
    """The sliding window of each layer in tokens, None for full attention."""
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return [layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else None for layer in layers]
