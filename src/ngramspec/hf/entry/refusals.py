"""What is refused by name, before the first forward pass, because it could not be exact."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf.facts.support import ATTENTION_IMPLEMENTATIONS, reader_of
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    CACHE,
    GenerationConfig,
    GenerationMode,
    attention_of,
    is_deepspeed_zero3_enabled,
    is_fsdp_managed_module,
    text_config,
)
from ngramspec.hf.types import Model


def refuse_arguments(synced_gpus: bool | None, arguments: dict[str, Any]) -> None:
    """Raise RefusedError for arguments of `generate()` that never reach a callable, or reach it too late."""
    if synced_gpus:
        raise RefusedError("synced_gpus=True is not supported with speculation yet: leave it out")
    for name in ("assistant_model", "custom_generate"):
        if arguments.get(name) is not None:
            raise RefusedError(f"speculation needs no {name}, got {type(arguments[name]).__name__}: leave it out")
    if arguments.get("token_healing"):  # generate() would ask for the tokenizer that it keeps from us
        raise RefusedError("token_healing=True is not supported with speculation yet: leave it out")
    # generate() would first build the cache or, for "paged", leave for another loop.
    _refuse_cache(arguments.get("cache_implementation"))


def refuse_modes(config: GenerationConfig) -> None:
    """Raise RefusedError for decoding modes and outputs that speculation does not reproduce."""
    mode = config.get_generation_mode()
    if mode not in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE):
        remedy = "set num_beams=1" if (config.num_beams or 1) > 1 else "leave such settings out"
        raise RefusedError(
            f"speculation works with greedy search and sampling, got {_mode_name(config, mode)}: {remedy}, or call"
            " generate() without custom_generate; under ngramspec.enable(model) such calls are decoded plainly"
        )
    _refuse_cache(config.cache_implementation)
    for name in ("output_attentions", "output_hidden_states"):
        if getattr(config, name):
            raise RefusedError(f"{name}=True cannot be given with speculation, which reads blocks: leave it out")
    if config.prefill_chunk_size is not None:
        raise RefusedError(
            f"the prompt is read in one pass, got prefill_chunk_size={config.prefill_chunk_size}: leave it out"
        )


def refuse_inputs(request: Request) -> None:
    """Raise RefusedError for model inputs that cannot be drafted for."""
    if request.model_kwargs.get("inputs_embeds") is not None:
        raise RefusedError("drafts are looked up in token ids, got inputs_embeds: pass input_ids")
    request.cache.refuse()
    implementation = attention_of(request.model)
    if implementation not in ATTENTION_IMPLEMENTATIONS:
        raise RefusedError(
            f"drafts are checked with attention of the kinds {' and '.join(ATTENTION_IMPLEMENTATIONS)},"
            f' got {implementation!r}: load the model with attn_implementation="sdpa"'
        )
    if is_deepspeed_zero3_enabled() or is_fsdp_managed_module(request.model):
        raise RefusedError("a model sharded by DeepSpeed ZeRO-3 or FSDP needs synced_gpus, which is not supported yet")


def check_shapes(input_ids: Tensor, mask: Tensor | None) -> None:
    """Raise PromptError for an empty prompt, for ids that are none, or where the mask does not fit.

    input_ids: `int64[B, P]`. mask: `[B, P]`, or None where nothing is padded.
    """
    if input_ids.is_floating_point():
        raise PromptError(f"token ids must be integers, got {input_ids.dtype}: pass the tokenizer's input_ids")
    batch, length = input_ids.shape
    if mask is not None and mask.shape != input_ids.shape:
        raise PromptError(
            f"attention_mask must have the shape of input_ids={list(input_ids.shape)}, got {list(mask.shape)}"
        )
    if length == 0 or (mask is not None and not bool(mask.any(dim=1).all())):
        empty = list(range(batch)) if mask is None else (~mask.bool().any(dim=1)).nonzero().flatten().tolist()
        raise PromptError(f"every prompt must hold at least one token, got empty rows {empty}: leave them out")


def check_prompt(request: Request) -> None:
    """Raise PromptError for a prompt that the model cannot read, or that its cache or positions do not fit."""
    model, input_ids, mask = request.model, request.input_ids, request.mask
    cached = request.cache.length
    if cached:
        _check_cached(request, cached)
    else:
        check_shapes(input_ids, mask)
        _check_positions(input_ids, request.model_kwargs.get("position_ids"))
    limit = max_position(model)
    lengths = torch.full((len(input_ids),), request.num_slots, device="cpu") if mask is None else mask.sum(dim=1)
    if limit is not None and int(lengths.max()) > limit:
        raise PromptError(
            f"a prompt must be at most max_position_embeddings={limit} tokens long, got {int(lengths.max())}"
            " (row " + f"{int(lengths.argmax())}): shorten it"
        )
    known = (input_ids >= 0) & (input_ids < vocabulary(model))
    if not bool(known.all()):
        others = set(input_ids[~known].tolist()) - _stand_ins(model)
        if others:
            raise PromptError(
                f"token ids must be >= 0 and < the vocabulary's {vocabulary(model)},"
                f" got {min(others)}: is this the model's own tokenizer?"
            )


def _stand_ins(model: Model) -> set[int]:
    """Ids that stand for pictures or sound in a prompt, and may lie beyond the vocabulary: the model replaces them."""
    ends = ("_token_id", "_token_index")
    return {value for name, value in vars(model.config).items() if name.endswith(ends) and isinstance(value, int)}


def _check_positions(input_ids: Tensor, positions: Tensor | None) -> None:
    batch, length = input_ids.shape
    if positions is None or positions.dim() != 2 or positions.shape in ((batch, length), (1, length)):
        return
    # transformers counts them along the mask, and forgets a mask of ones: mostly it is the mask that does not fit.
    raise PromptError(
        f"attention_mask and position_ids must have the shape of input_ids={list(input_ids.shape)},"
        f" got position_ids of shape {list(positions.shape)}"
    )


def _check_cached(request: Request, cached: int) -> None:
    """A chat is continued with its whole text, or with new tokens and a mask over everything."""
    batch, length = request.input_ids.shape
    rows = request.cache.num_rows
    if rows != batch:
        raise PromptError(f"{CACHE} must have a row per prompt, got {rows} for {batch} prompts")
    slots = request.num_slots
    if length == 0 or cached >= slots or (slots != length and slots - length != cached):
        raise PromptError(
            f"input_ids must hold the whole text, or what follows the {cached} tokens in {CACHE} with an"
            f" attention_mask over both, got {length} tokens and a mask over {slots}"
        )


def vocabulary(model: Model) -> int:
    """Token ids that the model, or the decoder of an encoder-decoder model, can read."""
    return int(reader_of(model).get_input_embeddings().weight.shape[0])


def max_position(model: Model) -> int | None:
    """Positions that the model knows, None where it states no limit."""
    return _stated_limit(model, ("max_decoder_position_embeddings", "max_target_positions", "max_position_embeddings"))


def max_drafted_position(model: Model) -> int | None:
    """Positions up to which drafts may reach, None where there is no limit.

    A model may call its limit by another name, or mean something else by that; a prompt is refused for neither.
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
    for name in names:
        limit = getattr(config, name, None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def positions_needed(model: Model, prompt_length: int, max_new_tokens: int) -> int:
    """Positions that a prompt and its output take; an encoder's prompt has its own, and its output one more token."""
    has_encoder = model.config.is_encoder_decoder
    return max(prompt_length, 1 + max_new_tokens) if has_encoder else prompt_length + max_new_tokens


def _refuse_cache(implementation: str | None) -> None:
    if implementation not in (None, "dynamic"):
        raise RefusedError(
            f"speculation brings its own cache, got cache_implementation={implementation!r}: leave it out, or unset it"
            " in the model's generation_config"
        )


def _mode_name(config: GenerationConfig, mode: GenerationMode) -> str:
    causes = ("num_beams", "num_beam_groups", "constraints", "force_words_ids", "penalty_alpha", "dola_layers",
              "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")  # fmt: skip
    defaults = GenerationConfig()
    settings = [
        f"{name}={value!r}"
        for name in causes
        if (value := getattr(config, name, None)) not in (None, False, 1) and value != getattr(defaults, name, None)
    ]
    return f"{mode.value} ({', '.join(settings)})" if settings else mode.value
