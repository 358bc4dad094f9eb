"""Everything that ngramspec uses from transformers: no other module uses its names.

Names are looked up by what exists, never by version number. A renamed one is found under either name (`CACHE`). A
missing one raises ImportError, which says which version lacks which piece: it is never taken for a property of a model.
"""

import copy
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import __version__

from ngramspec.hf.types import Model

SUPPORTED = "5.17 to 5.24"
"""Releases with which the tests have passed."""


def _lacking(pieces: Iterable[str]) -> ImportError:
    return ImportError(
        f"ngramspec works with transformers {SUPPORTED}, and transformers {__version__} lacks {'; '.join(pieces)}:"
        " install one of those, or a newer ngramspec"
    )


try:
    from transformers import cache_utils
    from transformers.cache_utils import (
        Cache,
        CacheLayerMixin,
        DynamicCache,
        DynamicLayer,
        DynamicSlidingWindowLayer,
        EncoderDecoderCache,
        LinearAttentionLayer,
        StaticCache,
        StaticLayer,
        StaticSlidingWindowLayer,
    )
    from transformers.generation import logits_process, stopping_criteria
    from transformers.generation.configuration_utils import GenerationConfig, GenerationMode
    from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
    from transformers.generation.stopping_criteria import (
        EosTokenCriteria,
        MaxLengthCriteria,
        StoppingCriteria,
        StoppingCriteriaList,
        StopStringCriteria,
    )
    from transformers.generation.streamers import BaseStreamer
    from transformers.generation.utils import (
        GenerateDecoderOnlyOutput,
        GenerateEncoderDecoderOutput,
        GenerateNonBeamOutput,
        GenerationMixin,
    )
    from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
    from transformers.integrations.fsdp import is_fsdp_managed_module
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_outputs import CausalLMOutputWithPast
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, AttentionInterface, PreTrainedModel
except ImportError as error:
    raise _lacking([str(error)]) from error

__all__ = [
    "ALL_ATTENTION_FUNCTIONS",
    "AttentionInterface",
    "BaseStreamer",
    "Cache",
    "CacheLayerMixin",
    "CausalLMOutputWithPast",
    "DynamicCache",
    "DynamicLayer",
    "DynamicSlidingWindowLayer",
    "EncoderDecoderCache",
    "EosTokenCriteria",
    "GenerateDecoderOnlyOutput",
    "GenerateEncoderDecoderOutput",
    "GenerateNonBeamOutput",
    "GenerationConfig",
    "GenerationMixin",
    "GenerationMode",
    "LinearAttentionLayer",
    "LogitsProcessor",
    "LogitsProcessorList",
    "MaxLengthCriteria",
    "PreTrainedModel",
    "StaticCache",
    "StaticLayer",
    "StaticSlidingWindowLayer",
    "StopStringCriteria",
    "StoppingCriteria",
    "StoppingCriteriaList",
    "is_deepspeed_zero3_enabled",
    "is_fsdp_managed_module",
    "logits_process",
    "sdpa_attention_forward",
    "stopping_criteria",
]


CACHE_NAMES = ("cache", "past_key_values")
"""Names of the cache, as an argument of calls and models and a field of outputs: since 5.24, and before."""


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


CACHE = next(
    (name for name in CACHE_NAMES if name in _parameters(GenerationMixin.prepare_inputs_for_generation)), CACHE_NAMES[0]
)
"""The name of the cache in this transformers."""


