"""Computes how many rows fit into a bound in bytes, if each has a line with room for the longest one."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ngramspec.hf.rows.row import ModelRow
from ngramspec.hf.target.cache_layer import CHUNK


@dataclass(frozen=True, slots=True)
class CacheBound:
    """A bound in bytes on the lines of a pool.

    max_bytes: of all lines together. bytes_per_slot: of the keys and values of one token in all layers.
    bytes_per_row: what a row takes whatever its length.
    """

    max_bytes: int
    bytes_per_slot: int
    bytes_per_row: int = 0

    def bytes_of(self, num_slots: int) -> int:
        """Bytes of a line that has room for `num_slots`."""
        return rounded(num_slots) * self.bytes_per_slot + self.bytes_per_row

    def most_lines(self, num_slots: int) -> int:
        """The most lines that fit, if each has room for `num_slots`."""
        return self.max_bytes // self.bytes_of(num_slots)


class BoundedPool:
    """The part of a pool that says who fits: a mixin for targets whose rows have a line of one cache each.

    margin: slots that a row may take besides its text and draft.
    """

    margin: ClassVar[int] = 0
    _bound: CacheBound
    _held: list[ModelRow]
    _cache: Any

    def fits(self, num_slots: int) -> bool:
        """Whether a row of `num_slots` slots fits into an empty pool."""
        return self._bound.most_lines(num_slots + self.margin) > 0

    @property
    def usage(self) -> float:
        """Share of the bound that the lines of the current rows take, from 0 to 1."""
        return len(self._held) * self._bound.bytes_of(self._cache.placement.capacity) / self._bound.max_bytes

    def can_join(self, num_slots: int) -> bool:
        """Whether a row of `num_slots` slots fits beside the current rows."""
        return len(self._held) < self._most_lines(num_slots) if self._held else self.fits(num_slots)

    def _most_lines(self, num_slots: int) -> int:
        """The most lines that fit if each has at least `num_slots` slots, and no fewer than now."""
        return self._bound.most_lines(max(self._cache.placement.capacity, num_slots + self.margin))


def rounded(num_slots: int) -> int:
    """Slots of a line that has room for `num_slots`."""
    return -(-num_slots // CHUNK) * CHUNK
