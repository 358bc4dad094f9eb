"""Compares the logits that drafts were verified by with those of plain decoding.

A wrong mask need not change a text of which the model is sure, but the logits show it. They are taken from the model's
own forward passes, and matched with the row's text by the token of each column and its slot.
"""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.facts.rounding import largest_difference
from ngramspec.hf.seam import CACHE
from ngramspec.hf.types import Model


class LogitsWatch:
    """Records ids, slots in the text, and logits of every pass over a single row, within its block."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._passes: list[tuple[Tensor, Tensor, Tensor]] = []

    def __enter__(self) -> "LogitsWatch":
        """Start."""
        self._hooks = [
            self._model.register_forward_pre_hook(self._note_reading, with_kwargs=True),
            self._model.register_forward_hook(self._note_logits),
        ]
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        for hook in self._hooks:
            hook.remove()

    def _note_reading(self, model: Model, _args: Any, kwargs: dict[str, Any]) -> None:
        ids = kwargs["decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"][0]
        start = kwargs[CACHE].get_seq_length()  # one row: its slots are a run
        columns = torch.arange(len(ids), device=ids.device)
        if kwargs.get("position_ids") is not None:  # of a tree, siblings have one position
            positions = kwargs["position_ids"][..., 0, :].reshape(-1, len(ids))[0]
            columns = positions - positions[0]
        self._reading = ids, start + columns

    def _note_logits(self, _model: Model, _args: Any, output: Any) -> None:
        self._passes.append((*self._reading, output.logits[0].clone()))

    def largest_difference(self, text: Tensor, plain: Tensor) -> float | None:
        """Difference from `plain` `[n, V]`, which predicted the last n tokens of `text` `int64[P + n]`, or None.

        The row must have emitted `text` too. A column counts if it and all before it in its pass read tokens of the
        text: after a rejected draft token, logits are of another text.
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
    """Whether a difference of logits beyond rounding is a defect even if the texts are equal.

    In half precision it is only reported: there, rounding flips the router of a mixture of experts, and logits jump.
    """
    return torch.finfo(logits.dtype).bits >= 32
