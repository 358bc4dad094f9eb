"""A key/value cache whose rows advance by different amounts, and whose rollback moves an integer.

Every row of a pass writes its keys and values at its own offset. Slots behind a row's length hold leftovers of
rejected drafts: nothing attends to them, and the next pass overwrites them, so taking a step back copies nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ngramspec.hf.seam import Cache, CacheLayerMixin

CHUNK = 256
"""Slots by which capacity grows at least."""


@dataclass(slots=True)
class Placement:
    """Where the next forward pass writes; one record for all layers.

    Layers share this and not their cache: a reference back would keep gigabytes alive until a garbage collection.

    capacity: slots to allocate per row. extent: slots that the pass attends to. width: columns of its block.
    run: the slots of every row, where all rows write the same ones; a plain slice is much the fastest.
    rows, slots: else the places `int64[R, 1]`, `int64[R, Q]`.
    """

    capacity: int = 0
    extent: int = 0
    width: int = 0
    run: slice | None = None
    rows: Tensor | None = None
    slots: Tensor | None = None

    @property
    def is_alone(self) -> bool:
        """Whether the block is all there is; the model then masks it as it masks any prompt."""
        return self.run is not None and self.run.start == 0

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
    """One layer's keys and values, `[R, H, capacity, D]`, written where the placement says."""

    is_sliding = False  # full-length storage for every layer: a window is a matter of the mask

    def __init__(self, placement: Placement) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.placement = placement

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room for the current capacity. Zeros, because a masked NaN still poisons attention."""
        self.keys = _zeros_like(key_states, self.placement.capacity)
        self.values = _zeros_like(value_states, self.placement.capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[R, H, Q, D]` at the slots of this pass; return what its queries attend to, `[R, H, T, D]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        placement = self.placement
        if self.keys.shape[2] < placement.capacity:
            self.keys = _grown(self.keys, placement.capacity)
            self.values = _grown(self.values, placement.capacity)
        placement.write(self.keys, key_states)
        placement.write(self.values, value_states)
        if placement.is_alone:  # nothing lies before the block, so the block itself is all there is to see
            return key_states, value_states
        return self.keys[:, :, : placement.extent], self.values[:, :, : placement.extent]

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
        """Take in keys and values `[R, H, t, D]` of the slots `end - t` to `end`."""
        self.lazy_initialization(keys, values)
        assert self.keys is not None
        assert self.values is not None
        start = end - keys.shape[2]
        self.keys[:, :, start:end], self.values[:, :, start:end] = keys, values

    def select(self, rows: Tensor) -> None:
        """Keep these rows, `int64[n]`, in this order."""
        if self.is_initialized:
            assert self.keys is not None
            assert self.values is not None
            index = rows.to(self.keys.device)
            self.keys = self.keys.index_select(0, index)
            self.values = self.values.index_select(0, index)


class RaggedCache(Cache):
    """Keys and values of all layers. `place` or `place_run` says where the next forward pass writes."""

    def __init__(self, num_layers: int, most_slots: int | None = None) -> None:
        """Start empty; most_slots: room for more than so many per row is not made ahead of need."""
        self.placement = Placement()
        self._most_slots = most_slots
        super().__init__(layers=[RaggedLayer(self.placement) for _ in range(num_layers)])

    def place(self, slots: Tensor, extent: int, first: int | None) -> None:
        """Announce a pass: its keys go to `slots` `int64[R, Q]`, its queries attend to `extent` slots at most.

        first: the first slot of each row, if all rows write the same run of slots.
        """
        self._announce(extent, slots.shape[1], first)
        if first is None:
            self.placement.slots = slots
            self.placement.rows = torch.arange(slots.shape[0], device=slots.device)[:, None]

    def place_run(self, first: int, width: int) -> None:
        """Announce a pass in which every row writes the `width` slots from `first` on."""
        self._announce(first + width, width, first)

    def _announce(self, extent: int, width: int, first: int | None) -> None:
        placement = self.placement
        placement.extent, placement.width = extent, width
        placement.run = None if first is None else slice(first, first + width)
        if extent > placement.capacity:
            grown = extent + max(CHUNK, extent // 4)
            placement.capacity = grown if self._most_slots is None else max(extent, min(grown, self._most_slots))

    def load(self, layers: Sequence[tuple[Tensor, Tensor] | None], length: int) -> None:
        """Take in keys and values `[R, H, t, D]` of each layer, of the last t of `length` slots; None: it has none."""
        self._announce(length, 0, None)
        for layer, states in zip(self.layers, layers, strict=False):
            assert isinstance(layer, RaggedLayer)
            if states is not None:
                layer.load(*states, length)

    def wipe(self, lengths: Mapping[int, int]) -> None:
        """Put zeros after the first `lengths[row]` slots of each row: of what is masked, NaN and inf still poison."""
        for layer in self.layers:
            assert isinstance(layer, RaggedLayer)
            for states in (layer.keys, layer.values) if layer.is_initialized else ():
                assert states is not None
                for row, length in lengths.items():
                    states[row, :, length:] = 0

    def select(self, rows: list[int]) -> None:
        """Keep these rows, in this order: rows that have finished stop costing anything."""
        index = torch.tensor(rows, device="cpu")
        for layer in self.layers:
            assert isinstance(layer, RaggedLayer)
            layer.select(index)


def _zeros_like(states: Tensor, capacity: int) -> Tensor:
    rows, heads, _, width = states.shape
    return states.new_zeros((rows, heads, capacity, width))


def _grown(buffer: Tensor, capacity: int) -> Tensor:
    grown = _zeros_like(buffer, capacity)
    grown[:, :, : buffer.shape[2]] = buffer
    return grown
