"""The logits that drafts were judged by, held against those of plain decoding.

A wrong mask need not change a text on which the model is sure of itself; the logits show it all the same. They are read
off the model's own forward passes, by the token and the position of each column.
"""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.types import Model
from ngramspec.testing.rounding import largest_difference


class Watch:
    """Keeps ids, positions and logits of every pass over a single row, while it is entered."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._passes: list[tuple[Tensor, Tensor, Tensor]] = []

    def __enter__(self) -> "Watch":
        """Start."""
        self._hook = self._model.register_forward_hook(self._note, with_kwargs=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self._hook.remove()

    def _note(self, _model: Model, _args: Any, kwargs: dict[str, Any], output: Any) -> None:
        if kwargs.get("position_ids") is not None and kwargs.get("input_ids") is not None:
            self._passes.append((kwargs["input_ids"][0], kwargs["position_ids"][0], output.logits[0].clone()))

    def largest_difference(self, text: Tensor, plain: Tensor) -> float | None:
        """From `plain` `[n, V]`, which said the last n tokens of `text` `int64[P + n]`; None if none can be compared.

        The row must have come to `text` too. A column counts if it and all before it in its pass read tokens of the
        text: behind a rejected draft token, logits are of another text.
        """
        prompt_length = len(text) - len(plain)
        differences = []
        for ids, positions, logits in self._passes:
            reads_text = (positions < len(text)) & (ids == text[positions.clamp(max=len(text) - 1)])
            emitted = positions + 1 - prompt_length
            counts = reads_text.cumprod(0).bool() & (emitted >= 0) & (emitted < len(plain))
            kept = counts[-len(logits) :]
            if bool(kept.any()):
                differences.append(largest_difference(plain[emitted[-len(logits) :][kept]], logits[kept]))
        return max(differences, default=None)


def judged(logits: Tensor) -> bool:
    """Whether a difference beyond what rounding explains is a defect, whatever the text.

    In half precision it is only told: there, rounding turns the router of a mixture of experts, and then logits jump.
    """
    return torch.finfo(logits.dtype).bits >= 32
