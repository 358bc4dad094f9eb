"""One family, tried: a tiny random model of it decodes plainly and with drafts, one text alone and a ragged batch."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from ngramspec import FixedBudget, NgramspecWarning, RefusedError, Speculator
from ngramspec.hf.facts import known_code
from ngramspec.hf.facts.alignment import why_aligned
from ngramspec.hf.facts.running_state import has_running_state
from ngramspec.hf.facts.strangers import strangers_in
from ngramspec.hf.facts.support import why_undrafted
from ngramspec.testing import OracleDrafter
from tests.families.build import NoTextError, drawn
from tests.families.exceptions import INPUTS
from tests.families.shrink import FIRST_SPECIAL, VOCABULARY
from tests.hf.models import padded_prompts

PROMPT_LENGTH = 11
NEW_TOKENS = 30
SEEDS = range(8)
FEWEST_TOKENS = 5
"""A text of fewer different tokens says little: weights are drawn anew."""
ENOUGH_TO_DIFFER = 8
"""Tokens within which another prompt must show."""
NAN = "eager attention itself makes NaN of a padded row in float64"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a family.

    verdict: "drafted", "undrafted", "refused", "not tried" or "WRONG". why: a clause; empty where
        each row is drafted for at its own place.
    dtype: "float64", or the narrower type and why it had to be. attention: the implementation that ran.
    drafts: "trees" where branches were accepted, else "chains"; empty where nothing was drafted.
    """

    verdict: str
    why: str = ""
    dtype: str = ""
    attention: str = ""
    drafts: str = ""


class _Everything(frozenset[str]):
    """Has every name in it."""

    def __contains__(self, name: object) -> bool:
        return True


@contextmanager
def all_classes_known() -> Iterator[None]:
    """Within, no class of transformers is a stranger: which ones are known is found out here."""
    found, known_code.known_classes = known_code.known_classes, _Everything  # type: ignore[assignment]
    try:
        yield
    finally:
        known_code.known_classes = found


@dataclass(frozen=True, slots=True)
class _Run:
    """Some texts to decode: how many, whether of unequal length, and in which type."""

    batch: int
    padded: bool
    dtype: torch.dtype


class UntriableError(Exception):
    """The model cannot decode plainly: nothing can be said of drafts."""


def tried(model: Any) -> Result:
    """The verdict on a model with weights yet to be drawn."""
    attention = model.config.get_text_config(decoder=True)._attn_implementation or "its own"
    try:
        dtype, runs = _runs(model)
        branches, how = 0, _how(model)
        for run in runs:
            verdict, why, accepted = _compared(model, run)
            branches += accepted
            if verdict == "undrafted" and run.batch > 1:  # the first run was of one text
                how = f"{how}; batches are not drafted for, because it {why}"
            elif verdict != "drafted":
                return Result(verdict, why, dtype, attention)
    except NoTextError as error:
        return Result("not tried", f"has no one embedding of tokens: {error}")
    except UntriableError as error:
        reason = None
        with suppress(AttributeError):  # BLT: there is no cache for it at all
            reason = why_undrafted(model)
        return (
            Result("not tried", str(error)) if reason is None else Result("undrafted", f"{reason} (not run: {error})")
        )
    return Result("drafted", how, dtype, attention, "trees" if branches else "chains")


def _how(model: Any) -> str:
    """How rejected drafts are undone, and where rows begin a pass; empty where each row does so at its own slot."""
    if has_running_state(model):
        return "states put back, and known tokens read again"
    why_in_line = why_aligned(model, [])
    return "" if why_in_line is None else f"rows aligned, because it {why_in_line}"


def _runs(model: Any) -> tuple[str, list[_Run]]:
    """In float64 if the model's kernels have it; and in which type, in words."""
    wide = [_Run(1, False, torch.float64), _Run(3, True, torch.float64)]
    narrow = [_Run(1, False, torch.float32), _Run(3, True, torch.float32)]
    why = _why_not(model, wide[1])
    if why is None:
        return "float64", wide
    if why == NAN:
        return f"float64, padded rows float32 ({NAN})", [wide[0], _Run(3, False, torch.float64), narrow[1]]
    failure = _why_not(model, narrow[1])
    if failure is not None:
        raise UntriableError(f"generate() itself fails: {failure}")
    return f"float32 ({why})", narrow


