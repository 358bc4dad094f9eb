"""Turns one prompt into a request for an engine."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from ngramspec.errors import PromptError, RefusedError
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.entry.generate import Attempt, generate_with
from ngramspec.hf.entry.route import route_of
from ngramspec.hf.entry.speculator import Speculator
from ngramspec.hf.rows.request import Request
from ngramspec.hf.types import Model


def prepared(
    spec: Speculator, model: Model, input_ids: Tensor, arguments: dict[str, Any], stream: Stream | None
) -> Request:
    """The request that `generate()` makes of a prompt `int64[1, P]` and arguments; nothing is decoded.

    Raises what `generate()` raises; RefusedError and PromptError if an engine cannot decode it.
    """
    taken: list[Request] = []

    def take(request: Request) -> None:
        taken.append(_drafted(request))

    generate_with(spec, model, partial(model.generate, input_ids), arguments, Attempt(stream, take))
    (request,) = taken
    _check(request)
    if request.has_encoder:
        return request
    return replace(request, model_kwargs={**request.model_kwargs, "attention_mask": None})


def _drafted(request: Request) -> Request:
    """The request, ready for drafts; raises RefusedError if it cannot be drafted for, or not together with others."""
    route = route_of(request)
    name = type(request.model).__name__
    if route.why_plainly is not None:
        raise RefusedError(f"an engine decodes with drafts alone, and {name} {route.why_plainly}")
    if route.trial is not None or route.request.has_strangers:
        raise RefusedError(
            f"an engine mixes rows of many requests in a pass, and {name} has hooks, adapters or unknown parts, which"
            " may depend on the row index: use generate()"
        )
    return route.request


def _check(request: Request) -> None:
    if len(request.input_ids) != 1:
        raise RefusedError(f"an engine takes prompts one by one, got {len(request.input_ids)} rows: add each")
    if request.mask is not None and not bool(request.mask.all()):
        raise PromptError(
            "a prompt in an engine needs no padding, got an attention_mask with zeros, which generate() also makes"
            " of a prompt that holds the pad token: leave padding out, or pass an attention_mask of ones"
        )
    if request.cache.is_static:
        raise RefusedError(
            "an engine keeps the keys of all requests in one cache that grows, got a static cache: leave"
            " cache_implementation out, or unset it in the model's generation_config"
        )
    if request.keeps_cache:
        raise RefusedError(
            "an engine keeps no cache for the caller, got past_key_values or return_dict_in_generate: leave it out,"
            " for common beginnings are shared anyway"
        )
