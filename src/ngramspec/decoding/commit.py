"""The rule of acceptance, the same for every target.

An n-gram draft is a point mass, so rejection sampling (Leviathan et al. 2023) collapses to one rule: choose at a
position only once the one before was accepted, and stop where the choice leaves the draft. No draft probabilities are
needed; and a processor or criterion sees what it would see in plain decoding, once per emitted token.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Rows
from typing import Protocol

from ngramspec.decoding.row import Row, common_length
from ngramspec.drafting.types import ROOT, Tree


class Choices(Protocol):
    """The target's choices after a pass over the drafts of rows that move together; most rows move alone."""

    @property
    def rows(self) -> Rows[Row]:
        """The rows."""

    @property
    def drafts(self) -> Rows[Rows[int]]:
        """For each row, the head of its draft that can be verified."""

    def at(self, position: int) -> Rows[int | None]:
        """Choose a token for each row at `position` of its draft; None if no token is possible: that row has ended."""

    def end_rows(self) -> bool:
        """End the rows whose last token ends them; returns whether the pass is over for all rows."""


class TreeChoices(Protocol):
    """The target's choices after a pass over the tree of one row, which moves alone."""

    @property
    def row(self) -> Row:
        """The row."""

    @property
    def tree(self) -> Tree:
        """Its draft, as far as it can be verified."""

    def after(self, node: int) -> int | None:
        """Choose the token after a node of the tree, or after ROOT; None if none is possible: the row has ended."""

    def end_row(self) -> bool:
        """End the row if its last token ends it; returns whether the pass is over for it."""


Settled = tuple[Row, Rows[int], Rows[int]]
"""A row that moves alone, the K tokens of its draft, and its choices at all K + 1 positions, none of which ends it."""


def commit_settled(settled: Iterable[Settled]) -> None:
    """Commit choices that are all known beforehand: the result of `commit`, without a call for each position."""
    for row, draft, chosen in settled:
        row.commit(*chosen[: common_length(draft, chosen) + 1])


def commit(choices: Choices) -> None:
    """Commit the target's choices, position by position.

    Only this, `commit_settled` and `commit_tree` append to a row.
    """
    rows, drafts = choices.rows, choices.drafts
    last = min(map(len, drafts))
    position, stays = 0, True
    while stays:
        stays = position < last
        for row, draft, token in zip(rows, drafts, choices.at(position), strict=True):
            if token is None:
                return
            row.commit(token)
            stays = stays and token == draft[position]
        stays = not choices.end_rows() and stays
        position += 1


def commit_tree(choices: TreeChoices) -> None:
    """Commit the target's choices along a tree: from the root on to the chosen child, as long as there is one.

    Each emitted token is chosen once, in the order of the text, as along a chain.
    """
    row, children = choices.row, choices.tree.children()
    node: int | None = ROOT
    while node is not None:
        token = choices.after(node)
        if token is None:
            return
        row.commit(token)
        node = None if choices.end_row() else children.get((node, token))
