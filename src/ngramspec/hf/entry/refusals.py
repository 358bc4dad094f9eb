"""Refusals, before the first forward pass, of what could not be exact."""

import inspect
from typing import Any

from ngramspec.errors import RefusedError
from ngramspec.hf.facts.layers import RANKS, READS_AGAIN, ROLLS_BACK, STATIC, windows_of
from ngramspec.hf.facts.support import ATTENTION_IMPLEMENTATIONS
from ngramspec.hf.rows.given_cache import GivenCache
from ngramspec.hf.rows.request import Request
from ngramspec.hf.seam import (
    CACHE,
    DynamicCache,
    EncoderDecoderCache,
    GenerationConfig,
    GenerationMode,
    StaticCache,
    attention_of,
    is_deepspeed_zero3_enabled,
    is_fsdp_managed_module,
    prepared_config,
)
from ngramspec.hf.types import Model


def refuse_early(model: Model, arguments: dict[str, Any]) -> None:
    """Raise RefusedError for `model.generate(**arguments)`, if the decoding loop would be too late for that.

    It is too late for arguments that never reach a loop, and for models with an encoder, of text or images, which runs
    before it.
    """
    _refuse_arguments(arguments.get("synced_gpus"), arguments)
    taken = inspect.signature(model.forward).parameters
    if not model.config.is_encoder_decoder and "mm_encoder_outputs" not in taken:
        return  # nothing runs before the loop; merging configurations would take a millisecond
    refuse_modes(prepared_config(model, arguments))


def _refuse_arguments(synced_gpus: bool | None, arguments: dict[str, Any]) -> None:
    """Raise RefusedError for arguments of `generate()` that never reach a callable, or reach it too late."""
    if synced_gpus:
        raise RefusedError("synced_gpus=True is not supported with speculation yet: leave it out")
    for name in ("assistant_model", "custom_generate"):
        if arguments.get(name) is not None:
            raise RefusedError(f"speculation needs no {name}, got {type(arguments[name]).__name__}: leave it out")
    if arguments.get("token_healing"):  # needs the tokenizer, which generate() does not pass on
        raise RefusedError("token_healing=True is not supported with speculation yet: leave it out")
    # generate() would first build the cache or, for "paged", use another loop.
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
    _refuse_given(request.cache)
    if request.cache.is_static:
        _refuse_small(request)
    implementation = attention_of(request.model)
    if implementation not in ATTENTION_IMPLEMENTATIONS:
        raise RefusedError(
            f"drafts are verified with {' and '.join(ATTENTION_IMPLEMENTATIONS)} attention only,"
            f' got {implementation!r}: load the model with attn_implementation="sdpa"'
        )
    if is_deepspeed_zero3_enabled() or is_fsdp_managed_module(request.model):
        raise RefusedError("a model sharded by DeepSpeed ZeRO-3 or FSDP needs synced_gpus, which is not supported yet")


def _refuse_cache(implementation: str | None) -> None:
    if implementation not in (None, "dynamic", "static"):
        raise RefusedError(
            f"speculation works with dynamic and static caches, got cache_implementation={implementation!r}: leave it"
            " out, or unset it in the model's generation_config"
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


def _refuse_given(given: GivenCache) -> None:
    """Raise RefusedError for a cache that cannot be rolled back by dropping its last keys."""
    if given.cache is None:
        return
    if isinstance(given.cache, EncoderDecoderCache) and given.length:
        raise RefusedError(
            f"an answer of an encoder-decoder model is not continued in its cache yet, got {CACHE} with"
            f" {given.length} tokens: pass decoder_input_ids without it"
        )
    own = ROLLS_BACK if given.is_callers else ROLLS_BACK | READS_AGAIN | RANKS
    known = STATIC if given.is_static else own
    layers = sorted({type(layer).__name__ for layer in given.own.layers if type(layer) not in known})
    if layers or given.own.offloading:
        held = f"with {', '.join(layers)}" if layers else "with offloading"
        raise RefusedError(
            f"drafts are rolled back in a DynamicCache or a StaticCache only, got {CACHE}={type(given.cache).__name__}"
            f" {held}: pass a DynamicCache, or the whole text"
        )
    is_known = type(given.own) in (DynamicCache, StaticCache)
    if not is_known or type(given.cache) not in (DynamicCache, StaticCache, EncoderDecoderCache):
        raise RefusedError(
            f"drafts are rolled back in a DynamicCache or a StaticCache only, got {CACHE}={type(given.cache).__name__},"
            " whose own methods would not be called: pass a DynamicCache, or the whole text"
        )


def _refuse_small(request: Request) -> None:
    """Raise RefusedError for a text that may outgrow its static cache."""
    num_slots = request.cache.num_slots(windows_of(request.model))
    if num_slots is not None and request.most_slots - 1 > num_slots:
        raise RefusedError(
            f"a StaticCache must have room for the longest text but its last token, {request.most_slots - 1} slots, got"
            f" {num_slots}: pass a larger max_cache_len, or lower max_new_tokens"
        )
