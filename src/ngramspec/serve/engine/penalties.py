"""OpenAI's penalties on tokens that the answer already has."""

import torch
from torch import Tensor

from ngramspec.hf.seam import LogitsProcessor


class Penalties(LogitsProcessor):
    """Subtracts `presence + n * frequency` from the score of a token that the answer has n times.

    The prompt does not count. The definition is from OpenAI's API reference.
    """

    def __init__(self, presence: float, frequency: float, prompt_length: int) -> None:
        self._presence, self._frequency = presence, frequency
        self._prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """input_ids: `int64[n, P + emitted]`. scores: `float32[n, V]`."""
        emitted = input_ids[:, self._prompt_length :]
        ones = torch.ones_like(emitted, dtype=scores.dtype)
        counts = torch.zeros_like(scores).scatter_add_(1, emitted, ones)
        return scores - self._presence * (counts > 0) - self._frequency * counts
