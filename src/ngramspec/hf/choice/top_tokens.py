"""The likeliest tokens at each position of a text that is decoded, for recordings."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ngramspec.hf.seam import LogitsProcessor

NUM_TOP = 8
"""Tokens of each position: twice those that drafts are made of today."""

TopTokens = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Token ids and natural logarithms of their probabilities, `[n, K]` each, the likeliest first."""


class TopTokensRecorder(LogitsProcessor):
    """Changes no score, and keeps the likeliest tokens, K numbers of two kinds for each row and position.

    A processor is called once per emitted token, in order, whatever is drafted and rejected: so what it has seen at its
    j-th call belongs to the j-th token of all rows of its call. As the first processor it sees the model's own scores.
    """

    def __init__(self) -> None:
        """For one call of `generate()`."""
        self._ids: list[npt.NDArray[np.int32]] = []
        self._logprobs: list[npt.NDArray[np.float32]] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores: `float32[B, V]`."""
        values = scores.float()
        top = values.topk(min(NUM_TOP, values.shape[-1]), dim=-1)
        self._ids.append(top.indices.to("cpu", torch.int32).numpy())
        self._logprobs.append((top.values - values.logsumexp(-1, keepdim=True)).cpu().numpy())
        return scores

    def of_row(self, row: int, num_tokens: int) -> TopTokens:
        """Those where the first `num_tokens` tokens of a row were chosen."""
        ids, logprobs = (np.stack([each[row] for each in kept[:num_tokens]]) for kept in (self._ids, self._logprobs))
        return ids, logprobs
