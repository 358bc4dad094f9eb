"""The drafters of a simulation, as the command line names them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import typer

from ngramspec.decoding import DraftingPrices, FixedBudget, HostPrices, Shape
from ngramspec.drafting import AdaptiveLookup, PromptLookup
from ngramspec.simulate import Arm, Machine
from ngramspec.simulate.model_drafter import ModelDrafter
from ngramspec.simulate.peers import EarliestMatch, LatestMatch, SuffixTree


class DrafterName(StrEnum):
    """Where drafts come from."""

    OURS = "ours"
    LOOKUP = "lookup"
    VLLM_V1 = "vllm-v1"
    VLLM_V2 = "vllm-v2"
    SUFFIX = "suffix"
    MODEL = "model"


WORDS = {
    DrafterName.OURS: "ngramspec, as many tokens as pay",
    DrafterName.LOOKUP: "prompt lookup, the latest longest match, 10 tokens",
    DrafterName.VLLM_V1: "vLLM's n-grams, the earliest match of 5 tokens, 5 tokens",
    DrafterName.VLLM_V2: "vLLM's n-grams, the latest match of 5 tokens, 5 tokens",
    DrafterName.SUFFIX: "the suffix tree of arctic-inference, earlier outputs too, up to 24 tokens",
}


VLLM = "vLLM's method ngram with num_speculative_tokens 5"


class Model(NamedTuple):
    """A drafting model: share of right tokens, tokens of a draft, and the cost of its pass in passes of the target."""

    acceptance: float
    draft_tokens: int
    cost: float


def model_of(acceptance: float | None, draft_tokens: int | None, cost: float | None) -> Model | None:
    """The given model; None if there is none. Raises typer.BadParameter for one that is given in part."""
    given = acceptance, draft_tokens, cost
    if all(each is None for each in given):
        return None
    if acceptance is None or draft_tokens is None or cost is None:
        raise typer.BadParameter(
            "a model drafter needs --acceptance, --draft-tokens and --draft-cost: give all three, or none"
        )
    return Model(acceptance, draft_tokens, cost)


def arm_of(
    name: DrafterName, model: Model | None, machine: Machine, vocabulary: Sequence[bytes] | None, seed: int
) -> tuple[Arm, str]:
    """The arm with drafts, and its description. Raises typer.BadParameter; ImportError for a missing package."""
    if (name is DrafterName.MODEL) != (model is not None):
        raise typer.BadParameter(
            "--acceptance, --draft-tokens and --draft-cost are of --drafter model, and it needs them: give all four,"
            " or leave all out"
        )
    if model is not None:
        step = model.cost * machine.passes.seconds(Shape(1, 1, 1, 0))
        host = HostPrices(blind=DraftingPrices(of_step=step))
        words = (
            f"a model that is right {model.acceptance:g} of the time, {model.draft_tokens} tokens, each"
            f" {model.cost:g} of a plain pass"
        )
        arm = Arm(
            lambda: ModelDrafter(model.acceptance, model.draft_tokens, seed),
            lambda: FixedBudget(model.draft_tokens),
            host,
            settings=f"num_speculative_tokens {model.draft_tokens}",
            is_given_output=True,
        )
        return arm, words
    if name is DrafterName.SUFFIX:
        _check_tree()
    arms = {
        DrafterName.OURS: Arm(lambda: AdaptiveLookup(vocabulary=vocabulary), takes_trees=True),
        DrafterName.LOOKUP: Arm(PromptLookup, FixedBudget, settings="a PromptLookup and a FixedBudget(10)"),
        DrafterName.VLLM_V1: Arm(
            lambda: EarliestMatch(min_match=5, max_match=5), lambda: FixedBudget(5), settings=VLLM
        ),
        DrafterName.VLLM_V2: Arm(lambda: LatestMatch(min_match=5, max_match=5), lambda: FixedBudget(5), settings=VLLM),
        DrafterName.SUFFIX: Arm(
            lambda: SuffixTree(keeps_outputs=True), lambda: FixedBudget(24), settings="vLLM's method suffix"
        ),
    }
    return arms[name], WORDS[name]


def _check_tree() -> None:
    try:
        SuffixTree()
    except ImportError as error:
        raise ImportError("--drafter suffix needs arctic-inference: pip install arctic-inference") from error