def _why_not(model: Any, run: _Run) -> str | None:
    drawn(model, SEEDS[0]).to(run.dtype)
    call = {**_call(model, run), "max_new_tokens": 2, "output_logits": True, "return_dict_in_generate": True}
    try:
        logits = model.generate(**call).logits
    except Exception as error:  # whatever a kernel or a model's own generate() says
        text = " ".join(str(error).split())
        return f"{type(error).__name__}: {text}" if len(text) <= 120 else f"{type(error).__name__}: {text[:117]}…"
    return NAN if any(bool(step.isnan().any()) for step in logits) else None


def _compared(model: Any, run: _Run) -> tuple[str, str, int]:
    """Verdict, reason, and how many tokens of branches were accepted."""
    call, plain = _varied(model, run)
    drafter = OracleDrafter(plain[:, -NEW_TOKENS:].tolist(), VOCABULARY)
    spec = Speculator(drafter, FixedBudget(10))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with all_classes_known():
                if strangers_in(model):  # a first call is then a trial
                    model.generate(**call, custom_generate=Speculator())
                text = model.generate(**call, custom_generate=spec)
        except RefusedError as error:
            return "refused", str(error), 0
    where = f"{run.batch} text{'s' * (run.batch > 1)}, {run.dtype}"
    if plain.tolist() != text.tolist():
        if plain.tolist() != model.generate(**call).tolist():
            raise UntriableError("generate() itself does not repeat its text")
        return "WRONG", f"another text than plain decoding ({where})", 0
    for warning in caught:
        if warning.category is NgramspecWarning:
            why = str(warning.message).removeprefix(type(model).__name__).split(": its text")[0].strip()
            return "undrafted", why, 0
    total = spec.stats.total
    if not 0 < total.num_accepted_tokens < total.num_draft_tokens:
        return "WRONG", f"{total.num_accepted_tokens} of {total.num_draft_tokens} draft tokens accepted ({where})", 0
    return "drafted", "", drafter.branches.total()


def _varied(model: Any, run: _Run) -> tuple[dict[str, Any], Any]:
    """A call and its plain text, with weights under which texts vary and depend on what was read."""
    call, other = _call(model, run), {**_call(model, run, changed=True), "max_new_tokens": ENOUGH_TO_DIFFER}
    scores: dict[int, int] = {}
    for seed in SEEDS:
        drawn(model, seed).to(run.dtype)
        plain = model.generate(**call)
        emitted = plain[:, -NEW_TOKENS:]
        is_deaf = emitted[:, :ENOUGH_TO_DIFFER].equal(model.generate(**other)[:, -ENOUGH_TO_DIFFER:])
        scores[seed] = 0 if is_deaf else min(len(set(row)) for row in emitted.tolist())
        if scores[seed] >= FEWEST_TOKENS:
            return call, plain
    best = max(scores, key=lambda seed: scores[seed])
    if scores[best] < 2:
        raise UntriableError("its text does not depend on the prompt, whatever the weights")
    drawn(model, best).to(run.dtype)
    return call, model.generate(**call)


def _call(model: Any, run: _Run, *, changed: bool = False) -> dict[str, Any]:
    """Arguments of `generate()`. changed: with another token late in the prompt, or other sounds or pictures."""
    inputs = dict(_prompts(run))
    if changed:
        inputs["input_ids"] = inputs["input_ids"].clone()
        inputs["input_ids"][:, -3] = (inputs["input_ids"][:, -3] + 1) % FIRST_SPECIAL
    name, shape = INPUTS.get(model.config.model_type, ("", ()))
    if name == model.main_input_name:
        generator = torch.Generator().manual_seed(2 + changed)
        inputs = {name: torch.randn((run.batch, *shape), generator=generator, dtype=torch.float64).to(run.dtype)}
    return {**inputs, "max_new_tokens": NEW_TOKENS, "do_sample": False, "num_beams": 1}


def _prompts(run: _Run) -> Iterator[tuple[str, Any]]:
    prompts = padded_prompts(run.batch, PROMPT_LENGTH, seed=1, vocabulary=FIRST_SPECIAL)
    if not run.padded:
        prompts = {"input_ids": torch.randint(2, FIRST_SPECIAL, (run.batch, PROMPT_LENGTH),
                                              generator=torch.Generator().manual_seed(1))}  # fmt: skip
    yield from prompts.items()
