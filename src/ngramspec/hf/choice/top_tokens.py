"""Records the likeliest tokens at each position of a decoded text."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ngramspec.hf.choice.likely import highest
from ngramspec.hf.seam import LogitsProcessor

NUM_TOP = 8
"""Tokens per position: twice those that drafts use today."""

TopTokens = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Token ids and natural logarithms of their probabilities, `[n, K]` each, the likeliest first."""


class TopTokensRecorder(LogitsProcessor):
    """Keeps the likeliest tokens, K ids and log probabilities for each row and position, and changes no score.

    A processor is called once per emitted token, in order, whatever is drafted and rejected. So the scores of its j-th
    call belong to the j-th token of all rows of its call. As the first processor it gets the model's own scores.
    """

    def __init__(self) -> None:
        """Record one call of `generate()`."""
        self._ids: list[npt.NDArray[np.int32]] = []
        self._logprobs: list[npt.NDArray[np.float32]] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores: `float32[B, V]`."""
        ids, logprobs = highest(scores.float(), NUM_TOP)
        self._ids.append(ids.to("cpu", torch.int32).numpy())
        self._logprobs.append(logprobs.cpu().numpy())
        return scores

    def of_row(self, row: int, num_tokens: int) -> TopTokens:
        """The likeliest tokens at the positions of the first `num_tokens` tokens of a row."""
        ids, logprobs = (np.stack([each[row] for each in kept[:num_tokens]]) for kept in (self._ids, self._logprobs))
        return ids, logprobs
