"""One layer of the cache, and where a pass writes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.seam import CacheLayerMixin

CHUNK = 256
"""Minimum growth of the capacity, in slots."""


@dataclass(slots=True)
class Placement:
    """Where the next forward pass writes; one record for all layers.

    Layers refer to this, not to their cache: a reference cycle would keep gigabytes alive until a garbage collection.

    num_lines, capacity: lines to allocate, and slots of each; 0 lines: as many as the first pass has rows.
    lines: those of the pass, one per row; None for all.
    extent: slots that the pass attends to. width: columns of its block.
    run: the slots of all rows, if they write the same ones; writing to a slice is by far the fastest.
    rows, slots: otherwise, the slots that each row of the pass writes: `int64[R, 1]`, `int64[R, Q]`.
    """

    num_lines: int = 0
    capacity: int = 0
    lines: slice | None = None
    extent: int = 0
    width: int = 0
    run: slice | None = None
    rows: Tensor | None = None
    slots: Tensor | None = None

    @property
    def is_alone(self) -> bool:
        """Whether nothing is cached before the block; the model then masks it as it masks any prompt."""
        return self.run is not None and self.run.start == 0

    def read(self, buffer: Tensor) -> Tensor:
        """The lines of `buffer` `[lines, H, capacity, D]` in this pass: a view `[R, H, capacity, D]`."""
        return buffer if self.lines is None else buffer[self.lines]

    def write(self, buffer: Tensor, states: Tensor) -> None:
        """Write `states` `[R, H, Q, D]` into `buffer` `[R, H, capacity, D]`."""
        if self.run is not None:
            buffer[:, :, self.run] = states
            return
        assert self.rows is not None
        assert self.slots is not None
        device = buffer.device
        buffer[self.rows.to(device), :, self.slots.to(device)] = states.transpose(1, 2)


class RaggedLayer(CacheLayerMixin):
    """One layer's keys and values, `[lines, H, capacity, D]`, written where the placement says."""

    is_sliding = False  # every layer stores all slots; only the mask makes a window

    def __init__(self, placement: Placement) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.placement = placement

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate the current capacity, as zeros, because a NaN poisons attention even if masked."""
        num_lines = self.placement.num_lines or key_states.shape[0]
        self.keys = _zeros_like(key_states, num_lines, self.placement.capacity)
        self.values = _zeros_like(value_states, num_lines, self.placement.capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[R, H, Q, D]` at the slots of this pass; return what its queries attend to, `[R, H, T, D]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        self.make_room()
        placement = self.placement
        keys, values = placement.read(self.keys), placement.read(self.values)
        placement.write(keys, key_states)
        placement.write(values, value_states)
        if placement.is_alone:  # nothing is cached before the block, so queries see the block only
            return key_states, value_states
        return keys[:, :, : placement.extent], values[:, :, : placement.extent]

    def update_indexer(self, indexer_key_states: Tensor) -> Tensor:
        """Keys `[R, T, D]` by which a sparse attention ranks the slots of this pass; new keys are `[R, Q, D]`.

        They are all equal, and none is kept: the attention takes all that it sees, whatever their ranks, because longer
        texts are decoded plainly (`facts.layers.most_ranked`).
        """
        rows, width, size = indexer_key_states.shape
        num_slots, _ = self.get_mask_sizes(width)
        return indexer_key_states.new_zeros(1).expand(rows, num_slots, size)

    @property
    def indexer_position_ids(self) -> Tensor | None:
        """Positions of those keys before this pass, `int64[3, R, t]`, all 0; None before the first pass."""
        if self.keys is None:
            return None
        lines, all_lines = self.placement.lines, self.placement.num_lines or len(self.keys)
        num_rows = all_lines if lines is None else lines.stop - lines.start
        return self.keys.new_zeros((3, num_rows, self.get_seq_length()), dtype=torch.long)

    @indexer_position_ids.setter
    def indexer_position_ids(self, positions: Tensor) -> None:
        """None is kept either."""

    def make_room(self) -> None:
        """Grow to the lines and the capacity of the placement."""
        placement = self.placement
        if self.keys is None or self.values is None:
            return
        if self.keys.shape[0] < placement.num_lines or self.keys.shape[2] < placement.capacity:
            self.keys = _grown(self.keys, placement.num_lines, placement.capacity)
            self.values = _grown(self.values, placement.num_lines, placement.capacity)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length of the keys that `update` returns, and the first one's offset (always 0)."""
        return (query_length if self.placement.is_alone else self.placement.extent), 0

    def get_seq_length(self) -> int:
        """Slots before the longest row's first query."""
        return self.placement.extent - self.placement.width

    def get_max_length(self) -> int:
        """No maximum."""
        return -1

    def load(self, keys: Tensor, values: Tensor, end: int) -> None:
        """Load keys and values `[R, H, t, D]` of the slots from `end - t` to `end`."""
        self.lazy_initialization(keys, values)
        assert self.keys is not None
        assert self.values is not None
        start = end - keys.shape[2]
        self.keys[:, :, start:end], self.values[:, :, start:end] = keys, values

    @property
    def states(self) -> tuple[Tensor, ...]:
        """Keys and values; nothing before the first pass."""
        if not self.is_initialized:
            return ()
        assert self.keys is not None
        assert self.values is not None
        return self.keys, self.values

    def keep_lines(self, num_lines: int) -> None:
        """Free the lines from `num_lines` on."""
        if self.is_initialized:
            self.keys, self.values = (states[:num_lines].clone() for states in self.states)


def _zeros_like(states: Tensor, num_lines: int, capacity: int) -> Tensor:
    _, heads, _, width = states.shape
    return states.new_zeros((num_lines, heads, capacity, width))


def _grown(buffer: Tensor, num_lines: int, capacity: int) -> Tensor:
    lines, _, slots, _ = buffer.shape
    grown = _zeros_like(buffer, max(lines, num_lines), max(slots, capacity))
    grown[:lines, :, :slots] = buffer
    return grown
