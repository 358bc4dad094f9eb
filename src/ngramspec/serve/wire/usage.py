"""Counts of an answer: OpenAI's `usage`, and vLLM's `metrics.speculative_decoding`."""

from pydantic import BaseModel

from ngramspec.stats import Counters


class CompletionTokensDetails(BaseModel):
    """Tokens of the prediction that are in the answers, in order, and those that are not."""

    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class Usage(BaseModel):
    """Tokens of the prompts and of the answers, ends of sequence included."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionTokensDetails | None = None


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

    @classmethod
    def of(cls, counters: Counters, most_drafted: int) -> "SpeculativeDecoding":
        """From the counters of all rows of an answer."""
        steps = counters.num_drafts
        at_least = [steps, *counters.num_accepted_tokens_per_pos, 0]
        return cls(
            mean_acceptance_length=1 + (counters.num_accepted_tokens / steps if steps else 0.0),
            draft_acceptance_rate=counters.acceptance_rate,
            acceptance_histogram=[at_least[j] - at_least[j + 1] for j in range(len(at_least) - 1)],
            num_spec_steps=steps,
            num_accepted_draft_tokens=counters.num_accepted_tokens,
            num_draft_tokens=counters.num_draft_tokens,
            num_spec_tokens=most_drafted,
        )


class Metrics(BaseModel):
    """What else is known of how an answer was made."""

    speculative_decoding: SpeculativeDecoding
