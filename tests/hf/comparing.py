"""Compares speculative and plain decoding, and asserts that tokens were accepted and rolled back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ngramspec import FixedBudget, Speculator
from ngramspec.stats import Counters
from ngramspec.testing import OracleDrafter
from tests.hf.drafters import NoDrafter
from tests.hf.models import EOS, VOCABULARY

SEED = 11
Arguments = Callable[[], dict[str, Any]]
"""Makes the arguments of one `generate()` call: anew each time, for processors keep state."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two runs returned; `plain` ran without drafts."""

    plain: Tensor
    speculative: Tensor
    spec: Speculator
    prompt_length: int


def assert_accepted_and_rolled_back(tried: Speculator | Counters) -> None:
    """Assert that drafts were accepted and that some were rolled back: without both, equal texts prove nothing."""
    total = tried.stats.total if isinstance(tried, Speculator) else tried
    assert total.num_accepted_tokens > 0, "no draft was accepted"
    assert total.num_accepted_tokens < total.num_draft_tokens, "no draft was rolled back"
    assert total.target_passes <= total.tokens


def oracle(
    plain: Tensor, prompt_length: int = 9, vocabulary: int = VOCABULARY, *, seed: int = 0, max_draft: int = 4
) -> Speculator:
    """A Speculator that knows the text of `plain` `int64[B, P + emitted]`, and drafts it wrongly now and then.

    Up to `max_draft` tokens in every pass: a short text gives the default budget little to try.
    """
    emitted = plain[:, prompt_length:].tolist()
    return Speculator(OracleDrafter(emitted, vocabulary, seed=seed, corrupted=0.75), FixedBudget(max_draft))


def compare(
    model: Any,
    prompts: dict[str, Any],
    arguments: Arguments,
    *,
    drafted: Arguments | None = None,
    corrupted: float = 0.75,
    seed: int = 0,
) -> Comparison:
    """Decode plainly and with an oracle drafter; asserts that texts and the generator's final state are equal.

    drafted: the arguments of the speculative run, where they are others. seed: of the drafts.
    In a sampled batch each row draws from a generator of its own, so there "plain" is our own loop without drafts.
    """
    own_loop = arguments().get("do_sample", False) and len(prompts["input_ids"]) > 1
    undrafted = {"custom_generate": Speculator(NoDrafter(), FixedBudget(0))} if own_loop else {}
    torch.manual_seed(SEED)
    plain = model.generate(**prompts, **arguments(), **undrafted)
    state = torch.get_rng_state()

    prompt_length = 1 if model.config.is_encoder_decoder else prompts["input_ids"].shape[1]
    vocabulary = model.get_input_embeddings().num_embeddings
    emitted = plain[:, prompt_length:].tolist()
    # Ten tokens in every pass: a short text gives the default budget little to try.
    spec = Speculator(OracleDrafter(emitted, vocabulary, seed=seed, corrupted=corrupted), FixedBudget(10))
    torch.manual_seed(SEED)
    speculative = model.generate(**prompts, **(drafted or arguments)(), custom_generate=spec)
    assert plain.tolist() == speculative.tolist()
    assert torch.equal(state, torch.get_rng_state()), "the random generator was not consumed as by plain decoding"
    return Comparison(plain, speculative, spec, prompt_length)


def limits(**more: Any) -> dict[str, Any]:
    """Arguments that end rows at different positions: an end of sequence, and a length limit inside a draft."""
    return {"max_new_tokens": 27, "eos_token_id": EOS, **more}


def assert_a_processor_sees_the_same(model: Any, prompts: dict[str, Any]) -> None:
    """Assert that a processor that nobody knows is shown, call by call, what plain decoding shows it."""
    seen: list[list[Any]] = []

    def note(input_ids: Tensor, scores: Tensor) -> Tensor:
        seen[-1].append(input_ids.tolist())
        return scores

    def arguments() -> dict[str, Any]:
        seen.append([])
        return limits(logits_processor=[note])

    assert_accepted_and_rolled_back(compare(model, prompts, arguments).spec)
    assert seen[-2] == seen[-1]
