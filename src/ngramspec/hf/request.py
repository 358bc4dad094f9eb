"""One `generate()` call, as transformers hands it to a decoding loop."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.generation.configuration_utils import GenerationConfig
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteriaList

from ngramspec.hf.stopping import Stops
from ngramspec.hf.streaming import Stream
from ngramspec.hf.types import Model


@dataclass(frozen=True, slots=True)
class Request:
    """Inputs are expanded already, special tokens and limits resolved, processors and criteria merged.

    input_ids: `int64[B, P]`, padded. model_kwargs: what else `generate()` would feed the model. stream: where tokens
    go as they are made.
    """

    model: Model
    input_ids: Tensor
    processors: LogitsProcessorList
    criteria: StoppingCriteriaList
    config: GenerationConfig
    model_kwargs: dict[str, Any]
    stream: Stream | None

    @property
    def mask(self) -> Tensor | None:
        """`[B, P]`, 0 where the prompt is padding; None where nothing is."""
        return self.model_kwargs.get("attention_mask")

    @property
    def position_ids(self) -> Tensor:
        """`int64[B, P]`."""
        positions = self.model_kwargs.get("position_ids")
        if positions is None:
            positions = torch.arange(self.input_ids.shape[1])[None]
        return positions.expand(self.input_ids.shape)

    @property
    def stops(self) -> Stops:
        """The criteria, with the limit that holds."""
        return Stops(self.criteria, self.config.max_length)

    @property
    def num_positions(self) -> tuple[int, int]:
        """Positions that the shortest prompt takes, and those that the longest text may come to take."""
        taken = self.position_ids[:, -1] + 1
        return int(taken.min()), int(taken.max()) + self.stops.max_length - self.input_ids.shape[1]
