"""A guard's masks for any text, read anew from its start: for choices that are redone."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ngramspec.guards import Guard
from ngramspec.guards.processor import masked
from ngramspec.guards.types import num_words


class Rereading:
    """A logits processor that keeps no state: it may be asked about texts in any order.

    It costs a whole text per token, which is why `guard.processor()` follows one text.
    """

    def __init__(self, guard: Guard, eos_tokens: Sequence[int], start: int) -> None:
        """start: the column that the first emitted token is in."""
        self._guard = guard
        self._eos_tokens = eos_tokens
        self._start = start

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` `float32[B, V]`, masked for the text `input_ids` `int64[B, L]`."""
        bits = np.zeros((len(scores), num_words(len(self._guard.vocabulary))), np.int32)
        for row, text in enumerate(input_ids.tolist()):
            tokens = text[self._start :]
            matcher = self._guard.matcher(self._eos_tokens, prompt=text[: self._start])
            end = next((place for place, token in enumerate(tokens) if token in self._eos_tokens), len(tokens))
            matcher.advance(tokens[: end + 1])
            if matcher.ended:
                bits[row] = -1  # what follows is padding
            else:
                matcher.fill((), bits[row : row + 1])
        return masked(scores, bits)
