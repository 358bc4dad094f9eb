"""What the model held for likely after a position of a text, as numbers that are stored: a token and its tenth.

That the likeliest tokens of a choice are good guesses where the same context comes again is from Token Recycling (Luo
et al. 2024).
"""

from itertools import takewhile

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import FloatArray, TokenArray

NUM_LIKELY = 4
"""Tokens that are kept of a choice. Eight bring 0 to 1 % more at one request, for twice the memory."""

TENTHS = 10

BITS = 4
"""Of a stored number, for the tenth of the probability, from 0 to 9; above them is the token."""

MOST_TOKEN = (np.iinfo(np.int32).max >> BITS) - 1
"""The highest token id that is stored."""

NOTHING = -1
"""Instead of a number, where there are fewer."""

Likely = tuple[int, ...]
"""The numbers of one position, the likeliest token first."""


def packed(tokens: npt.NDArray[np.int64], chances: FloatArray) -> TokenArray:
    """Numbers `int32[n, NUM_LIKELY]` of `tokens` `[n, k]`, the likeliest first, and their probabilities `chances`.

    Of each row as many as there are before one with an id that cannot be stored. A pass brings a few rows: a loop over
    lists takes a third of the time of array operations.
    """
    numbers: list[int] = []
    for ids, shares in zip(tokens[:, :NUM_LIKELY].tolist(), chances.tolist(), strict=True):
        row = []
        for token, chance in zip(ids, shares, strict=False):
            if not 0 <= token <= MOST_TOKEN:
                break
            tenth = (TENTHS - 1 if chance >= 1.0 else int(chance * TENTHS)) if chance > 0.0 else 0  # NaN is not
            row.append(token << BITS | tenth)
        numbers += row if len(row) == NUM_LIKELY else row + [NOTHING] * (NUM_LIKELY - len(row))
    return np.array(numbers, np.int32).reshape(-1, NUM_LIKELY)


def read(numbers: list[int]) -> Likely:
    """What is noted of a position: all before NOTHING."""
    return tuple(takewhile(lambda number: number >= 0, numbers))


def checked_shape(likely: TokenArray, size: int) -> None:
    """Raises ValueError unless `likely` is of so many tokens."""
    if likely.shape != (size, NUM_LIKELY):
        raise ValueError(f"likely tokens must be int32[{size}, {NUM_LIKELY}], got {likely.dtype}{list(likely.shape)}")
