"""Counts of an answer: OpenAI's `usage`, and vLLM's `metrics.speculative_decoding`."""

from dataclasses import dataclass

from pydantic import BaseModel

from ngramspec.stats import Counters


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens that were read and written for a request.

    num_prompt: tokens of the prompts; num_shared: those that were shared with another answer instead of read.
    num_written: tokens of the answers, ends of sequence included.
    predicted: tokens of a prediction that are in the answers, in order, and those that are not.
    counters: of all passes. most_drafted: tokens of the longest draft that the budget allows.
    """

    num_prompt: int
    num_shared: int
    num_written: int
    num_reasoning: int
    predicted: tuple[int, int] | None
    counters: Counters
    most_drafted: int


class PromptTokensDetails(BaseModel):
    """Details of the prompt's tokens."""

    cached_tokens: int


class CompletionTokensDetails(BaseModel):
    """Details of the answers' tokens, as far as there are any."""

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
        """The usage while an answer is written."""
        return cls(prompt_tokens=num_prompt, completion_tokens=num_written, total_tokens=num_prompt + num_written)

    @classmethod
    def of(cls, counts: TokenCounts) -> "Usage":
        """`counts` in these fields."""
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
    """Statistics of drafts, over all passes that verified one; with vLLM's names and meanings.

    mean_acceptance_length: tokens per such pass, the bonus token included.
    acceptance_histogram: `[j]` counts the passes that accepted j draft tokens.
    num_spec_tokens: tokens of the longest draft that the budget allows.
    """

    mean_acceptance_length: float
    draft_acceptance_rate: float
    acceptance_histogram: list[int]
    num_spec_steps: int
    num_accepted_draft_tokens: int
    num_draft_tokens: int
    num_spec_tokens: int


class Metrics(BaseModel):
    """Further measurements of an answer."""

    speculative_decoding: SpeculativeDecoding

    @classmethod
    def of(cls, counts: TokenCounts) -> "Metrics":
        """`counts` in these fields."""
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
