"""One `generate()` call, as transformers hands it to a decoding loop."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ngramspec.drafting import TokenArray
from ngramspec.hf.choice.stopping import Stops
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.facts.alignment import why_aligned
from ngramspec.hf.rows.given_cache import GivenCache
from ngramspec.hf.seam import CACHE, GenerationConfig, LogitsProcessorList, StoppingCriteriaList, mask_length_of
from ngramspec.hf.types import Model


@dataclass(frozen=True, slots=True)
class Request:
    """Inputs are expanded already, special tokens and limits resolved, processors and criteria merged.

    A text lies in the *slots* of a cache, padding included. They are the columns of `input_ids`, except in a chat that
    is continued with its new tokens alone: the tokens before those have slots too, told by the mask.

    input_ids: `int64[B, P]`, padded; of an encoder-decoder model the decoder's.
    model_kwargs: what else `generate()` would feed the model. stream: where tokens go as they are made.
    source_ids: `[B', S]`, what `generate()` was called with: an encoder's input, or else `input_ids`; None if unknown.
    tried_width: tokens of the widest pass that a model with strangers was tried with (`trial.py`); None for known ones.
    """

    model: Model
    input_ids: Tensor
    processors: LogitsProcessorList
    criteria: StoppingCriteriaList
    config: GenerationConfig
    model_kwargs: dict[str, Any]
    stream: Stream | None
    source_ids: Tensor | None
    tried_width: int | None = None

    def is_ragged(self) -> bool:
        """Whether each row may lie at a slot of its own. It looks at the model and its inputs: to be asked once."""
        return why_aligned(self.model, self.given_inputs) is None

    @property
    def has_strangers(self) -> bool:
        """Whether something in the model may go by the row (`strangers.py`), so that no row may be dropped."""
        return self.tried_width is not None

    @property
    def has_encoder(self) -> bool:
        """Whether the model reads its prompt with an encoder, and `input_ids` are only how an answer starts."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def given_inputs(self) -> list[str]:
        """Names of the inputs that hold something; for a text alone, a model that could see is given no pictures."""
        return [
            name
            for name, value in self.model_kwargs.items()
            if value is not None and not (isinstance(value, dict) and not value)
        ]

    @property
    def mask(self) -> Tensor | None:
        """`[B, S]` over the prompt's S slots, 0 where there is padding; None where nothing is."""
        return self.model_kwargs.get("decoder_attention_mask" if self.has_encoder else "attention_mask")

    @property
    def position_ids(self) -> Tensor:
        """`int64[B, S]` over the prompt's slots."""
        positions = self.model_kwargs.get("decoder_position_ids" if self.has_encoder else "position_ids")
        if positions is None or positions.dim() != 2:  # several positions per token are the model's own affair
            positions = torch.arange(self.num_slots, device="cpu")[None]
        if positions.shape[1] < self.num_slots:  # of the new tokens alone
            positions = torch.nn.functional.pad(positions, (self.num_slots - positions.shape[1], 0))
        return positions.expand(len(self.input_ids), -1)

    @property
    def num_slots(self) -> int:
        """Slots that the prompt takes: P, and those of earlier tokens that `input_ids` leaves out."""
        # A mask of ones is forgotten, all but its length.
        lengths = [self.input_ids.shape[1], mask_length_of(self.config)]
        positions = self.model_kwargs.get("position_ids")
        for given in (self.mask, positions):
            lengths += [] if given is None else [given.shape[-1]]
        return max(lengths)

    @property
    def most_slots(self) -> int:
        """Slots that the longest text may come to take."""
        return self.num_slots + max(0, self.stops.max_length - self.input_ids.shape[1])

    @property
    def cache(self) -> GivenCache:
        """The cache that the call came with."""
        return GivenCache(self.model_kwargs[CACHE])

    @property
    def keeps_cache(self) -> bool:
        """Whether somebody will look at the cache afterwards: it must then hold what plain decoding leaves there."""
        return bool(self.config.return_dict_in_generate) or self.cache.is_callers

    @property
    def stops(self) -> Stops:
        """The criteria, with the limit that holds."""
        return Stops(self.criteria, self.config.max_length)

    @property
    def num_positions(self) -> tuple[int, int]:
        """Positions that the shortest prompt takes, and those that the longest text may come to take."""
        taken = self.position_ids[:, -1] + 1
        return int(taken.min()), int(taken.max()) + self.stops.max_length - self.input_ids.shape[1]

    @property
    def references(self) -> list[list[TokenArray]]:
        """The texts that rows may copy from beside their own, each row by row: what an encoder read, if it read ids."""
        source = self.source_ids
        if not self.has_encoder or source is None or source.dim() != 2 or source.is_floating_point():
            return []
        if bool((source < 0).any()):  # transformers' stand-in for ids where the encoder's output is given ready-made
            return []
        mask = self.model_kwargs.get("attention_mask")
        num_copies = len(self.input_ids) // len(source)  # num_return_sequences
        ids = source.repeat_interleave(num_copies, dim=0).cpu().numpy().astype(np.int32)
        real = np.ones(ids.shape, bool) if mask is None else mask.cpu().numpy() != 0
        return [[text[kept] for text, kept in zip(ids, real, strict=True)]]
