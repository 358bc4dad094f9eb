"""Bitmasks of the tokens that may come next, and the error of backends."""

import numpy as np
import numpy.typing as npt

BitmaskArray = npt.NDArray[np.int32]
"""`int32[..., W]`, W = ceil(V / 32): bit `t % 32` of word `t // 32` is set where token t is allowed."""

WORD = 32


class BackendError(Exception):
    """A backend cannot continue: it reached a limit of its own, or has a defect."""


def num_words(num_tokens: int) -> int:
    """Words of a bitmask over `num_tokens` tokens."""
    return -(-num_tokens // WORD)


def is_set(row: BitmaskArray, token: int) -> bool:
    """Whether the bitmask `row` `int32[W]` allows `token`."""
    return bool(int(row[token // WORD]) >> token % WORD & 1)


def set_bits(row: BitmaskArray, tokens: npt.NDArray[np.int64], allowed: bool) -> None:
    """Allow or forbid `tokens` `int64[n]` in the bitmask `row` `int32[W]`."""
    words = row.view(np.uint32)
    bits = np.left_shift(np.uint32(1), (tokens % WORD).astype(np.uint32))
    if allowed:
        np.bitwise_or.at(words, tokens // WORD, bits)
    else:
        np.bitwise_and.at(words, tokens // WORD, ~bits)


def unpacked(bits: BitmaskArray) -> npt.NDArray[np.bool_]:
    """`bool[..., 32 * W]` of the bitmasks `bits` `int32[..., W]`."""
    return np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), axis=-1, bitorder="little").view(bool)
