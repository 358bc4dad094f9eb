"""Rows that advance alone: each walks down its own draft."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ngramspec.decoding import Choices
from ngramspec.drafting.types import ROOT
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.layout import Layout
from ngramspec.hf.rows.logits import RowLogits
from ngramspec.hf.rows.row import model_rows


class OneRow(ABC):
    """A row that advances alone."""

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
    """A row that advances alone along a tree: it makes the choices of a chain, node by node."""

    def __init__(self, choices: Choices, layout: Layout) -> None:
        """choices: position 0 is the one after the root, position n + 1 the one after node n."""
        self.tree = layout.tree
        (self.row,) = model_rows(choices.rows)
        self._choices = choices

    def after(self, node: int) -> int | None:
        """See `TreeChoices`."""
        (token,) = self._choices.at(node + 1)
        return token

    def end_row(self) -> bool:
        """See `TreeChoices`."""
        return self._choices.end_rows()


class GuardedTree(WithTree):
    """A guarded row that advances along a tree. Off the surest path, a mask is filled when the walk gets there."""

    def __init__(self, choices: Choices, layout: Layout) -> None:
        """As for `WithTree`."""
        super().__init__(choices, layout)
        self._layout, self._children, self._node = layout, layout.tree.children(), ROOT

    def after(self, node: int) -> int | None:
        """See `TreeChoices`."""
        self._node = node
        return super().after(node)

    def end_row(self) -> bool:
        """See `TreeChoices`. The walk also ends if a backend cannot tell yet what may come next."""
        if super().end_row():
            return True
        node = self._children.get((self._node, self.row.emitted[-1]))
        return node is not None and not self._has_mask(node)

    def _has_mask(self, node: int) -> bool:
        masks = self.row.masks
        return masks.covers(node + 1) or masks.fill_after(self._layout.path_to(node), node + 1)


class KeepingErrors:
    """A row that advances alone, and ends if a processor or criterion of its call raises."""

    def __init__(self, choices: OneRow) -> None:
        self.rows, self.drafts = choices.rows, choices.drafts
        self._choices = choices

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        try:
            return self._choices.at(position)
        except Exception as error:  # the caller's code: any error ends this row only
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
