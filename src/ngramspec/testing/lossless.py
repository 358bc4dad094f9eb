"""`assert_lossless`: under a guard, is the text with drafts that of plain decoding, and is it valid?"""

from collections.abc import Sequence
from typing import Any

import torch

from ngramspec.errors import GuardError
from ngramspec.guards import Guard
from ngramspec.hf import Speculator
from ngramspec.hf.types import Model
from ngramspec.testing.calls import Call, left_padded
from ngramspec.testing.equivalence import check_equivalence, pad_token_of
from ngramspec.testing.report import Finding, Report, worst
from ngramspec.testing.validity import assert_valid


def assert_lossless(
    model: Model,
    guard: Guard,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int = 64,
    batch: int = 4,
    max_draft_tokens: int = 10,
    seed: int = 0,
    **settings: Any,
) -> Report:
    """Assert that drafts change nothing under `guard`, and that the texts of `model` are valid.

    >>> assert_lossless(model, guard, tokenizer(texts)["input_ids"])              # doctest: +SKIP

    prompts: token ids. The other arguments are those of `check_equivalence`, which makes the comparison: plain
    `generate()` with the guard's processor against a Speculator with the guard, greedy and sampled, each prompt alone
    and in batches; with drafts from prompt lookup, from an oracle that knows the text and corrupts it, and from an
    adversary that drafts what the guard forbids, ends of sequence and special tokens. In half precision a near-tie that
    the measured rounding explains is not a difference.

    Returns the report. Raises AssertionError if a text differs, nothing was tried, or a finished text is not valid; the
    message says where, and which arguments reproduce it. Raises GuardError if plain decoding cannot continue under the
    guard.
    """
    processors = [*settings.pop("logits_processor", ()), guard]
    arguments: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        "batch": batch,
        "max_draft_tokens": max_draft_tokens,
        "seed": seed,
    }
    report = check_equivalence(model, prompts, **arguments, logits_processor=processors, **settings)
    again = ", ".join(f"{name}={value!r}" for name, value in {**arguments, **settings}.items())
    finding = _finding(report)
    if finding not in ("identical", "near-tie"):
        raise AssertionError(
            f"under {guard!r} the text with drafts must be plain decoding's, got {finding}:\n{report}\n"
            f"again: assert_lossless(model, guard, prompts, {again})"
        )
    calls = {"max_new_tokens": max_new_tokens, "pad_token_id": pad_token_of(model), "do_sample": False, **settings}
    for index, prompt in enumerate(prompts):
        _assert_holds(model, guard, index, prompt, {**calls, "logits_processor": processors}, seed)
    return report


def _finding(report: Report) -> Finding:
    """The worst finding. In a short text one mode may have nothing to roll back, but not all modes."""
    accepted = sum(mode.num_accepted_tokens for mode in report.modes)
    rolled_back = sum(mode.num_rolled_back_tokens for mode in report.modes)
    if not accepted or not rolled_back:
        return worst(["untested", report.finding])
    return worst([mode.finding for mode in report.modes if mode.finding != "untested"])


def _assert_holds(
    model: Model, guard: Guard, index: int, prompt: Sequence[int], settings: dict[str, Any], seed: int
) -> None:
    """The text of one prompt, decoded with a default Speculator, must be valid, or valid so far."""
    call = Call(model, *left_padded([prompt], settings["pad_token_id"], model.device), settings, seed)
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        tokens = call.emitted(call.run(custom_generate=Speculator()))[0].tolist()
    matcher = guard.matcher(call.eos_tokens, prompt=call.input_ids[0].tolist())
    try:
        matcher.advance(tokens)
        if matcher.ended and guard.source is not None:
            assert_valid(guard, guard.vocabulary.decode(tokens[:-1]).decode())
    except (AssertionError, GuardError, UnicodeDecodeError) as error:
        raise AssertionError(f"prompt {index}: what was emitted must hold, got {tokens}: {error}") from error
