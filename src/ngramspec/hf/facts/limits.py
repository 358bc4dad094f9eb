"""The token ids and the positions that a model can read."""

from collections.abc import Sequence
from typing import Any

from ngramspec.hf.facts.layers import OWN_STATES
from ngramspec.hf.seam import (
    text_config,
)
from ngramspec.hf.types import Model


def vocabulary(model: Model) -> int:
    """Token ids that the model, or the decoder of an encoder-decoder model, can read."""
    return int(reader_of(model).get_input_embeddings().weight.shape[0])


def max_position(model: Model) -> int | None:
    """Positions that the model knows, None if it states no limit."""
    return _stated_limit(model, ("max_decoder_position_embeddings", "max_target_positions", "max_position_embeddings"))


def max_drafted_position(model: Model) -> int | None:
    """Positions up to which drafts may reach, None if there is no limit.

    Some models state the limit under another name, and some use that name for something else. So it bounds drafts only,
    and no prompt is refused because of it.
    """
    limit = max_position(model)
    return limit if limit is not None else _stated_limit(model, _OTHER_LIMITS)


_OTHER_LIMITS = (
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_seq_length",
    "max_sequence_length",
    "max_text_positions",
    "max_text_len",
    "max_text_length",
    "seq_length",
    "seq_len",
)


def _stated_limit(model: Model, names: Sequence[str]) -> int | None:
    config = text_config(model)
    if config.model_type in OWN_STATES:  # RWKV calls the tokens of its widest pass so
        return None
    for name in names:
        limit = getattr(config, name, None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def positions_needed(model: Model, prompt_length: int, max_new_tokens: int) -> int:
    """Positions that a prompt and its output take. An encoder's prompt has positions of its own, and the output starts
    with one more token."""
    has_encoder = model.config.is_encoder_decoder
    return max(prompt_length, 1 + max_new_tokens) if has_encoder else prompt_length + max_new_tokens


def reader_of(model: Model) -> Any:
    """The module that reads the ids of the generated text: the model itself, or its decoder if it has an encoder."""
    return model.get_decoder() if model.config.is_encoder_decoder else model
