"""Log probabilities of emitted tokens, as the model gives them: before penalties, biases, guards and temperature."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ngramspec.hf.seam import LogitsProcessor


@dataclass(frozen=True, slots=True)
class TokenScores:
    """The log probability of a token, and the likeliest tokens of its position with theirs, best first."""

    token: int
    logprob: float
    top: list[tuple[int, float]]


class Logprobs(LogitsProcessor):
    """Records the scores of one row, and changes none.

    A processor is called once per emitted token, in order, whatever is drafted and rejected. So the scores of its j-th
    call belong to the j-th token. It must be the first of the row's processors.
    """

    def __init__(self, num_top: int) -> None:
        """num_top: how many of the likeliest tokens to list."""
        self._num_top = num_top
        self._seen: deque[Tensor] = deque()

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores: `float32[1, V]`."""
        self._seen.append(torch.log_softmax(scores, dim=-1)[0])
        return scores

    def take(self, tokens: Sequence[int]) -> list[TokenScores]:
        """The scores of the next `tokens` of the row, which are then forgotten."""
        return [self._of(token, self._seen.popleft()) for token in tokens]

    def _of(self, token: int, logprobs: Tensor) -> TokenScores:
        best = torch.topk(logprobs, min(self._num_top, logprobs.shape[0]))
        top = list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        return TokenScores(token, float(logprobs[token]), top)
