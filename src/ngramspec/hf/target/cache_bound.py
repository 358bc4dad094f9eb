"""Computes how many rows fit into a bound in bytes, if each has a line with room for the longest one."""

from dataclasses import dataclass

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


def rounded(num_slots: int) -> int:
    """Slots of a line that has room for `num_slots`."""
    return -(-num_slots // CHUNK) * CHUNK
