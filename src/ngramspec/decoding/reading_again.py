"""Rows whose target has a running state, which cannot forget a rejected token.

After a rejection the state is restored to what it was before the pass, and the next pass reads the accepted tokens
again, before its draft. These are the row's known tokens.
"""

from collections.abc import Sequence as Rows

from ngramspec.decoding.row import NO_LIMIT, Row

MOST_KNOWN = 32
"""With more known tokens than this in a row, the next pass is no wider than they are, so that it keeps its state."""


def kept(rows: Rows[Row], num_read: Rows[int]) -> list[int]:
    """How many tokens of each row the target's states hold after a pass; see `Target.keep`.

    num_read: tokens of each row in the pass, drafted ones included; rows are padded to the widest one. A row keeps the
        state of the pass if it read up to the last column, and all its drafted tokens were accepted.
    """
    width, found = max(num_read), []
    for row, read in zip(rows, num_read, strict=True):
        num_right = len(row.pending) + max(0, len(row.committed) - 1)  # the bonus token was not read
        found.append(row.num_cached + read if read == width <= num_right else row.num_cached)
    return found


def limit_drafts(rows: Rows[Row], kept: Rows[int]) -> None:
    """Limit the next drafts if a row has more than MOST_KNOWN known tokens; otherwise lift the limit.

    kept: of each row, what `kept` returned after this pass.
    """
    known = [row.num_cached + len(row.pending) + len(row.committed) - own for row, own in zip(rows, kept, strict=True)]
    most = max(known)
    for row, own in zip(rows, known, strict=True):
        row.most_drafted = NO_LIMIT if most <= MOST_KNOWN else most - own
