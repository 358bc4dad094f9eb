"""The model's likeliest tokens after a position of a text, stored as numbers: a token and its probability in tenths.

The idea that these are good guesses when the same context comes again is from Token Recycling (Luo et al. 2024).
"""

from itertools import takewhile

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import FloatArray, TokenArray

NUM_LIKELY = 4
"""Tokens kept per choice. Eight gain 0 to 1 % more with one request, for twice the memory."""

TENTHS = 10

BITS = 4
"""Lower bits of a stored number, for the probability in tenths, from 0 to 9; the token is above them."""

MOST_TOKEN = (np.iinfo(np.int32).max >> BITS) - 1
"""The highest token id that is stored."""

NOTHING = -1
"""Fills the missing numbers of a position."""

LikelyNumbers = tuple[int, ...]
"""The numbers of one position, the likeliest token first."""


def packed(tokens: npt.NDArray[np.int64], chances: FloatArray) -> TokenArray:
    """Numbers `int32[n, NUM_LIKELY]` of `tokens` `[n, k]`, the likeliest first, and their probabilities `chances`.

    A row ends before an id that cannot be stored. A pass brings only a few rows, for which a loop over lists takes a
    third of the time of array operations.
    """
    numbers: list[int] = []
    for ids, shares in zip(tokens[:, :NUM_LIKELY].tolist(), chances.tolist(), strict=True):
        row = []
        for token, chance in zip(ids, shares, strict=False):
            if not 0 <= token <= MOST_TOKEN:
                break
            tenth = (TENTHS - 1 if chance >= 1.0 else int(chance * TENTHS)) if chance > 0.0 else 0  # false for NaN
            row.append(token << BITS | tenth)
        numbers += row if len(row) == NUM_LIKELY else row + [NOTHING] * (NUM_LIKELY - len(row))
    return np.array(numbers, np.int32).reshape(-1, NUM_LIKELY)


def read(numbers: list[int]) -> LikelyNumbers:
    """The numbers noted for a position: all before NOTHING."""
    return tuple(takewhile(lambda number: number >= 0, numbers))


def checked_shape(likely: TokenArray, size: int) -> None:
    """Raises ValueError unless `likely` is for `size` tokens."""
    if likely.shape != (size, NUM_LIKELY):
        raise ValueError(f"likely tokens must be int32[{size}, {NUM_LIKELY}], got {likely.dtype}{list(likely.shape)}")
