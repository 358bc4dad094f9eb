"""Rows that read again: whose target holds a state that cannot forget a rejected token.

Such a state is put back to where it was before the pass, and what was accepted is read again by the next one, before
its draft: these are the row's known tokens.
"""

from collections.abc import Sequence as Rows

from ngramspec.decoding.row import NO_LIMIT, Row

MOST_KNOWN = 32
"""Known tokens from which on a row drafts no more than fits beside them: the next pass then keeps its state."""


def kept(rows: Rows[Row], num_read: Rows[int]) -> list[int]:
    """How many tokens of each row the target's states hold after a pass; see `Target.keep`.

    num_read: tokens of each row in the pass, drafted ones included; a row that reads fewer than the widest one is
        filled up. A row keeps the state of the pass if it reads to the last column, and all that it reads is right.
    """
    width, found = max(num_read), []
    for row, read in zip(rows, num_read, strict=True):
        num_right = len(row.pending) + max(0, len(row.committed) - 1)  # the bonus token was not read
        found.append(row.num_cached + read if read == width <= num_right else row.num_cached)
    return found


def limit_drafts(rows: Rows[Row], kept: Rows[int]) -> None:
    """Let rows draft as they like, unless one has so many known tokens that the next pass has to keep its state.

    kept: of each row, as `kept` has found after this pass.
    """
    known = [row.num_cached + len(row.pending) + len(row.committed) - own for row, own in zip(rows, kept, strict=True)]
    most = max(known)
    for row, own in zip(rows, known, strict=True):
        row.most_drafted = NO_LIMIT if most <= MOST_KNOWN else most - own
