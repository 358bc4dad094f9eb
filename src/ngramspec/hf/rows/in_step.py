"""Rows of a call that advance together; those that have ended go on with padding."""

from collections.abc import Sequence

import torch

from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.logits import RowLogits


class InStep:
    """All rows of a call, with padding for those that have ended: processors get what they get in plain decoding."""

    def __init__(self, call: Call, shares: Sequence[RowLogits]) -> None:
        """shares: of all rows of the call, in order."""
        self.rows = [share.row for share in shares]
        self.drafts = [share.draft for share in shares]
        self._call, self._shares = call, shares

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call = self._call
        logits = torch.cat([share.at(position) for share in self._shares])
        owners = [None if row.ended else (row.masks, position) for row in self.rows]
        scores = call.process(call.text.batch(), logits, owners)
        tokens = []
        for line, row in enumerate(self.rows):
            token = None if row.ended else call.pick(scores[line : line + 1], row, position)
            tokens.append(call.pad_token if token is None else token)
        return tokens

    def end_rows(self) -> bool:
        """See `Choices`."""
        call = self._call
        said = call.stops.rows_ended(call.text, call.record.scores)
        call.asked_to_end = [before or now for before, now in zip(call.asked_to_end, said, strict=True)]
        # Without padding, plain generate() lets rows that have ended go on until the last one has.
        ends = call.asked_to_end if call.stops.pads_finished_rows or all(call.asked_to_end) else []
        new = [row for row, ends_now in zip(self.rows, ends, strict=False) if ends_now and not row.ended]
        for row in new:
            row.ended = True
        call.flush()
        return bool(new)  # drafts of rows that ended do not go on with padding