@dataclass(frozen=True, slots=True)
class UsedName:
    """A name of transformers that is used without an import, and what breaks if it is missing.

    owner: the class, instance or function that has it. name: the attribute; "" for `owner` itself.
    parameter: of that function, if one is used. sets: an attribute that the function sets on its arguments.
    """

    owner: Any
    name: str
    breaks: str
    parameter: str | None = None
    sets: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether this transformers has the piece."""
        if self.name and not hasattr(self.owner, self.name):
            return False
        found = getattr(self.owner, self.name) if self.name else self.owner
        if self.sets is not None:
            return self.sets in inspect.unwrap(found).__code__.co_names
        return self.parameter is None or self.parameter in _parameters(found)

    def __str__(self) -> str:
        """The piece, written as in code."""
        owner = getattr(self.owner, "__name__", type(self.owner).__name__)
        named = f"{owner}.{self.name}" if self.name else owner
        if self.sets is not None:
            return f"{named} setting {self.sets}"
        return f"{named}({self.parameter}=...)" if self.parameter else named


_plain, _sliding = DynamicLayer(), DynamicSlidingWindowLayer(sliding_window=2)
_static, _static_sliding = StaticLayer(max_cache_len=2), StaticSlidingWindowLayer(max_cache_len=2, sliding_window=2)

PIECES = (
    UsedName(GenerationMixin, "prepare_inputs_for_generation", "giving a model its cache", CACHE),
    UsedName(GenerationMixin, "prepare_inputs_for_generation", "reading blocks in line", "next_sequence_length"),
    UsedName(GenerationMixin, "prepare_inputs_for_generation", "asking for position ids", "is_first_iteration"),
    UsedName(GenerationMixin, "generate", "replacing the decoding loop"),
    UsedName(GenerationMixin, "_prefill", "reading prompts in line", "model_kwargs"),
    UsedName(GenerationMixin, "_sample", "plain decoding", "stopping_criteria"),
    UsedName(GenerationMixin, "_update_model_kwargs_for_generation", "masks and positions in line", "num_new_tokens"),
    UsedName(
        GenerationMixin, "_prepare_generation_config", "early refusals, guards in plain decoding", "generation_config"
    ),
    UsedName(GenerationMixin, "_prepare_position_ids_for_generation", "telling multimodal rope"),
    UsedName(GenerationMixin, "_supports_default_dynamic_cache", "telling models without a DynamicCache"),
    UsedName(GenerationMixin, "_supports_logits_to_keep", "logits of the last columns alone"),
    UsedName(GenerationMixin, "_prepare_special_tokens", "padding of finished rows", sets="_pad_token_tensor"),
    UsedName(GenerationMixin, "_prepare_cache_for_generation", "filling a caller's cache", sets="_is_user_defined"),
    UsedName(GenerationConfig, "get_generation_mode", "refusing beam search and other modes"),
    UsedName(GenerateDecoderOnlyOutput, "__init__", "return_dict_in_generate", CACHE),
    UsedName(GenerateEncoderDecoderOutput, "__init__", "return_dict_in_generate", CACHE),
    UsedName(CausalLMOutputWithPast, "__init__", "reading a model's output", "logits"),
    UsedName(PreTrainedModel, "_device_mesh", "processes that hold a model together"),
    UsedName(DynamicCache(), "layers", "reading caches"),
    UsedName(DynamicCache(), "layer_class_to_replicate", "filling a caller's cache"),
    UsedName(DynamicCache(), "offloading", "refusing offloaded caches"),
    UsedName(DynamicCache, "get_seq_length", "continuing a chat"),
    UsedName(EncoderDecoderCache, "__init__", "encoder-decoder models", "caches"),
    UsedName(CacheLayerMixin, "lazy_initialization", "writing at each row's own slots", "value_states"),
    UsedName(CacheLayerMixin, "update", "writing at each row's own slots", "value_states"),
    UsedName(CacheLayerMixin, "get_mask_sizes", "masks over rows of unequal lengths", "query_length"),
    UsedName(_plain, "is_initialized", "reading caches"),
    UsedName(_sliding, "sliding_window", "masks of sliding windows"),
    UsedName(_sliding, "cumulative_length", "filling a caller's cache"),
    UsedName(_sliding, "record_past", "filling a caller's cache"),
    UsedName(_static, "max_cache_len", "reading static caches"),
    UsedName(_static, "cumulative_length", "filling a caller's static cache"),
    UsedName(_static_sliding, "cumulative_length_int", "filling a caller's static cache"),
    UsedName(GenerationMixin, "_valid_auto_compile_criteria", "compiling with static caches", "generation_config"),
    UsedName(PreTrainedModel, "_default_compile_config", "compiling with static caches"),
    UsedName(AttentionInterface, "register", "grouped queries without a copy of the cache"),
    UsedName(sdpa_attention_forward, "", "grouped queries without a copy of the cache", "attention_mask"),
)
"""Attributes and parameters that are used by name; `check` looks for them."""


def check() -> None:
    """Raise ImportError, with the version and every missing piece, if this transformers lacks some of `PIECES`."""
    missing = [f"{piece} (for {piece.breaks})" for piece in PIECES if not piece.is_there]
    if missing:
        raise _lacking(missing)


check()


# What models declare about themselves


def takes_cache(model: Model) -> bool:
    """Whether `model.forward` takes the cache of plain decoding under its name.

    A custom forward may take it in `**kwargs`.
    """
    parameters = _parameters(model.forward)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return CACHE in parameters or (takes_any and not type(model).__module__.startswith("transformers."))


def keeps_running_state(model: Model) -> bool:
    """Whether transformers declares that `model` cannot be rolled back; not all such models are declared."""
    return bool(getattr(model, "_is_stateful", False))


def works_with_dynamic_cache(model: Model) -> bool:
    """Whether `generate()` makes a DynamicCache for `model`."""
    return bool(model._supports_default_dynamic_cache())


def reads_blocks_after_states() -> bool:
    """Whether models with running states were tried with such a transformers: one with the name `cache`, as in 5.24."""
    return CACHE_NAMES[0] == CACHE


def own_cache_class(model: Model) -> type | None:
    """The one class of cache that `model` takes; None if it takes any."""
    found: type | None = getattr(sys.modules[type(model).__module__], "MiniMaxCache", None)
    return found


def takes_logits_to_keep(model: Model) -> bool:
    """Whether `model` can compute the logits of only its last columns."""
    return bool(model._supports_logits_to_keep())


def text_config(model: Model) -> Any:
    """The configuration of the part that generates the text: a composite model's language model, or a decoder."""
    return model.config.get_text_config(decoder=True)


