"""The likeliest tokens at the positions where the model chose: for sessions that heed them."""

from collections.abc import Sequence

from torch import Tensor

from ngramspec.drafting.core import NUM_LIKELY
from ngramspec.drafting.types import Likely


def likeliest(logits: Tensor, lines: Sequence[int], columns: Sequence[int]) -> Likely:
    """The likeliest tokens of `logits` `[R, Q, V]` at n positions, by line and column; one call for all rows."""
    chosen = logits[list(lines), list(columns)].float()
    ids, logprobs = highest(chosen, NUM_LIKELY)
    return Likely(ids.cpu().numpy(), logprobs.exp().cpu().double().numpy())


def highest(scores: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The `most` likeliest tokens by `scores` `float32[n, V]`, or all V: ids and log probabilities, `[n, K]` each."""
    top = scores.topk(min(most, scores.shape[-1]), dim=-1)
    return top.indices, top.values - scores.logsumexp(-1, keepdim=True)
