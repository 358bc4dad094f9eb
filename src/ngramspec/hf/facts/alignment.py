"""Models whose rows must be aligned in a pass, because they take no position per token or no mask per query."""

import inspect
from collections.abc import Iterable
from typing import Any

import torch

from ngramspec.hf.facts.strangers import prepares_itself
from ngramspec.hf.seam import (
    CACHE,
    DynamicCache,
    counts_positions_as_usual,
    text_config,
)
from ngramspec.hf.types import Model

PLAIN_INPUTS = frozenset({"attention_mask", "position_ids", CACHE, "use_cache", "logits_to_keep"})
"""Inputs of a model that `RaggedTarget` makes."""


OWN_MASKS = {
    "git": "makes room in its mask for a picture, where there is none too",
    "gpt_neo": "masks by the position of a query in its block, whatever its slot",
}
"""Model types that replace a mask per query by their own."""

_ATTENTIONS = frozenset(("full_attention", "indexed_attention", "sliding_attention"))
"""Types of layers that take a mask per query, and keep no running state."""


def why_aligned(model: Model, model_kwargs: Iterable[str]) -> str | None:
    """Why all rows of a pass must begin at one slot, as a clause that follows the model's name; None if they need not.

    Rows of different lengths need a position per token and a mask per query.
    model_kwargs: the inputs of the call, by name.
    """
    config = text_config(model)
    if model.config.is_encoder_decoder:
        return "is an encoder-decoder model, which takes no positions per row"
    if prepares_itself(model):
        return "prepares its inputs by code of its own"
    unknown = sorted(set(getattr(config, "layer_types", None) or ()) - _ATTENTIONS)
    if unknown:
        return f"has attention layers of an unknown type ({', '.join(unknown)})"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "attends in chunks"
    if getattr(config, "alibi", False):
        return "encodes positions in the attention mask (alibi)"
    if not counts_positions_as_usual(model):
        return "gives a token several positions (multimodal rope)"
    if config.model_type in OWN_MASKS:
        return OWN_MASKS[config.model_type]
    reason = _why_without_positions(model)
    if reason is not None:
        return reason
    others = sorted(set(model_kwargs) - PLAIN_INPUTS)
    return f"is given more than ids, a mask and positions ({', '.join(others)})" if others else None


def why_aligned_beside_states(model: Model, *, has_attention: bool) -> str | None:
    """As `why_aligned`, for a model with running states. has_attention: whether it has attention layers as well."""
    if model.config.is_encoder_decoder:
        return "is an encoder-decoder model, which takes no positions per row"
    if prepares_itself(model):
        return "prepares its inputs by code of its own"
    return _why_without_positions(model) if has_attention else None


def _why_without_positions(model: Model) -> str | None:
    """Why tokens do not get the positions that are passed for them."""
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return "takes no position ids per row"
    return None if _keeps_positions(model, text_config(model)) else "changes the positions that it is given"


def _keeps_positions(model: Model, config: Any) -> bool:
    """Whether the model uses the position ids of `generate()` unchanged: PaliGemma adds one, Kosmos-2.5 drops them."""
    ids, positions = torch.zeros((1, 2), dtype=torch.long, device="cpu"), torch.arange(2, device="cpu")[None]
    inputs = model.prepare_inputs_for_generation(
        ids,
        **{CACHE: DynamicCache(config=config)},
        attention_mask=torch.ones_like(ids),
        position_ids=positions.clone(),
        use_cache=True,
        is_first_iteration=True,
    )
    kept = inputs.get("position_ids")
    return kept is not None and torch.equal(kept.cpu(), positions)
