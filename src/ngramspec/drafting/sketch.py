"""Which earlier prompt is most like this one? Told from a few of its n-grams, whatever its length.

The n-grams with the smallest hashes stand for a text (Broder 1997). Those that many prompts share, as templates do,
say little, so an n-gram counts the less the more prompts had it.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import TokenArray

_LENGTH = 8
"""Tokens of an n-gram."""

_SIZE = 256
"""At most so many n-grams stand for a prompt."""

_SAMPLED = np.uint64(8)
"""Of a short prompt every so-manyth n-gram does."""

_MOST = 2**31 - 1
"""Prompts that are counted."""


class Sketches:
    """For n-grams of prompts, where the answer of the latest prompt with it begins, and how many prompts had it."""

    def __init__(self, positions: dict[int, tuple[int, int]] | None = None) -> None:
        """positions: from an n-gram to where that answer begins, and how many prompts had it; none by default."""
        self._positions: dict[int, tuple[int, int]] = {} if positions is None else positions

    def __len__(self) -> int:
        """N-grams known."""
        return len(self._positions)

    def add(self, grams: Sequence[int], position: int) -> None:
        """Note that the answer to the prompt of which `sketch` made `grams` begins at `position`."""
        for gram in grams:
            self._positions[gram] = position, min(self._positions.get(gram, (0, 0))[1] + 1, _MOST)

    def most_similar(self, grams: Sequence[int]) -> int:
        """The position noted for the prompt that shares most with these; -1 where none shares anything."""
        votes: Counter[int] = Counter()
        for gram in grams:
            position, count = self._positions.get(gram, (-1, 1))
            votes[position] += 1 / count  # type: ignore[assignment]
        del votes[-1]
        return max(votes, key=lambda position: (votes[position], position), default=-1)

    def move(self, oldest: int, by: int) -> None:
        """Drop the positions before `oldest`, and add `by` to the others."""
        self._positions = {
            gram: (position + by, count) for gram, (position, count) in self._positions.items() if position >= oldest
        }

    def copy(self) -> "Sketches":
        """Another one that knows the same."""
        return Sketches(self._positions.copy())

    def arrays(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """All that is known: n-grams `uint64[n]`, and their positions and counts `int32[n, 2]`."""
        size = len(self._positions)
        positions = np.array(list(self._positions.values()), np.int32).reshape(size, 2)
        return np.fromiter(self._positions, np.uint64, size), positions

    @staticmethod
    def of_arrays(grams: npt.NDArray[np.uint64], positions: npt.NDArray[np.int32]) -> "Sketches":
        """The one that `arrays` was asked of."""
        return Sketches(dict(zip(grams.tolist(), map(tuple, positions.tolist()), strict=True)))


def sketch(prompt: TokenArray) -> list[int]:
    """The n-grams that stand for a prompt `int32[n]`; none for one of fewer than 8 tokens."""
    if prompt.size < _LENGTH:
        return []
    size = prompt.size - _LENGTH + 1
    hashes = np.zeros(size, np.uint64)
    for offset in range(_LENGTH):
        hashes ^= prompt[offset : offset + size].astype(np.uint64)
        hashes *= np.uint64(0xD6E8FEB86659FD93)
        hashes ^= hashes >> np.uint64(32)
    sampled = np.unique(hashes[hashes % _SAMPLED == 0])[:_SIZE]
    grams: list[int] = sampled.tolist()
    return grams
