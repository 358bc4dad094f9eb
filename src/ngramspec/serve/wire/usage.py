"""Counts of an answer: OpenAI's `usage`, and vLLM's `metrics.speculative_decoding`."""

from dataclasses import dataclass

from pydantic import BaseModel

from ngramspec.stats import Counters


@dataclass(frozen=True, slots=True)
class Counts:
    """What was read and written for a request.

    num_prompt: tokens of the prompts; num_shared: those of them that were shared with another answer instead of being
    read. num_written: tokens of the answers, ends of sequence included.
    predicted: of a prediction, the tokens that are in the answers, in order, and those that are not.
    counters: of all passes. most_drafted: tokens of the longest draft that the budget gives.
    """

    num_prompt: int
    num_shared: int
    num_written: int
    num_reasoning: int
    predicted: tuple[int, int] | None
    counters: Counters
    most_drafted: int


class PromptTokensDetails(BaseModel):
    """Of the prompt's tokens."""

    cached_tokens: int


class CompletionTokensDetails(BaseModel):
    """Of the answers' tokens, what there is to tell."""

    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    reasoning_tokens: int | None = None


class Usage(BaseModel):
    """`usage` of chats and completions."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None

    @classmethod
    def so_far(cls, num_prompt: int, num_written: int) -> "Usage":
        """While an answer is written."""
        return cls(prompt_tokens=num_prompt, completion_tokens=num_written, total_tokens=num_prompt + num_written)

    @classmethod
    def of(cls, counts: Counts) -> "Usage":
        """In these words."""
        usage = cls(
            prompt_tokens=counts.num_prompt,
            completion_tokens=counts.num_written,
            total_tokens=counts.num_prompt + counts.num_written,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=counts.num_shared),
        )
        details: dict[str, int] = {}
        if counts.predicted is not None:
            details["accepted_prediction_tokens"], details["rejected_prediction_tokens"] = counts.predicted
        if counts.num_reasoning:
            details["reasoning_tokens"] = counts.num_reasoning
        if details:
            usage.completion_tokens_details = CompletionTokensDetails(**details)
        return usage


class SpeculativeDecoding(BaseModel):
    """How drafts did, over all passes that checked one; by vLLM's names and meanings.

    mean_acceptance_length: tokens per such pass, the bonus token included.
    acceptance_histogram: `[j]` counts the passes that accepted j draft tokens.
    num_spec_tokens: tokens of the longest draft that the budget gives.
    """

    mean_acceptance_length: float
    draft_acceptance_rate: float
    acceptance_histogram: list[int]
    num_spec_steps: int
    num_accepted_draft_tokens: int
    num_draft_tokens: int
    num_spec_tokens: int


class Metrics(BaseModel):
    """What else is known of how an answer was made."""

    speculative_decoding: SpeculativeDecoding

    @classmethod
    def of(cls, counts: Counts) -> "Metrics":
        """In these words."""
        counters = counts.counters
        steps = counters.num_drafts
        at_least = [steps, *counters.num_accepted_tokens_per_pos, 0]
        return cls(
            speculative_decoding=SpeculativeDecoding(
                mean_acceptance_length=1 + (counters.num_accepted_tokens / steps if steps else 0.0),
                draft_acceptance_rate=counters.acceptance_rate,
                acceptance_histogram=[at_least[j] - at_least[j + 1] for j in range(len(at_least) - 1)],
                num_spec_steps=steps,
                num_accepted_draft_tokens=counters.num_accepted_tokens,
                num_draft_tokens=counters.num_draft_tokens,
                num_spec_tokens=counts.most_drafted,
            )
        )
