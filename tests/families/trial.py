"""One family, tried: a tiny random model of it decodes plainly and with drafts."""

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModel

from ngramspec import NgramspecWarning, RefusedError, Speculator
from ngramspec.hf.support import why_undrafted
from tests.families.exceptions import SETTINGS
from tests.families.shrink import FIRST_SPECIAL, shrunk
from tests.hf.drafters import OracleDrafter
from tests.hf.models import padded_prompts, settled

PROMPT_LENGTH = 11
NEW_TOKENS = 30


@dataclass(frozen=True, slots=True)
class Result:
    """verdict: "drafted", "undrafted", "refused", "not built" or "WRONG". why: a clause; empty where drafted.

    dtype, attention: what it ran in. accepted, drafted: draft tokens. distinct: different tokens in the plain text.
    """

    verdict: str
    why: str = ""
    dtype: str = ""
    attention: str = ""
    accepted: int = 0
    drafted: int = 0
    distinct: int = 0


def build(config_class: Any, model_class: Any, *, variant: dict[str, Any] | None = None, attention: str | None = None) -> Any:
    """A tiny random model."""
    settings = {**SETTINGS.get(config_class.model_type, {}), **(variant or {})}
    config = shrunk(config_class(), settings)
    if config.sub_configs.get("text_config") is getattr(model_class, "config_class", None):
        config = config.get_text_config()
    model = model_class._from_config(config, experts_implementation="eager", attn_implementation=attention)
    return settled(model, seed=3)


def tried(model: Any) -> Result:
    why = why_undrafted(model)
    dtype = "float64"
    try:
        plain = _decoded(model, 1)
    except (RuntimeError, ValueError, TypeError) as error:
        dtype = "float32"
        model = model.float()
        plain = _decoded(model, 1)
    accepted = drafted = 0
    distinct = 0
    attention = model.config.get_text_config(decoder=True)._attn_implementation
    for batch in (1, 3):
        prompts = padded_prompts(batch, PROMPT_LENGTH, seed=1, vocabulary=FIRST_SPECIAL)
        plain = model.generate(**prompts, max_new_tokens=NEW_TOKENS, do_sample=False)
        again = model.generate(**prompts, max_new_tokens=NEW_TOKENS, do_sample=False)
        if plain.tolist() != again.tolist():
            return Result("not built", "plain decoding does not repeat itself")
        drafter = OracleDrafter.of_output(plain, PROMPT_LENGTH, FIRST_SPECIAL) 
        spec = Speculator(drafter)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            text = model.generate(**prompts, max_new_tokens=NEW_TOKENS, do_sample=False, custom_generate=spec)
        if plain.tolist() != text.tolist():
            where = (plain != text).nonzero()[0].tolist() if plain.shape == text.shape else (plain.shape, text.shape)
            return Result("WRONG", f"batch {batch} {where}", dtype, attention)
        total = spec.stats.total
        accepted += total.num_accepted_tokens
        drafted += total.num_draft_tokens
        distinct = max(distinct, len(set(plain[0, PROMPT_LENGTH:].tolist())))
        said = [str(w.message) for w in caught if w.category is NgramspecWarning]
        if why is None and (said or not 0 < total.num_accepted_tokens < total.num_draft_tokens):
            return Result("odd", f"batch {batch} {said} {total.num_accepted_tokens} of {total.num_draft_tokens}", dtype, attention)
    return Result("drafted" if why is None else "undrafted", why or "", dtype, attention, accepted, drafted, distinct)


def _decoded(model: Any, batch: int) -> Any:
    prompts = padded_prompts(batch, PROMPT_LENGTH, seed=1, vocabulary=FIRST_SPECIAL)
    return model.generate(**prompts, max_new_tokens=2, do_sample=False)
