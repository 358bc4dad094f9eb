"""A key/value cache whose rows advance by different amounts, and whose rollback moves an integer.

A row lies in a line of the cache. Every row of a pass writes its keys and values at its own offset. Slots after a row's
length hold leftovers of rejected drafts: nothing attends to them, and the next pass overwrites them, so taking a step
back copies nothing. A pass reads a run of lines, so rows that are not in it cost nothing.
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

    num_lines, capacity: lines to allocate, and slots of each; no lines: as many as the first pass has rows.
    lines: those of the pass, one per row; None: all of them.
    extent: slots that the pass attends to. width: columns of its block.
    run: the slots of every row, where all rows write the same ones; a plain slice is much the fastest.
    rows, slots: else where each row of the pass writes: `int64[R, 1]`, `int64[R, Q]`.
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
        """Whether the block is all there is; the model then masks it as it masks any prompt."""
        return self.run is not None and self.run.start == 0

    def read(self, buffer: Tensor) -> Tensor:
        """What the pass reads and writes of `buffer` `[lines, H, capacity, D]`: a view `[R, H, capacity, D]`."""
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

    is_sliding = False  # full-length storage for every layer: a window is a matter of the mask

    def __init__(self, placement: Placement) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.placement = placement

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room for the current capacity. Zeros, because a masked NaN still poisons attention."""
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
        if placement.is_alone:  # nothing lies before the block, so the block itself is all there is to see
            return key_states, value_states
        return keys[:, :, : placement.extent], values[:, :, : placement.extent]

    def make_room(self) -> None:
        """Grow to the lines and the capacity that the placement asks for."""
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
        """Take in keys and values `[R, H, t, D]` of the slots `end - t` to `end`."""
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
        """Let go of the lines from `num_lines` on."""
        if self.is_initialized:
            self.keys, self.values = (states[:num_lines].clone() for states in self.states)


class RaggedCache(Cache):
    """Keys and values of all layers. `place` or `place_run` says where the next forward pass writes."""

    def __init__(self, num_layers: int, most_slots: int | None = None) -> None:
        """Start empty; most_slots: room for more than so many per row is not made ahead of need."""
        self.placement = Placement()
        self._most_slots = most_slots
        super().__init__(layers=[RaggedLayer(self.placement) for _ in range(num_layers)])

    def place(self, slots: Tensor, extent: int, first: int | None, first_line: int = 0) -> None:
        """Announce a pass: its keys go to `slots` `int64[R, Q]`, its queries attend to `extent` slots at most.

        first: the first slot of each row, if all rows write the same run of slots. first_line: the line of the first
        row; the others follow.
        """
        self._announce(extent, slots.shape[1], first)
        placement, end = self.placement, first_line + slots.shape[0]
        placement.num_lines = max(placement.num_lines, end)
        placement.lines = None if (first_line, end) == (0, placement.num_lines) else slice(first_line, end)
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

    def reserve(self, num_lines: int, num_slots: int) -> None:
        """Have room for at least so many lines, and slots of each."""
        placement = self.placement
        before = placement.num_lines, placement.capacity
        placement.num_lines = max(placement.num_lines, num_lines)
        placement.capacity = max(placement.capacity, num_slots)
        try:
            for layer in self._layers():
                layer.make_room()
        except BaseException:  # no memory, for instance: layers that have grown have more than they need
            placement.num_lines, placement.capacity = before
            raise

    def load(self, layers: Sequence[tuple[Tensor, Tensor] | None], length: int) -> None:
        """Take in keys and values `[R, H, t, D]` of each layer, of the last t of `length` slots; None: it has none."""
        self._announce(length, 0, None)
        for layer, states in zip(self._layers(), layers, strict=False):
            if states is not None:
                self.placement.num_lines = states[0].shape[0]
                layer.load(*states, length)

    @property
    def bytes_per_slot(self) -> int:
        """Bytes that a slot of one line takes in all layers; 0 before the first pass."""
        return sum(states[0, :, 0].nbytes for states in self._states())

    def wipe(self, lengths: Mapping[int, int]) -> None:
        """Put zeros after the first `lengths[line]` slots of each line: of what is masked, NaN and inf still poison."""
        for states in self._states():
            for line, length in lengths.items():
                states[line, :, length:] = 0

    def swap(self, line: int, other: int, num_slots: int) -> None:
        """Let two lines change places, as far as their first `num_slots` slots go."""
        for states in self._states():
            held = states[line, :, :num_slots].clone()
            states[line, :, :num_slots] = states[other, :, :num_slots]
            states[other, :, :num_slots] = held

    def copy_line(self, line: int, to: int, num_slots: int) -> None:
        """Copy the first `num_slots` slots of `line` to another one, for which there is room."""
        for states in self._states():
            states[to, :, :num_slots] = states[line, :, :num_slots]

    def is_finite(self, line: int, num_slots: int) -> bool:
        """Whether the first `num_slots` slots of a line hold numbers alone."""
        return all(bool(states[line, :, :num_slots].isfinite().all()) for states in self._states())

    def keep_lines(self, num_lines: int) -> None:
        """Let go of the lines from `num_lines` on."""
        if num_lines < self.placement.num_lines:
            self.placement.num_lines = num_lines
            for layer in self._layers():
                layer.keep_lines(num_lines)

    def _layers(self) -> list[RaggedLayer]:
        return [layer for layer in self.layers if isinstance(layer, RaggedLayer)]

    def _states(self) -> list[Tensor]:
        return [states for layer in self._layers() for states in layer.states]


def _zeros_like(states: Tensor, num_lines: int, capacity: int) -> Tensor:
    _, heads, _, width = states.shape
    return states.new_zeros((num_lines, heads, capacity, width))


def _grown(buffer: Tensor, num_lines: int, capacity: int) -> Tensor:
    lines, _, slots, _ = buffer.shape
    grown = _zeros_like(buffer, max(lines, num_lines), max(slots, capacity))
    grown[:lines, :, :slots] = buffer
    return grown
