"""The logits of a pass, and each row's share of them."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ngramspec.hf.choice.sampling import argmax
from ngramspec.hf.rows.layout import NO_TREES, Layout
from ngramspec.hf.rows.row import ModelRow

SAMPLED = 8
"""Number of logits per position that are checked: a query that read a non-finite value has NaN in all of them."""


class PassLogits:
    """Logits `[R, Q, V]` of a pass, and the location of each row's share.

    drafts: K tokens for each of `rows`. lines: each row's index among the R. starts: the column that chooses its first
        token; K more follow. layouts: by number, of the drafts that are trees; those have a column per node, after one.
    """

    def __init__(
        self,
        logits: Tensor,
        rows: Sequence[ModelRow],
        drafts: Sequence[list[int]],
        lines: Sequence[int],
        starts: Sequence[int],
        layouts: Mapping[int, Layout] = NO_TREES,
    ) -> None:
        self.logits = logits
        self.rows, self.drafts, self.lines, self.starts = rows, drafts, lines, starts
        self.layouts = layouts
        self._chosen: list[list[int]] | None = None

    def share(self, number: int) -> "RowLogits":
        """The share of the row with this number."""
        return RowLogits(self.rows[number], self.drafts[number], self, self.lines[number], self.starts[number])

    def chosen(self) -> list[list[int]]:
        """The argmax of each position, R lists of Q; meaningless for fill.

        Computed once for all calls. Not a `cached_property`: in Python 3.11 its lock is shared by all threads, and
        may be held in a forked child.
        """
        if self._chosen is None:
            # Float as in plain generate(); argmax in half precision takes four times as long on a CPU.
            self._chosen = argmax(self.logits.float())
        return self._chosen

    @property
    def has_nan(self) -> bool:
        """Whether a pass over drafts computed NaN for a row: an overflow in a draft may cause that in spite of masks.

        Zero times infinity is NaN, so a masked value that is not finite poisons every query that could have seen it.
        """
        if not any(self.drafts):
            return False
        sampled = self.logits[:, :, :: max(1, self.logits.shape[2] // SAMPLED)]
        if not math.isnan(float(sampled.sum())):  # one NaN makes the sum NaN
            return False
        is_nan = sampled.isnan()
        columns = zip(self.lines, self.starts, self.drafts, strict=True)
        return any(bool(is_nan[line, start : start + len(draft) + 1].any()) for line, start, draft in columns)


class RowLogits(NamedTuple):
    """One row's share of a pass: its draft of K tokens, and the location of the logits that verify it.

    of_pass: the logits of all rows. line: the row's index there. start: the column that chooses the first token.
    layout: of a draft that is a tree; position n + 1 is the one after node n.
    """

    row: ModelRow
    draft: list[int]
    of_pass: PassLogits
    line: int
    start: int
    layout: Layout | None = None

    @property
    def columns(self) -> slice:
        """Its K + 1 columns."""
        return slice(self.start, self.start + len(self.draft) + 1)

    @property
    def logits(self) -> Tensor:
        """Its logits `[K + 1, V]`."""
        return self.of_pass.logits[self.line, self.columns]

    @property
    def chosen(self) -> list[int]:
        """The argmax of each of the K + 1 positions."""
        return self.of_pass.chosen()[self.line][self.columns]

    def at(self, position: int) -> Tensor:
        """The logits `[1, V]` at `position`."""
        return self.of_pass.logits[self.line, self.start + position][None]
