"""Which earlier prompt is most like this one? Told from a few of its n-grams, whatever its length.

The n-grams with the smallest hashes stand for a text (Broder 1997). Those that many prompts share, as templates do,
say little, so an n-gram counts the less the more prompts had it.
"""

from collections import Counter

import numpy as np

from ngramspec.drafting.types import TokenArray

_LENGTH = 8
"""Tokens of an n-gram."""

_SIZE = 256
"""At most so many n-grams stand for a prompt."""

_SAMPLED = np.uint64(8)
"""Of a short prompt every so-manyth n-gram does."""


class Sketches:
    """For n-grams of prompts, where the answer of the latest prompt with it begins, and how many prompts had it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._places: dict[int, tuple[int, int]] = {}

    def add(self, prompt: TokenArray, place: int) -> None:
        """Note that the answer to `prompt` begins at `place`."""
        for gram in _sketch(prompt):
            self._places[gram] = place, self._places.get(gram, (0, 0))[1] + 1

    def most_similar(self, prompt: TokenArray) -> int:
        """The place noted for the prompt that shares most with this one; -1 where none shares anything."""
        votes: Counter[int] = Counter()
        for gram in _sketch(prompt):
            place, count = self._places.get(gram, (-1, 1))
            votes[place] += 1 / count  # type: ignore[assignment]
        del votes[-1]
        return max(votes, key=lambda place: (votes[place], place), default=-1)

    def forget(self, before: int) -> None:
        """Drop the places before `before`, and count the others from there."""
        self._places = {
            gram: (place - before, count) for gram, (place, count) in self._places.items() if place > before
        }


def _sketch(prompt: TokenArray) -> list[int]:
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
