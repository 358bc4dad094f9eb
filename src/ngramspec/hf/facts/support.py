"""Tells which models can be drafted for: those whose cache can be rolled back."""

from typing import Any

from ngramspec.hf.facts.layers import OWN_STATES, RANKS, ROLLS_BACK, layers_of, most_ranked
from ngramspec.hf.facts.limits import reader_of
from ngramspec.hf.facts.running_state import has_running_state, why_not_read_again
from ngramspec.hf.facts.strangers import parts_of
from ngramspec.hf.seam import (
    CACHE,
    keeps_running_state,
    takes_cache,
    text_config,
    works_with_dynamic_cache,
)
from ngramspec.hf.types import Model

ATTENTION_IMPLEMENTATIONS = ("sdpa", "eager")
"""Tested attention implementations. flash_attention needs a GPU; flex_attention is recompiled for each block width."""


ONE_BY_ONE = {
    "fsmt": "reads one token at a time once there is a cache",
    "cpmant": "puts learned tokens of its own before each text",
    "kosmos_2_text_model": "counts positions along the tokens that are no padding",
    "mllama": "keeps the keys of pictures beside those of its text",
    "moshi": "has a sliding window that its own cache alone keeps to",
    "prophetnet": "reads one token at a time once there is a cache",
    "voxtral_realtime": "hears a frame of sound with each token",
    "xlm": "reads a mask token after each text",
}
"""Model types whose cache is correct only if tokens are read one at a time."""


_WITH_DROPOUT = ("torch.nn.modules.dropout", "transformers.models.")
"""Packages whose modules draw random numbers in training mode; elsewhere `training` may have no effect."""


def why_undrafted(model: Model) -> str | None:
    """Why no draft can be rolled back in `model`, as a clause that follows its name; None if drafts are fine.

    A whitelist of cache layers: one key and value per token, which is dropped, or a running state, which is restored.
    Flags such as `_is_stateful` miss models that keep a running state (MiniMax, LFM2, …).
    """
    if has_running_state(model):
        reason = why_not_read_again(model)
        if reason is not None:
            return reason
    elif keeps_running_state(model) and getattr(text_config(model), "layer_types", None) is None:
        return "keeps a running state that cannot take a step back"
    elif not works_with_dynamic_cache(model):
        return "does not work with a DynamicCache"
    else:
        allowed = ROLLS_BACK if most_ranked(model) is None else ROLLS_BACK | RANKS
        for layer in layers_of(model):
            if type(layer) not in allowed:
                return f"has a cache layer that cannot take a step back ({type(layer).__name__})"
    reason = _why_by_configuration(model)
    if reason is not None:
        return reason
    if model.config.is_encoder_decoder and _counts_along_padding(model.get_decoder()):
        return "counts positions along the tokens that are no padding, so a draft could move what follows it"
    if any(module.training and type(module).__module__.startswith(_WITH_DROPOUT) for module in parts_of(model)):
        return "is in training mode, or a part of it is, where dropout draws random numbers of its own"
    if not _has_one_embedding(reader_of(model)):
        return "has no one embedding of tokens"
    if text_config(model).model_type not in OWN_STATES and not takes_cache(model):
        return f"takes no cache of keys and values (no argument {CACHE} of its forward)"
    return None


def _why_by_configuration(model: Model) -> str | None:
    """What in the configuration excludes drafts."""
    config = text_config(model)
    if getattr(config, "is_decoder", True) is False and not model.config.is_encoder_decoder:
        return "is set up as an encoder, so its text is read in both directions (is_decoder=False)"
    if getattr(config, "use_bidirectional_attention", None) in (True, "all"):
        return "reads its text in both directions (use_bidirectional_attention)"
    for model_type in (model.config.model_type, config.model_type):
        if model_type in ONE_BY_ONE:
            return ONE_BY_ONE[model_type]
    if getattr(config, "expert_capacity", None) is not None:
        return "gives an expert so many tokens of a pass and no more (expert_capacity)"
    return None


def _has_one_embedding(reader: Any) -> bool:
    """Whether token ids are read with one embedding table. Models with several codebooks have more, and some composite
    models cannot tell."""
    try:
        return hasattr(reader.get_input_embeddings(), "weight")
    except (AttributeError, NotImplementedError):  # raised by transformers if it finds none
        return False


def _counts_along_padding(decoder: Any) -> bool:
    """Whether positions depend on which tokens of a pass are padding, as in M2M-100, NLLB-MoE and SeamlessM4T."""
    return any(hasattr(module, "create_position_ids_from_input_ids") for module in decoder.modules())


def why_undrafted_at(model: Model, shortest: int, longest: int) -> str | None:
    """Why no draft can be verified in texts that grow from `shortest` tokens to `longest`.

    Some rotary embeddings scale all positions of a pass by the largest one in it. Then a draft may scale the tokens
    before it, and rows of different lengths scale each other's. A sparse attention that leaves tokens out may rank two
    of them equally, and its choice may depend on the number of slots.
    """
    config = text_config(model)
    most = most_ranked(model)
    if most is not None and longest > most:
        return f"attends to the best {most} tokens of a longer text, and leaves open which of two equal ones that is"
    for rope in _ropes(config):
        rope_type = rope.get("rope_type")
        if rope_type == "longrope":
            limit = rope["original_max_position_embeddings"]
            if shortest <= limit < longest:
                return f"scales its positions anew (longrope) where a text crosses {limit} tokens, as this one may"
        if rope_type == "dynamic" and longest >= config.max_position_embeddings:
            limit = config.max_position_embeddings
            return f"scales its positions by the length of the text (dynamic rope) from {limit} tokens on"
    return None


def _ropes(config: Any) -> list[dict[str, Any]]:
    """The parameters of each rotary embedding: one, or one per layer type."""
    parameters = getattr(config, "rope_parameters", None) or {}
    if "rope_type" in parameters:
        return [parameters]
    return [rope for rope in parameters.values() if isinstance(rope, dict)]
