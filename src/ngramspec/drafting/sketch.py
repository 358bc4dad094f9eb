"""Sketches: a few n-grams of a prompt, whatever its length, by which the most similar earlier prompt is found.

The n-grams with the smallest hashes represent a text (Broder 1997). N-grams shared by many prompts, such as those of a
template, carry little information, so an n-gram is weighted down by the number of prompts that had it.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import TokenArray

_LENGTH = 8
"""Length of an n-gram in tokens."""

_SIZE = 256
"""Most n-grams in a sketch."""

_SAMPLED = np.uint64(8)
"""Fraction of a short prompt's n-grams that its sketch takes, as 1 / n."""

_MOST = 2**31 - 1
"""Highest count of prompts per n-gram."""


class Sketches:
    """Maps an n-gram to the start of the answer to the latest prompt that had it, and to the number of such prompts."""

    def __init__(self, positions: dict[int, tuple[int, int]] | None = None) -> None:
        """positions: from an n-gram to the start of that answer and the number of prompts; default: empty."""
        self._positions: dict[int, tuple[int, int]] = {} if positions is None else positions

    def __len__(self) -> int:
        """Number of n-grams."""
        return len(self._positions)

    def add(self, grams: Sequence[int], position: int) -> None:
        """Note that the answer to the prompt with sketch `grams` begins at `position`."""
        for gram in grams:
            self._positions[gram] = position, min(self._positions.get(gram, (0, 0))[1] + 1, _MOST)

    def most_similar(self, grams: Sequence[int]) -> int:
        """The position noted for the prompt that shares most with `grams`; -1 if none shares an n-gram."""
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
        """A copy."""
        return Sketches(self._positions.copy())

    def arrays(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """The n-grams `uint64[n]`, and their positions and counts `int32[n, 2]`."""
        size = len(self._positions)
        positions = np.array(list(self._positions.values()), np.int32).reshape(size, 2)
        return np.fromiter(self._positions, np.uint64, size), positions

    @staticmethod
    def of_arrays(grams: npt.NDArray[np.uint64], positions: npt.NDArray[np.int32]) -> "Sketches":
        """Restore from what `arrays` returned."""
        return Sketches(dict(zip(grams.tolist(), map(tuple, positions.tolist()), strict=True)))


def sketch(prompt: TokenArray) -> list[int]:
    """The n-grams that represent a prompt `int32[n]`; none for a prompt of fewer than 8 tokens."""
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
