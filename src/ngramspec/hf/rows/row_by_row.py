"""Rows that move alone: each walks down its own draft."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ngramspec.decoding import Choices
from ngramspec.drafting.types import Tree
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.logits import RowLogits


class OneRow(ABC):
    """A row that moves alone."""

    def __init__(self, call: Call, share: RowLogits) -> None:
        self.rows, self.drafts = (share.row,), (share.draft,)
        self._call, self._share, self._row = call, share, share.row

    @abstractmethod
    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""

    def end_rows(self) -> bool:
        """See `Choices`."""
        row, call = self._row, self._call
        row.ended = row.stops.row_ended(row.emitted, call.text, row.index, call.record.scores)
        call.flush()
        return row.ended


class RowByRow(OneRow):
    """A row that walks down its own draft."""

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call, row = self._call, self._row
        scores = call.process(call.text.row(row.index), self._share.at(position), [(row.masks, position)])
        return (call.pick(scores, row, position),)


class WithTree:
    """A row that moves alone along a tree: what it would choose along a chain, asked for node by node."""

    def __init__(self, choices: Choices, tree: Tree) -> None:
        """choices: of which position 0 is that after the root, and position n + 1 that after node n."""
        self.tree = tree
        (self.row,) = choices.rows
        self._choices = choices

    def after(self, node: int) -> int | None:
        """See `TreeChoices`."""
        (token,) = self._choices.at(node + 1)
        return token

    def end_row(self) -> bool:
        """See `TreeChoices`."""
        return self._choices.end_rows()


class KeepingErrors:
    """A row that moves alone, and that an error of its call's processors or criteria ends."""

    def __init__(self, choices: OneRow) -> None:
        self.rows, self.drafts = choices.rows, choices.drafts
        self._choices = choices

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        try:
            return self._choices.at(position)
        except Exception as error:  # of the caller's code: whatever it is, it ends this row only
            self._keep(error)
            return (None,)

    def end_rows(self) -> bool:
        """See `Choices`."""
        try:
            return self._choices.end_rows()
        except Exception as error:  # as above
            self._keep(error)
            return True

    def _keep(self, error: Exception) -> None:
        (row,) = self.rows
        row.error, row.ended = error, True
