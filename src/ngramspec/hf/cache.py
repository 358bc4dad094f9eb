"""A key/value cache whose rows advance by different amounts, and whose rollback moves an integer.

Every row of a pass writes its keys and values at its own offset. Slots behind a row's length hold leftovers of
rejected drafts: nothing attends to them, and the next pass overwrites them. Nothing is ever copied or cropped.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

CHUNK = 256
"""Slots by which capacity grows at least."""


class RaggedLayer(CacheLayerMixin):
    """One layer's keys and values, `[R, H, capacity, D]`, written where the cache says."""

    is_sliding = False  # full-length storage for every layer: a window is a matter of the mask

    def __init__(self, cache: "RaggedCache") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room for the cache's current extent. Zeros, because a masked NaN still poisons attention."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = _zeros_like(key_states, self.cache.capacity)
        self.values = _zeros_like(value_states, self.cache.capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[R, H, Q, D]` at the slots of this pass; return what its queries attend to, `[R, H, T, D]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        if self.keys.shape[2] < self.cache.capacity:
            self.keys = _grown(self.keys, self.cache.capacity)
            self.values = _grown(self.values, self.cache.capacity)
        self.cache.write(self.keys, key_states)
        self.cache.write(self.values, value_states)
        if self.cache.is_alone:  # nothing lies before the block, so the block itself is all there is to see
            return key_states, value_states
        extent = self.cache.extent
        return self.keys[:, :, :extent], self.values[:, :, :extent]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length of the keys that `update` returns, and the first one's offset (always 0)."""
        return (query_length if self.cache.is_alone else self.cache.extent), 0

    def get_seq_length(self) -> int:
        """Slots before the longest row's first query."""
        return self.cache.start

    def get_max_length(self) -> int:
        """No maximum."""
        return -1

    def select(self, rows: Tensor) -> None:
        """Keep these rows, `int64[n]`, in this order."""
        if self.is_initialized:
            assert self.keys is not None
            assert self.values is not None
            self.keys = self.keys.index_select(0, rows.to(self.keys.device))
            self.values = self.values.index_select(0, rows.to(self.values.device))


class RaggedCache(Cache):
    """Keys and values of all layers. `place` says where the next forward pass writes.

    capacity: slots allocated per row. extent: slots that the current pass attends to. start: slots that lie before the
    longest row's block. is_alone: the block is all there is; the model masks it as it masks any prompt.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[RaggedLayer(self) for _ in range(num_layers)])
        self.capacity = 0
        self.extent = 0
        self.start = 0
        self.is_alone = False
        self._slots: Tensor
        self._run: slice | None = None

    def place(self, slots: Tensor, extent: int, first: int | None) -> None:
        """Announce a pass: its keys go to `slots` `int64[R, Q]`, its queries attend to `extent` slots at most.

        first: the first slot of each row, if all rows write the same run of slots; a plain slice is much the fastest.
        """
        self.start = extent - slots.shape[1]
        self.extent = extent
        self.is_alone = first == 0
        self._slots = slots
        self._run = None if first is None else slice(first, first + slots.shape[1])
        if extent > self.capacity:
            self.capacity = extent + max(CHUNK, extent // 4)

    def write(self, buffer: Tensor, states: Tensor) -> None:
        """Write `states` `[R, H, Q, D]` into `buffer` `[R, H, capacity, D]` at this pass's slots."""
        if self._run is not None:
            buffer[:, :, self._run] = states
            return
        slots = self._slots.to(buffer.device)
        rows = torch.arange(buffer.shape[0], device=buffer.device)[:, None]
        buffer[rows, :, slots] = states.transpose(1, 2)

    def select(self, rows: list[int]) -> None:
        """Keep these rows, in this order: rows that have finished stop costing anything."""
        index = torch.tensor(rows)
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