def attention_of(model: Model) -> str | None:
    """The attention implementation for the text; in a composite model each part may have its own."""
    config = text_config(model)
    found: str | None = getattr(config, "_attn_implementation", None) or model.config._attn_implementation
    return found


def device_mesh_of(model: Model) -> Any:
    """The device mesh over which transformers has split `model`; None if it is not split."""
    return getattr(model, "_device_mesh", None)


def counts_positions_as_usual(model: Model) -> bool:
    """Whether `generate()` counts one position per token for `model`."""
    usual = GenerationMixin._prepare_position_ids_for_generation
    return type(model)._prepare_position_ids_for_generation is usual


def compile_settings(model: Model, config: GenerationConfig, model_kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The `torch.compile` arguments of plain decoding for passes after the prompt; None if it does not compile.

    With a static cache it compiles on a GPU, unless `disable_compile` is set.
    """
    if not model._valid_auto_compile_criteria(model_kwargs, config):
        return None
    chosen = config.compile_config or model._default_compile_config()
    settings: dict[str, Any] = chosen.to_dict()
    return settings


# A call of generate()

POSITIONAL = (
    "inputs",
    "generation_config",
    "logits_processor",
    "stopping_criteria",
    "prefix_allowed_tokens_fn",
    "synced_gpus",
    "assistant_model",
    "streamer",
    "negative_prompt_ids",
    "negative_prompt_attention_mask",
    "custom_generate",
)
"""The positional arguments of `generate()`, in order. Not taken from its signature, which a wrapper may hide."""


def arguments_of_generate(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name; raises TypeError for a call that Python would reject."""
    if len(args) > len(POSITIONAL):
        raise TypeError(f"generate() takes at most {len(POSITIONAL)} arguments by position, got {len(args)}")
    given = dict(zip(POSITIONAL, args, strict=False))
    twice = sorted(given.keys() & kwargs.keys())
    if twice:
        raise TypeError(f"generate() got multiple values for argument {twice[0]!r}")
    return {**given, **kwargs}


def prepared_config(model: Model, arguments: Mapping[str, Any]) -> GenerationConfig:
    """The generation config of `model.generate(**arguments)`: that of the model, merged with the call's."""
    others = {name: value for name, value in arguments.items() if name != "generation_config"}
    config, _ = model._prepare_generation_config(arguments.get("generation_config"), **others)
    return config  # type: ignore[no-any-return]


def given_cache(arguments: Mapping[str, Any]) -> Any:
    """The cache among the arguments of a call, under either name; None if there is none."""
    return next((arguments[name] for name in CACHE_NAMES if arguments.get(name) is not None), None)


def is_callers(cache: Any) -> bool:
    """Whether the caller of `generate()` passed `cache`, and may use it again."""
    return bool(getattr(cache, "_is_user_defined", False))


def pad_token_of(config: GenerationConfig) -> int | None:
    """The pad token of a call with `config`; None if there is none."""
    pad: Tensor | None = config._pad_token_tensor
    return None if pad is None else int(pad)


def mask_length_of(config: GenerationConfig) -> int:
    """The length of a mask of ones, of which `generate()` keeps only that; 0 if there was none."""
    return getattr(config, "_mask_length", None) or 0


def prefill(model: Model, input_ids: Tensor, config: GenerationConfig, model_kwargs: dict[str, Any]) -> Any:
    """Read the prompt as plain decoding does; returns the model's output."""
    return model._prefill(input_ids, config, model_kwargs)


def inputs_in_line(model: Model, input_ids: Tensor, num_new: int, model_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The inputs for the last `num_new` columns of `input_ids` `int64[B, L]`, prepared as in plain decoding."""
    inputs: dict[str, Any] = model.prepare_inputs_for_generation(
        input_ids, next_sequence_length=num_new, **model_kwargs
    )
    return inputs


def grown(model: Model, output: Any, model_kwargs: dict[str, Any], num_new: int) -> dict[str, Any]:
    """The model's keyword arguments after `num_new` more tokens: mask, positions and others. output: of a pass.

    For several tokens at once, transformers repeats the last several token types, and some models count only one token.
    So the arguments are updated one token at a time, as in plain decoding.
    """
    update = model._update_model_kwargs_for_generation
    usual = GenerationMixin._update_model_kwargs_for_generation
    is_usual = getattr(update, "__func__", None) is usual and model_kwargs.get("token_type_ids") is None
    size = num_new if is_usual else 1
    kwargs = dict(model_kwargs)
    for _ in range(0, num_new, size or 1):
        kwargs = update(output, kwargs, is_encoder_decoder=model.config.is_encoder_decoder, num_new_tokens=size)
    return kwargs


def decode_plainly(
    model: Model,
    input_ids: Tensor,
    processors: LogitsProcessorList,
    criteria: StoppingCriteriaList,
    config: GenerationConfig,
    streamer: Any,
    model_kwargs: Mapping[str, Any],
) -> Tensor | GenerateNonBeamOutput:
    """The result of plain `generate()`, from its own loop."""
    output: Tensor | GenerateNonBeamOutput = model._sample(
        input_ids,
        logits_processor=processors,
        stopping_criteria=criteria,
        generation_config=config,
        streamer=streamer,
        **model_kwargs,
    )
    return output


def cache_of(output: Any) -> Any:
    """The cache in the output of a model or of `generate()`."""
    return getattr(output, CACHE)


def with_cache(output: Any, cache: Any) -> Any:
    """A copy of a model's `output` with another cache in it."""
    copied = copy.copy(output)
    setattr(copied, CACHE, cache)
    return copied


def named(module: Any, names: Iterable[str]) -> frozenset[type]:
    """The classes of `module` with these names, except those that this transformers lacks."""
    return frozenset(getattr(module, name) for name in names if hasattr(module, name))


STATE_LAYERS = named(
    cache_utils,
    (
        "LinearAttentionLayer",
        "LinearAttentionAndFullAttentionLayer",
        "LinearAttentionAndSlidingWindowAttentionLayer",
    ),
)
"""Cache layers that keep a running state, some of them together with keys and values."""

INDEXED_LAYERS = named(cache_utils, ("DynamicIndexedLayer",)) if reads_blocks_after_states() else frozenset()
"""Cache layers with an indexer's keys beside keys and values, by which a sparse attention ranks the tokens. None in
releases with which they were not tried."""

EMPTY_LAYERS = named(cache_utils, ("DummyLayer",))
"""Cache layers that hold nothing."""
