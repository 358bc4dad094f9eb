"""From keys to the places where they were seen last, compact and quick to build for keys that come in bulk."""

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import TokenArray

KeyArray = npt.NDArray[np.int64]
"""Keys, `int64[n]`."""

_NO_KEYS: KeyArray = np.empty(0, np.int64)
_NO_PLACES: TokenArray = np.empty(0, np.int32)


class Places:
    """From keys to places: sorted arrays of what came in bulk, and a dictionary of what came since.

    The arrays take 12 bytes per key where a dictionary takes about a hundred, and to sort is faster than to insert.

    recent: what came since; it outranks the arrays.
    """

    def __init__(self, keys: KeyArray = _NO_KEYS, places: TokenArray = _NO_PLACES) -> None:
        """Start with `keys`, sorted and distinct, and the place of each."""
        self.recent: dict[int, int] = {}
        self._keys: memoryview[int] = keys.data
        self._places: memoryview[int] = places.data

    def get(self, key: int) -> int | None:
        """The place of `key`, or None."""
        place = self.recent.get(key)
        if place is not None:
            return place
        index = bisect_left(self._keys, key)
        return self._places[index] if index < len(self._keys) and self._keys[index] == key else None


def grouped(keys: KeyArray, first: int) -> tuple[KeyArray, TokenArray, npt.NDArray[np.bool_]]:
    """The keys of the places `first`, `first + 1` … in order, their places, and where among them a new key begins."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    return keys, (order + first).astype(np.int32), np.append(True, keys[1:] != keys[:-1])


def latest(keys: KeyArray, places: TokenArray, begins: npt.NDArray[np.bool_]) -> tuple[KeyArray, TokenArray]:
    """Of keys that `grouped` put in order: each key once, and the last of its places."""
    ends = np.append(begins[1:], True)
    return keys[ends], places[ends]
