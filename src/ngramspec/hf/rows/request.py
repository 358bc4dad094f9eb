"""One `generate()` call, as transformers passes it to a decoding loop."""

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
    """A call whose inputs are already expanded, special tokens and limits resolved, processors and criteria merged.

    A text takes *slots* of a cache, padding included. They are the columns of `input_ids`, except in a chat that is
    continued with its new tokens only: the earlier tokens have slots, too, as the mask says.

    input_ids: `int64[B, P]`, padded; of an encoder-decoder model the decoder's.
    model_kwargs: other inputs that `generate()` would feed the model. stream: where tokens go as they are made.
    inputs_tensor: `[B', S]`, the input of `generate()`: an encoder's input, or `input_ids`; None if unknown.
    tried_width: tokens of the widest pass that a model with untried parts passed its trial with; None for known models.
    takes_trees: whether drafts may be trees, if rows have slots of their own; models with untried parts are tried.
    """

    model: Model
    input_ids: Tensor
    processors: LogitsProcessorList
    criteria: StoppingCriteriaList
    config: GenerationConfig
    model_kwargs: dict[str, Any]
    stream: Stream | None
    inputs_tensor: Tensor | None
    tried_width: int | None = None
    takes_trees: bool = True

    def is_ragged(self) -> bool:
        """Whether each row may have slots of its own. Searches the model and its inputs: call it once."""
        return why_aligned(self.model, self.given_inputs) is None

    @property
    def has_strangers(self) -> bool:
        """Whether some part of the model may depend on the row index, so that no row may be dropped."""
        return self.tried_width is not None

    @property
    def has_encoder(self) -> bool:
        """Whether the model reads its prompt with an encoder, and `input_ids` only start the answer."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def given_inputs(self) -> list[str]:
        """Names of the inputs that are not empty: a model for images gets none with text alone."""
        return [
            name
            for name, value in self.model_kwargs.items()
            if value is not None and not (isinstance(value, dict) and not value)
        ]

    @property
    def mask(self) -> Tensor | None:
        """`[B, S]` over the prompt's S slots, 0 where there is padding; None without padding."""
        return self.model_kwargs.get("decoder_attention_mask" if self.has_encoder else "attention_mask")

    @property
    def position_ids(self) -> Tensor:
        """`int64[B, S]` over the prompt's slots."""
        positions = self._given_positions
        if positions is not None and positions.dim() == 3 and not self.has_several_positions:
            positions = positions[0]
        if positions is None or positions.dim() != 2:  # several positions per token are left to the model
            positions = torch.arange(self.num_slots, device="cpu")[None]
        if positions.shape[1] < self.num_slots:  # of the new tokens only
            positions = torch.nn.functional.pad(positions, (self.num_slots - positions.shape[1], 0))
        return positions.expand(len(self.input_ids), -1)

    @property
    def has_several_positions(self) -> bool:
        """Whether a token of the prompt has different positions in text, time, height and width, as images have."""
        positions = self._given_positions
        return positions is not None and positions.dim() == 3 and bool((positions != positions[:1]).any())

    @property
    def _given_positions(self) -> Tensor | None:
        """`int64[B, S]`, or with several positions per token `int64[N, B, S]`."""
        return self.model_kwargs.get("decoder_position_ids" if self.has_encoder else "position_ids")

    @property
    def num_slots(self) -> int:
        """Slots that the prompt takes: P, and those of earlier tokens that `input_ids` leaves out."""
        # generate() keeps only the length of a mask of ones.
        lengths = [self.input_ids.shape[1], mask_length_of(self.config)]
        positions = self.model_kwargs.get("position_ids")
        for given in (self.mask, positions):
            lengths += [] if given is None else [given.shape[-1]]
        return max(lengths)

    @property
    def most_slots(self) -> int:
        """The most slots that a text may take."""
        return self.num_slots + max(0, self.stops.max_length - self.input_ids.shape[1])

    @property
    def cache(self) -> GivenCache:
        """The cache that was passed in the call."""
        return GivenCache(self.model_kwargs.get(CACHE))

    @property
    def keeps_cache(self) -> bool:
        """Whether the caller gets the cache: it must then have the content that plain decoding leaves there."""
        return bool(self.config.return_dict_in_generate) or self.cache.is_callers

    @property
    def stops(self) -> Stops:
        """The criteria, with the limit that applies."""
        return Stops(self.criteria, self.config.max_length)

    @property
    def num_positions(self) -> tuple[int, int]:
        """Positions that the shortest prompt takes, and the most that a text may take."""
        taken = self.position_ids[:, -1] + 1
        return int(taken.min()), int(taken.max()) + self.stops.max_length - self.input_ids.shape[1]

    @property
    def references(self) -> list[list[TokenArray]]:
        """Texts besides their own that rows may copy from, each row by row: the encoder's input, if it was ids."""
        read = self.inputs_tensor
        if not self.has_encoder or read is None or read.dim() != 2 or read.is_floating_point():
            return []
        if bool((read < 0).any()):  # transformers' stand-in for ids if the caller passed the encoder's output
            return []
        mask = self.model_kwargs.get("attention_mask")
        num_copies = len(self.input_ids) // len(read)  # num_return_sequences
        ids = read.repeat_interleave(num_copies, dim=0).cpu().numpy().astype(np.int32)
        real = np.ones(ids.shape, bool) if mask is None else mask.cpu().numpy() != 0
        return [[text[kept] for text, kept in zip(ids, real, strict=True)]]
