"""A call of an enabled model's `generate()`: decoded by its Speculator or, if that refuses it, plainly."""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf.choice.guards import has_guards, with_processors
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.entry.generate import Attempt, generate_with
from ngramspec.hf.entry.speculator import Speculator
from ngramspec.hf.entry.warning_once import WarningOnce
from ngramspec.hf.seam import POSITIONAL, BaseStreamer, arguments_of_generate, prepared_config
from ngramspec.hf.types import Model

_OURS = ("segment", "references", "speculate", "cache_salt")
"""Arguments that a Speculator takes, and plain `generate()` does not."""


def generate_enabled(
    model: Model,
    plain: Callable[..., Any],
    spec: Speculator,
    warnings: WarningOnce,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """`plain(model, *args, **kwargs)` with speculation; warnings: for calls that `spec` refuses.

    A streamer is ended whatever is raised: else a consumer in another thread would wait forever.
    """
    streams = [Stream(streamer) for streamer in _distinct(values_of(args, kwargs, "streamer"))]
    with ExitStack() as ends:
        for each in streams:
            ends.callback(each.end)
        try:
            arguments = arguments_of_generate(args, kwargs)
            stream = streams[0] if streams else None
            return _speculating(model, functools.partial(plain, model), spec, warnings, arguments, stream)
        except BaseException:
            for streamer in _misplaced(args, kwargs):
                ends.callback(streamer.end)
            raise


def _speculating(
    model: Model,
    plain: Callable[..., Any],
    spec: Speculator,
    warnings: WarningOnce,
    arguments: dict[str, Any],
    stream: Stream | None,
) -> Any:
    """One call; stream: replaces the streamer among its arguments."""
    if stream is not None:
        arguments["streamer"] = stream
    plainly = {name: value for name, value in arguments.items() if name not in _OURS}
    # A call that asks for another decoding method gets that, without a warning.
    if arguments.get("assistant_model") is not None or arguments.get("prompt_lookup_num_tokens") is not None:
        return plain(**plainly)
    arguments.pop("streamer", None)
    attempt = Attempt(stream)
    try:
        return generate_with(spec, model, plain, arguments, attempt)
    except (RefusedError, PromptError) as error:
        if attempt.has_begun:
            raise
        refusal = str(error)
    reason = refusal.partition(", got ")[0]  # the rule without the value, which may differ in every call
    message = f"{type(model).__name__}.generate() decodes this call without drafts: {refusal}"
    warnings.warn(reason, message, stacklevel=4)
    return _plainly(model, plain, plainly) if has_guards(plainly.get("logits_processor")) else plain(**plainly)


def values_of(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> list[Any]:
    """The values of an argument of `generate()`, given by position or by name; a call with both is refused later."""
    position = POSITIONAL.index(name)
    return [value for value in (*args[position : position + 1], kwargs.get(name)) if value is not None]


def _misplaced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[BaseStreamer]:
    """Streamers that a call passes at a wrong position, or by a misspelled name."""
    right = values_of(args, kwargs, "streamer")
    streamers = _distinct([value for value in (*args, *kwargs.values()) if isinstance(value, BaseStreamer)])
    return [streamer for streamer in streamers if all(streamer is not each for each in right)]


def _distinct(values: list[Any]) -> list[Any]:
    """Each object once, by identity."""
    return list({id(value): value for value in values}.values())


def _plainly(model: Model, plain: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Plain `generate()`; guards among its processors advance token by token."""
    ends = prepared_config(model, arguments).eos_token_id
    processors = with_processors(arguments["logits_processor"], [ends] if isinstance(ends, int) else ends)
    return plain(**{**arguments, "logits_processor": processors})
