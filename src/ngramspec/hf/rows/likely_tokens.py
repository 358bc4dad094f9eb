"""Passes the model's likeliest tokens, at the positions where it chose, to rows whose sessions heed them."""

from collections.abc import Sequence

from ngramspec.hf.choice.likely import likeliest
from ngramspec.hf.rows.layout import Layout
from ngramspec.hf.rows.logits import PassLogits
from ngramspec.hf.rows.row import ModelRow


def report_likely_tokens(logits: PassLogits) -> None:
    """Pass them to the rows of a pass after their tokens were committed; the logits are read once for all rows."""
    heeding: list[tuple[ModelRow, int]] = []
    lines: list[int] = []
    columns: list[int] = []
    for number, (row, line, start) in enumerate(zip(logits.rows, logits.lines, logits.starts, strict=True)):
        if row.heeds and row.may_branch():
            own = [start + position for position in _positions(row.committed, logits.layouts.get(number))]
            lines += [line] * len(own)
            columns += own
            heeding.append((row, len(own)))
    if not columns:
        return
    likely, start = likeliest(logits.logits, lines, columns), 0
    for row, count in heeding:
        row.likely = likely.part(start, start + count)
        start += count


def _positions(committed: Sequence[int], layout: Layout | None) -> Sequence[int]:
    """Where each committed token was chosen: of K + 1 positions, the first of them before the draft."""
    if layout is None:
        return range(len(committed))
    return [0, *(node + 1 for node in layout.path(committed[:-1]))] if committed else ()
