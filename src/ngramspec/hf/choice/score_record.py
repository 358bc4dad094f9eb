"""Scores and logits for `return_dict_in_generate`, one entry per emitted token."""

from typing import Any, TypeAlias

from torch import Tensor

from ngramspec.hf.seam import GenerationConfig

Scores: TypeAlias = "tuple[Tensor, ...] | None"
"""Per emitted token `float32[B, V]`; None if they are not recorded."""


class ScoreRecord:
    """Records scores (processed) and logits (raw), if the call asks for them.

    In a batch each entry holds all rows, finished ones with padding, as in plain `generate()`.
    """

    def __init__(self, config: GenerationConfig) -> None:
        """Record what `config` asks for."""
        wants: Any = bool(config.return_dict_in_generate)
        self._scores: list[Tensor] | None = [] if wants and config.output_scores else None
        self._logits: list[Tensor] | None = [] if wants and config.output_logits else None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is recorded."""
        return self._scores is not None or self._logits is not None

    def add(self, scores: Tensor, logits: Tensor) -> None:
        """Record one position: `float32[B, V]` each."""
        if self._scores is not None:
            self._scores.append(scores)
        if self._logits is not None:
            self._logits.append(logits)

    @property
    def scores(self) -> Scores:
        """Processed scores so far."""
        return None if self._scores is None else tuple(self._scores)

    @property
    def logits(self) -> Scores:
        """Logits so far."""
        return None if self._logits is None else tuple(self._logits)
