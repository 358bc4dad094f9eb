"""Greedy rows whose processors do not read the text: one argmax over all rows and positions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ngramspec.errors import GuardError
from ngramspec.hf.choice.processors import LineOwner
from ngramspec.hf.choice.sampling import argmax
from ngramspec.hf.rows.call import Call
from ngramspec.hf.rows.logits import RowLogits
from ngramspec.hf.rows.row_by_row import OneRow


class _Greedy(OneRow):
    """A row whose tokens are already chosen."""

    def __init__(self, call: Call, share: RowLogits, chosen: list[int]) -> None:
        """chosen: K + 1 tokens."""
        super().__init__(call, share)
        self._chosen = chosen

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        return (self._chosen[position],)


class _GreedyGuarded(_Greedy):
    """A row whose tokens are already chosen, as far as its guards allow.

    If guards are the only processors, only the argmax is looked up in their masks: if it is allowed, it is also the
    largest of the allowed logits. If not, that one position is masked. Masking everything would copy 6 MB of logits, in
    a pass over ten drafted tokens of a vocabulary of 131 k, and most of them are never used.
    """

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call, row, token = self._call, self._row, self._chosen[position]
        if row.masks.allow(position, token):
            return (token,)
        error: GuardError | None = row.masks.why_stuck(row.index, position)
        if error is None and not call.processors.others:
            logits = self._share.at(position)
            (token,) = argmax(call.process(_no_text(logits), logits, [(row.masks, position)]))
        if error is None:
            error = row.masks.why_refused(position, token, call.processors.names)
        if error is None:
            return (token,)
        call.fail(row, error)
        return (None,)


def all_at_once(call: Call, shares: Sequence[RowLogits]) -> Sequence[OneRow]:
    """One argmax for all rows and positions."""
    if call.processors.others:
        logits = torch.cat([share.logits for share in shares])
        owners: list[LineOwner] = [
            (share.row.masks, position) for share in shares for position in range(len(share.draft) + 1)
        ]
        found = argmax(call.process(_no_text(logits), logits, owners))
        chosen = []
        for share in shares:
            chosen.append(found[: len(share.draft) + 1])
            found = found[len(share.draft) + 1 :]
    else:
        chosen = [share.chosen for share in shares]
    return [
        (_GreedyGuarded if share.row.masks else _Greedy)(call, share, tokens)
        for share, tokens in zip(shares, chosen, strict=True)
    ]


def _no_text(logits: Tensor) -> Tensor:
    return torch.empty((logits.shape[0], 0), dtype=torch.long, device=logits.device)
