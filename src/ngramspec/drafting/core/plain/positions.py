"""Maps keys to the positions where they were last seen; compact, and quick to build from keys in bulk."""

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import TokenArray

KeyArray = npt.NDArray[np.int64]
"""Keys, `int64[n]`, 0 <= key < 2^62."""

HashArray = npt.NDArray[np.uint64]
"""Hashes of keys, `uint64[n]`: no two keys have the same one."""

_SPREAD = 0x9E3779B97F4A7C55
_MASK = (1 << 64) - 1
"""Multiplication by the odd `_SPREAD`, modulo 2^64, spreads keys evenly (Fibonacci hashing, Knuth 1973); no key becomes
2^64 - 1."""

_NO_HASHES: HashArray = np.empty(0, np.uint64)
_NO_POSITIONS: TokenArray = np.empty(0, np.int32)


class Positions:
    """Maps keys to positions: sorted hashes for keys that came in bulk, and a dictionary for later ones.

    The arrays take 16 to 20 bytes per key, a dictionary about a hundred, and sorting is faster than inserting. The
    upper bits of a hash tell where in the array it is, so a lookup touches three cache lines, however many keys there
    are.

    recent: the later keys, which take precedence over the arrays.
    """

    __slots__ = ("_hashes", "_positions", "_shift", "_starts", "recent")

    def __init__(self, hashes: HashArray = _NO_HASHES, positions: TokenArray = _NO_POSITIONS) -> None:
        """Start with keys of these `hashes`, sorted and distinct, and the position of each."""
        self.recent: dict[int, int] = {}
        num_bits = hashes.size.bit_length()
        self._shift = 64 - num_bits
        buckets = hashes >> np.uint64(self._shift) if num_bits else hashes
        counts = np.bincount(buckets.astype(np.int64), minlength=1 << num_bits)
        starts = (np.cumsum(counts) - counts).astype(np.int32)
        self._starts: memoryview[int] = starts.data
        self._hashes: memoryview[int] = np.append(hashes, np.uint64(_MASK)).data  # a sentinel that ends every search
        self._positions: memoryview[int] = positions.data

    def get(self, key: int) -> int | None:
        """The position of `key`, or None."""
        position = self.recent.get(key)
        if position is not None:
            return position
        searched = key * _SPREAD & _MASK
        hashes, index = self._hashes, self._starts[searched >> self._shift]
        found = hashes[index]
        while found < searched:
            index += 1
            found = hashes[index]
        return self._positions[index] if found == searched else None


def grouped(keys: KeyArray, first: int) -> tuple[HashArray, TokenArray, npt.NDArray[np.bool_]]:
    """The keys of positions `first`, `first + 1` … sorted by hash, their positions, and where each new key begins."""
    hashes = keys.astype(np.uint64) * np.uint64(_SPREAD)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    return hashes, (order + first).astype(np.int32), np.append(True, hashes[1:] != hashes[:-1])


def latest(hashes: HashArray, positions: TokenArray, begins: npt.NDArray[np.bool_]) -> tuple[HashArray, TokenArray]:
    """Each key once, with the last of its positions; arguments: from `grouped`."""
    ends = np.append(begins[1:], True)
    return hashes[ends], positions[ends]
