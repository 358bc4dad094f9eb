"""A call's logits processors in order, guards among them."""

from collections.abc import Sequence

from torch import Tensor

from ngramspec.hf.choice.masks import RowMasks, mask_lines
from ngramspec.hf.seam import LogitsProcessorList

LineOwner = tuple[RowMasks, int]
"""The owner of a line of scores: a row, by its masks, and a position of its draft."""


class Processors:
    """A call's logits processors in order, guards among them.

    others: all but the guards.
    """

    def __init__(self, processors: Sequence[object], is_guard: Sequence[bool]) -> None:
        """is_guard: for each of `processors`; guards are numbered in order."""
        self.others = LogitsProcessorList()
        self._steps: list[LogitsProcessorList | int] = []
        for processor, guards in zip(processors, is_guard, strict=True):
            if guards:
                self._steps.append(sum(isinstance(step, int) for step in self._steps))
                continue
            self.others.append(processor)
            if not self._steps or isinstance(self._steps[-1], int):
                self._steps.append(LogitsProcessorList())
            self._steps[-1].append(processor)  # type: ignore[union-attr]

    @property
    def names(self) -> list[str]:
        """Class names of `others`."""
        return [type(processor).__name__ for processor in self.others]

    def __call__(self, input_ids: Tensor, scores: Tensor, owners: Sequence[LineOwner | None]) -> Tensor:
        """Process `scores` `float32[n, V]` of the texts `input_ids` `int64[n, L]`.

        owners: the owner of each line; None if it does not matter.
        """
        for step in self._steps:
            if isinstance(step, int):
                scores = mask_lines(scores, [each and each[0].bits(step, each[1]) for each in owners])
            else:
                scores = step(input_ids, scores)  # type: ignore[arg-type]
        return scores
