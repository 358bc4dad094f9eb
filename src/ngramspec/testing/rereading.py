"""A guard's masks for any text, read from its start each time: for redone choices."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ngramspec.guards import Guard, RowGuards
from ngramspec.guards.processor import masked
from ngramspec.guards.types import num_words


class Rereading:
    """A stateless logits processor: texts may come in any order.

    It reads a whole text per token; `guard.processor()` avoids that by following one text.
    """

    def __init__(self, guard: Guard | RowGuards, eos_tokens: Sequence[int], start: int) -> None:
        """start: the column of the first emitted token."""
        self._guards = Guard.per_row([guard]) if isinstance(guard, Guard) else guard
        self._eos_tokens = eos_tokens
        self._start = start

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` `float32[B, V]`, masked for the text `input_ids` `int64[B, L]`."""
        texts = input_ids.tolist()
        matchers = self._guards.matchers([text[: self._start] for text in texts], self._eos_tokens)
        scores = scores.clone()
        for row, (matcher, text) in enumerate(zip(matchers, texts, strict=True)):
            if matcher is None:
                continue
            tokens = text[self._start :]
            end = next((position for position, token in enumerate(tokens) if token in self._eos_tokens), len(tokens))
            matcher.advance(tokens[: end + 1])
            if not matcher.ended:  # what follows an end is padding
                bits = np.zeros((1, num_words(len(matcher.vocabulary))), np.int32)
                matcher.fill((), bits)
                scores[row : row + 1] = masked(scores[row : row + 1], bits)
        return scores
