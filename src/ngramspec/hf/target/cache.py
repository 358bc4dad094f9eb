"""A key/value cache whose rows advance by different amounts, and whose rollback changes only an integer.

Each row has a line of the cache, and writes its keys and values at its own offset. Slots after a row's length hold
remains of rejected drafts: nothing attends to them, and the next pass overwrites them, so a rollback copies nothing. A
pass reads a run of lines; rows outside it cost nothing.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ngramspec.hf.seam import Cache
from ngramspec.hf.target.cache_layer import CHUNK, Placement, RaggedLayer


class RaggedCache(Cache):
    """Keys and values of all layers. `place` or `place_run` sets where the next forward pass writes."""

    def __init__(self, num_layers: int, most_slots: int | None = None) -> None:
        """Start empty. most_slots: the most slots per row that are allocated in advance."""
        self.placement = Placement()
        self._most_slots = most_slots
        Cache.__init__(self, layers=[RaggedLayer(self.placement) for _ in range(num_layers)])

    def place(self, slots: Tensor, extent: int, first: int | None, first_line: int = 0) -> None:
        """Announce a pass: its keys go to `slots` `int64[R, Q]`, its queries attend to at most `extent` slots.

        first: the first slot of each row, if all rows write the same run of slots. first_line: the line of the first
        row; the others follow.
        """
        self._announce(extent, slots.shape[1], first)
        placement, end = self.placement, first_line + slots.shape[0]
        placement.num_lines = max(placement.num_lines, end)
        placement.lines = None if (first_line, end) == (0, placement.num_lines) else slice(first_line, end)
        if first is None:
            placement.slots = slots
            if placement.rows is None or placement.rows.shape[0] != slots.shape[0]:
                placement.rows = torch.arange(slots.shape[0], device=slots.device)[:, None]

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
        """Make room for at least `num_lines` lines of at least `num_slots` slots."""
        placement = self.placement
        before = placement.num_lines, placement.capacity
        placement.num_lines = max(placement.num_lines, num_lines)
        placement.capacity = max(placement.capacity, num_slots)
        try:
            for layer in self._layers():
                layer.make_room()
        except BaseException:  # such as out of memory; layers that have grown keep the surplus
            placement.num_lines, placement.capacity = before
            raise

    def load(self, layers: Sequence[tuple[Tensor, Tensor] | None], length: int) -> None:
        """Load each layer's keys and values `[R, H, t, D]`, of the last t of `length` slots; None if it has none."""
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
        """Zero each line after its first `lengths[line]` slots: NaN and inf would poison attention even if masked."""
        for states in self._states():
            for line, length in lengths.items():
                states[line, :, length:] = 0

    def swap(self, line: int, other: int, num_slots: int) -> None:
        """Exchange the first `num_slots` slots of two lines."""
        for states in self._states():
            held = states[line, :, :num_slots].clone()
            states[line, :, :num_slots] = states[other, :, :num_slots]
            states[other, :, :num_slots] = held

    def copy_line(self, line: int, to: int, num_slots: int) -> None:
        """Copy the first `num_slots` slots of `line` to the line `to`."""
        for states in self._states():
            states[to, :, :num_slots] = states[line, :, :num_slots]

    def move(self, lines: Sequence[int], slots: Sequence[int], to: Sequence[int]) -> None:
        """Copy each of `slots` of `lines` to the slot in `to` of the same line; all are read before any is written."""
        rows, sources, targets = (torch.tensor(each, device="cpu") for each in (lines, slots, to))
        for states in self._states():
            device = states.device
            own = rows.to(device)
            states[own, :, targets.to(device)] = states[own, :, sources.to(device)]

    def is_finite(self, line: int, num_slots: int) -> bool:
        """Whether the first `num_slots` slots of a line have only finite numbers."""
        return all(bool(states[line, :, :num_slots].isfinite().all()) for states in self._states())

    def keep_lines(self, num_lines: int) -> None:
        """Free the lines from `num_lines` on."""
        if num_lines < self.placement.num_lines:
            self.placement.num_lines = num_lines
            for layer in self._layers():
                layer.keep_lines(num_lines)

    def _layers(self) -> list[RaggedLayer]:
        return [layer for layer in self.layers if isinstance(layer, RaggedLayer)]

    def _states(self) -> list[Tensor]:
        return [states for layer in self._layers() for states in layer.states]
