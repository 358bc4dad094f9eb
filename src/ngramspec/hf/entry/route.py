"""How a call is decoded: with drafts, plainly, or plainly and watched by a trial."""

from dataclasses import dataclass, replace

import torch

from ngramspec.hf.entry.prompts import check_prompt
from ngramspec.hf.entry.refusals import refuse_inputs, refuse_modes
from ngramspec.hf.entry.vocabularies import check_vocabularies
from ngramspec.hf.facts.alignment import PLAIN_INPUTS, why_aligned
from ngramspec.hf.facts.layers import most_ranked
from ngramspec.hf.facts.running_state import has_running_state, why_not_in_a_batch
from ngramspec.hf.facts.strangers import strangers_in
from ngramspec.hf.facts.support import why_undrafted, why_undrafted_at
from ngramspec.hf.rows.request import Request
from ngramspec.hf.trials.trial import Trial
from ngramspec.hf.trials.trust import TRUST


@dataclass(frozen=True, slots=True)
class Route:
    """How a call is decoded.

    request: the call, with the width that its model was tried with. why_plainly: why it gets no drafts, None if it does
        or is watched. trial: watches it, while it is decoded plainly.
    """

    request: Request
    why_plainly: str | None = None
    trial: Trial | None = None


def route_of(request: Request) -> Route:
    """How a call is decoded; raises RefusedError, PromptError and GuardError if it is not decoded at all."""
    why_plainly = _why_undrafted(request)
    check_vocabularies(request)
    strangers = strangers_in(request.model) if why_plainly is None else []
    if not strangers:
        return Route(request, why_plainly)
    if has_running_state(request.model):
        return Route(request, f"keeps a running state and has {strangers[0].name}, which was not tried with one")
    if request.cache.is_static:
        return Route(request, f"has {strangers[0].name}, which is not tried with a static cache")
    found = TRUST.finding(request, strangers)
    if found is None:
        return Route(request, trial=TRUST.trial_of(request, strangers))
    tried = replace(request, tried_width=found.width, takes_trees=found.takes_trees)
    return Route(tried, found.why_plainly or None)


def _why_undrafted(request: Request) -> str | None:
    """Why this call is decoded without drafts, None if drafts are fine; raises for refused calls."""
    refuse_modes(request.config)
    reason = why_undrafted(request.model)
    if reason is None and not request.model_kwargs.get("use_cache", True):
        reason = "was called with use_cache=False"
    if reason is None and torch.is_grad_enabled():
        reason = "is asked for gradients, and a cache that is written in place has none"
    if reason is None and has_running_state(request.model):
        reason = _why_undrafted_with_states(request)
    keeps_or_is_static = request.keeps_cache or request.cache.is_static
    if reason is None and keeps_or_is_static and most_ranked(request.model) is not None:
        reason = "ranks tokens, and a cache that is passed in, returned or static is filled by plain decoding only"
    if reason is None and request.cache.is_static and (cause := why_aligned(request.model, request.given_inputs)):
        reason = f"{cause}, and drafts are checked in a static cache only where each row has slots of its own"
    if reason is not None:
        return reason
    refuse_inputs(request)
    check_prompt(request)
    return why_undrafted_at(request.model, *request.num_positions)


def _why_undrafted_with_states(request: Request) -> str | None:
    """Why this call of a model with a running state is decoded without drafts; None if drafts are fine."""
    if request.keeps_cache or request.cache.is_static:
        return (
            "keeps a running state, and a cache that is passed in, returned or static is filled by plain decoding only"
        )
    why_alone = why_not_in_a_batch(request.model)
    if why_alone is not None and len(request.input_ids) > 1:
        return f"keeps a running state for each of several rows, and {why_alone}"
    if request.has_several_positions:
        return "keeps a running state, and a token has several positions in this call"
    others = sorted(set(request.given_inputs) - PLAIN_INPUTS)
    return f"keeps a running state, and is given more than ids and a mask ({', '.join(others)})" if others else None
