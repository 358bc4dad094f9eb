"""Records answers of an engine, each once it has ended."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ngramspec.hf.choice.top_tokens import TopTokensRecorder

logger = logging.getLogger(__name__)

Record = Callable[
    [Sequence[int], Sequence[int], npt.NDArray[np.int32], npt.NDArray[np.float32], str | None],
    None,
]
"""Takes the prompt and the n tokens of an answer, the likeliest ids and their log probabilities `[n, K]` at each
position, and the segment; `replay.Recording.write` is one."""


@dataclass(slots=True)
class Recorded:
    """The recorded data of an answer. prompt: `int64[1, P]`."""

    prompt: Tensor
    segment: str | None
    top: TopTokensRecorder = field(default_factory=TopTokensRecorder)

    def with_recorder(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`arguments` of `generate()`, with the recorder before the caller's processors."""
        return {**arguments, "logits_processor": [self.top, *(arguments.get("logits_processor") or ())]}


class AnswerLog:
    """Records answers. num_lost: answers that could not be recorded; the first such error is logged."""

    def __init__(self, record: Record) -> None:
        self.num_lost = 0
        self._record = record

    def add(self, recorded: Recorded, emitted: Sequence[int]) -> None:
        """Record an answer. An error does not end the request, whose text is complete."""
        try:
            top = recorded.top.of_row(0, len(emitted))
            self._record(recorded.prompt[0].tolist(), emitted, *top, recorded.segment)
        except Exception:  # from the disk or the caller's code
            self.num_lost += 1
            if self.num_lost == 1:
                logger.exception("an answer could not be recorded; further ones are counted, and not logged")
