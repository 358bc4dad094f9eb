"""The logits of a pass, and each row's share of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ngramspec.drafting.types import TokenArray
from ngramspec.hf.rows.row import ModelRow

SAMPLED = 8
"""Logits per position that are checked: a query that has read something not finite has NaN in all of them."""


class PassLogits:
    """Logits `[R, Q, V]` of a pass."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._chosen: list[list[int]] | None = None

    def chosen(self) -> list[list[int]]:
        """The argmax of each position, R lists of Q; of fill it means nothing.

        Computed once for all calls. Not a `cached_property`: in Python 3.11 its lock is shared by all threads, and
        may be held in a forked child.
        """
        if (
            self._chosen is None
        ):  # float as in plain generate(); argmax in half precision takes four times as long on a CPU
            self._chosen = argmax(self.logits.float()).tolist()
        return self._chosen

    @property
    def sampled(self) -> Tensor:
        """`[R, Q, about SAMPLED]`."""
        return self.logits[:, :, :: max(1, self.logits.shape[2] // SAMPLED)]


class RowLogits(NamedTuple):
    """One row's share of a pass: its draft `int32[K]`, and where the logits are that verify it.

    of_pass: the logits of all rows. line: the row's index there. start: the column that chooses the first token.
    """

    row: ModelRow
    draft: TokenArray
    of_pass: PassLogits
    line: int
    start: int

    @property
    def columns(self) -> slice:
        """K + 1 of them."""
        return slice(self.start, self.start + self.draft.size + 1)

    @property
    def logits(self) -> Tensor:
        """`[K + 1, V]`."""
        return self.of_pass.logits[self.line, self.columns]

    def at(self, position: int) -> Tensor:
        """`[1, V]`."""
        return self.of_pass.logits[self.line, self.start + position][None]


def has_poison(shares: Sequence[RowLogits]) -> bool:
    """Whether a pass over drafts computed NaN for a row: an overflow at a drafted token may cause it in spite of masks.

    Zero times infinity is NaN, so a masked value that is not finite poisons every query that could have seen it.
    """
    if not any(share.draft.size for share in shares):
        return False
    sampled = shares[0].of_pass.sampled
    if not bool(sampled.isnan().any()):
        return False
    return any(bool(sampled[share.line, share.columns].isnan().any()) for share in shares)


def argmax(scores: Tensor) -> npt.NDArray[np.int32]:
    """The argmax along the last dimension of `scores` `[…, V]`, as `int32[…]`."""
    return scores.argmax(dim=-1).cpu().numpy().astype(np.int32)
