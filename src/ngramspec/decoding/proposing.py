"""Drafts for all rows of a pass at once, so that a drafter can do better than row by row."""

from collections.abc import Sequence as Rows

from ngramspec.decoding.row import Row
from ngramspec.drafting.types import Draft, propose_all


def propose(rows: Rows[Row], max_tokens: Rows[int], min_survival: float = 0.0) -> list[Draft]:
    """A draft for each row, of at most `max_tokens` of that row and no more than could be accepted.

    A draft longer than requested is cut.
    """
    rooms = [row.room(most) for row, most in zip(rows, max_tokens, strict=True)]
    led = [row.led_draft(room, min_survival) for row, room in zip(rows, rooms, strict=True)]
    blind = [index for index, draft in enumerate(led) if draft is None]
    found = iter(propose_all([rows[index].session for index in blind], [rooms[index] for index in blind], min_survival))
    drafts = [next(found) if draft is None else draft for draft in led]
    return [
        row.known(draft).head(room) if draft.tokens.size else draft
        for row, draft, room in zip(rows, drafts, rooms, strict=True)
    ]
