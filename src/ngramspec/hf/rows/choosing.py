"""How the target's choices are read off one pass: three orders under one rule (`decoding/commit.py`).

- at once (greedy, nothing looks at the text): one argmax over all rows and positions.
- row by row (alone, or nothing looks across rows): each row walks down its own draft.
- in step (a stranger in a batch, or scores are wanted of it): position j of all rows together, with plain's `[B, L]`
  arguments; the pass ends where the first row leaves its draft, or ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ngramspec.decoding import Choices, Plan
from ngramspec.drafting.types import TokenArray
from ngramspec.errors import GuardError
from ngramspec.hf.rows.call import Asked, Call
from ngramspec.hf.rows.row import ModelRow

SAMPLED = 8
"""Logits per position that are looked at: what a query has read that is not finite makes NaN of all of them."""


class PassLogits:
    """Logits `[R, Q, V]` of a pass."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._chosen: npt.NDArray[np.int32] | None = None

    def chosen(self) -> npt.NDArray[np.int32]:
        """The largest of each position, `int32[R, Q]`; what it says of fill is not looked at.

        Found once for all calls, and not by `cached_property`, whose lock in Python 3.11 is one for all threads, and
        taken in a forked child.
        """
        if self._chosen is None:  # as plain generate(); and argmax takes four times as long in half precision on a CPU
            self._chosen = argmax(self.logits.float())
        return self._chosen

    @property
    def sampled(self) -> Tensor:
        """`[R, Q, about SAMPLED]`."""
        return self.logits[:, :, :: max(1, self.logits.shape[2] // SAMPLED)]


class RowLogits(NamedTuple):
    """One row's share of a pass: its draft `int32[K]`, and where the logits are that judge it.

    of_pass: the logits of all rows. line: the row's among them. start: the column that chooses the first token.
    """

    row: ModelRow
    draft: TokenArray
    of_pass: PassLogits
    line: int
    start: int

    @property
    def columns(self) -> slice:
        """K + 1 of them."""
        return slice(self.start, self.start + self.draft.size + 1)

    @property
    def logits(self) -> Tensor:
        """`[K + 1, V]`."""
        return self.of_pass.logits[self.line, self.columns]

    def at(self, position: int) -> Tensor:
        """`[1, V]`."""
        return self.of_pass.logits[self.line, self.start + position][None]


def has_poison(shares: Sequence[RowLogits]) -> bool:
    """Whether a pass over drafts computed NaN for a row: a drafted token may overflow, and a mask does not keep it off.

    Zero times infinity is NaN, so a masked value that is not finite poisons whatever attends beside it.
    """
    if not any(share.draft.size for share in shares):
        return False
    sampled = shares[0].of_pass.sampled
    if not bool(sampled.isnan().any()):
        return False
    return any(bool(sampled[share.line, share.columns].isnan().any()) for share in shares)


def begin(plans: Sequence[Plan]) -> None:
    """Before the forward pass: start to fill the masks of the rows that guards hold for."""
    for plan in plans:
        row = plan.row
        if isinstance(row, ModelRow) and row.masks and not row.ended:
            row.masks.begin(plan.draft.tokens, call_of(row).threads)


def choices_of(shares: Sequence[RowLogits]) -> list[Choices]:
    """What is chosen by the logits of a pass; each call's rows come together, in their order."""
    judged = [_judged(share) if share.row.masks and not share.row.ended else share for share in shares]
    by_call: dict[Call, list[RowLogits]] = {}
    for share in judged:
        by_call.setdefault(call_of(share.row), []).append(share)
    choices: list[Choices] = []
    for call, own in by_call.items():
        choices += _of_call(call, own)
    return choices


def _of_call(call: Call, shares: Sequence[RowLogits]) -> Sequence[Choices]:
    if call.in_step:
        return [_InStep(call, shares)]
    alone = _all_at_once(call, shares) if call.is_greedy_at_once else [_RowByRow(call, share) for share in shares]
    return [_KeepingErrors(choices) for choices in alone] if call.keeps_errors else alone


def call_of(row: ModelRow) -> Call:
    """The call of a row, as what it must be."""
    assert isinstance(row.call, Call)
    return row.call


def argmax(scores: Tensor) -> npt.NDArray[np.int32]:
    """The largest along the last dimension of `scores` `[…, V]`, as `int32[…]`."""
    return scores.argmax(dim=-1).cpu().numpy().astype(np.int32)


def _judged(share: RowLogits) -> RowLogits:
    """With the head of the draft that there are masks for."""
    return share._replace(draft=share.draft[: share.row.masks.num_legal(share.draft.size)])


class _OneRow(ABC):
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


class _RowByRow(_OneRow):
    """A row that walks down its own draft."""

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call, row = self._call, self._row
        scores = call.process(call.text.row(row.index), self._share.at(position), [(row, position)])
        return (call.pick(scores, row, position),)


class _KeepingErrors:
    """A row that moves alone, and ends with what its call's processors and criteria raise."""

    def __init__(self, choices: _OneRow) -> None:
        self.rows, self.drafts = choices.rows, choices.drafts
        self._choices = choices

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        try:
            return self._choices.at(position)
        except Exception as error:  # a stranger's: whatever it is, it is the row's own affair
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


class _Greedy(_OneRow):
    """A row whose tokens are chosen already."""

    def __init__(self, call: Call, share: RowLogits, chosen: list[int]) -> None:
        """chosen: K + 1 tokens."""
        super().__init__(call, share)
        self._chosen = chosen

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        return (self._chosen[position],)


class _GreedyGuarded(_Greedy):
    """A row whose tokens are chosen already, as far as its guards allow them.

    Where guards are the only processors, they are asked for the argmax alone: the largest logit of all is the largest
    of those allowed, if it is. Only where it is not, that position is masked. A pass over ten drafted tokens of a
    vocabulary of 131 k would else copy and mask 6 MB of logits, most of which nobody looks at.
    """

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call, row, token = self._call, self._row, self._chosen[position]
        error: GuardError | None = row.masks.why_stuck(row.index, position)
        if error is None and not (call.processors.others or row.masks.allow(position, token)):
            logits = self._share.at(position)
            token = int(call.process(_no_text(logits), logits, [(row, position)]).argmax(dim=-1))
        if error is None:
            error = row.masks.why_refused(position, token, call.processors.names)
        if error is None:
            return (token,)
        call.fail(row, error)
        return (None,)


def _all_at_once(call: Call, shares: Sequence[RowLogits]) -> Sequence[_OneRow]:
    """One argmax for all rows and positions."""
    if call.processors.others:
        logits = torch.cat([share.logits for share in shares])
        asked: list[Asked] = [(share.row, position) for share in shares for position in range(share.draft.size + 1)]
        found = argmax(call.process(_no_text(logits), logits, asked)).tolist()
        chosen = []
        for share in shares:
            chosen.append(found[: share.draft.size + 1])
            found = found[share.draft.size + 1 :]
    else:
        chosen = [share.of_pass.chosen()[share.line, share.columns].tolist() for share in shares]
    return [
        (_GreedyGuarded if share.row.masks else _Greedy)(call, share, tokens)
        for share, tokens in zip(shares, chosen, strict=True)
    ]


def _no_text(logits: Tensor) -> Tensor:
    return torch.empty((logits.shape[0], 0), dtype=torch.long, device=logits.device)


class _InStep:
    """All rows of a call move together, those that ended on padding: a stranger sees just what it sees in plain."""

    def __init__(self, call: Call, shares: Sequence[RowLogits]) -> None:
        """shares: of all rows of the call, in order."""
        self.rows = [share.row for share in shares]
        self.drafts = [share.draft for share in shares]
        self._call, self._shares = call, shares

    def at(self, position: int) -> Sequence[int | None]:
        """See `Choices`."""
        call = self._call
        logits = torch.cat([share.at(position) for share in self._shares])
        asked = [None if row.ended else (row, position) for row in self.rows]
        scores = call.process(call.text.batch(), logits, asked)
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
        # Where nothing pads them, plain generate() lets rows that have ended go on until the last one has.
        ends = call.asked_to_end if call.stops.pads_finished_rows or all(call.asked_to_end) else []
        new = [row for row, ends_now in zip(self.rows, ends, strict=False) if ends_now and not row.ended]
        for row in new:
            row.ended = True
        call.flush()
        return bool(new)  # the drafts of rows that ended know nothing of the padding that follows
