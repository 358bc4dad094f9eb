"""The rule of acceptance, the same for every target.

An n-gram draft is a point mass, so rejection sampling (Leviathan et al. 2023) collapses to one rule: choose at a
position only once the one before was accepted, and stop where the choice leaves the draft. No draft probabilities are
needed; and a processor or criterion sees what it would see in plain decoding, once per emitted token.
"""

from collections.abc import Sequence as Rows
from typing import Protocol

from ngramspec.decoding.row import Row, common_length
from ngramspec.drafting.types import TokenArray


class Choices(Protocol):
    """The target's choices after a pass over the drafts of rows that move together; most rows move alone."""

    @property
    def rows(self) -> Rows[Row]:
        """Those rows."""

    @property
    def drafts(self) -> Rows[TokenArray]:
        """For each row the head `int32[k]` of its draft that can be verified."""

    def settled(self) -> Rows[int] | None:
        """For a row that moves alone: its choices at all K + 1 positions, if they are fixed and none ends it."""

    def at(self, position: int) -> Rows[int | None]:
        """Choose a token for each row at `position` of its draft; None if no token is possible: that row has ended."""

    def end_rows(self) -> bool:
        """End the rows whose last token ends them; returns whether the pass is over for all rows."""


def commit(choices: Choices) -> None:
    """Commit the target's choices, position by position. Nothing else appends to a row."""
    rows, drafts = choices.rows, [draft.tolist() for draft in choices.drafts]
    settled = choices.settled()
    if settled is not None:  # the loop below comes to the same, token by token
        rows[0].commit(*settled[: common_length(drafts[0], settled) + 1])
        return
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
