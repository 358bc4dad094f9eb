"""Ends a row at the token that completes a stop string."""

from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.seam import StoppingCriteria
from ngramspec.serve.text.answer_text import AnswerText


class StopText(StoppingCriteria):
    """Reads the text of one row as it grows.

    transformers' own criterion matches stop strings against tokens, and first goes through the whole vocabulary. This
    one reads the text itself, as the client gets it.
    """

    def __init__(self, text: AnswerText, prompt_length: int) -> None:
        """text: has the stop strings, and no tokens yet."""
        self._text, self._num_read = text, prompt_length

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """input_ids: `int64[1, P + emitted]`."""
        self._text.feed(input_ids[0, self._num_read :].tolist())
        self._num_read = input_ids.shape[1]
        return torch.full((1,), self._text.stop is not None, device=input_ids.device)
