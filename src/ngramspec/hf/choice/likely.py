"""The likeliest tokens at the positions where the model chose: for sessions that heed them."""

from collections.abc import Sequence

from torch import Tensor

from ngramspec.drafting.core import NUM_LIKELY
from ngramspec.drafting.types import Likely


def likeliest(logits: Tensor, lines: Sequence[int], columns: Sequence[int]) -> Likely:
    """The likeliest tokens of `logits` `[R, Q, V]` at n positions, by line and column; one call for all rows."""
    chosen = logits[list(lines), list(columns)].float()
    highest = chosen.topk(min(NUM_LIKELY, chosen.shape[1]), dim=-1)
    chances = (highest.values - chosen.logsumexp(-1, keepdim=True)).exp()
    return Likely(highest.indices.cpu().numpy(), chances.cpu().double().numpy())
