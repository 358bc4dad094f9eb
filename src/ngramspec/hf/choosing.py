"""How the target's choices are read off one pass: three orders, one rule.

The rule: choose at a position only once the one before was accepted, and stop where the choice leaves the draft. A
processor or criterion thus sees what it would see in plain `generate()`: the same calls, with the same arguments, once
per emitted token.

- `AtOnce` (greedy, nothing looks at the text): one argmax over all rows and positions.
- `RowByRow` (alone, or nothing looks across rows): each row walks down its own draft.
- `InStep` (a stranger in a batch, or scores are wanted of it): position j of all rows together, with plain's `[B, L]`
  arguments; the pass ends where the first row leaves its draft, or ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ngramspec.decoding import Plan, Verdict, num_agreeing
from ngramspec.drafting.types import TokenArray
from ngramspec.errors import GuardError
from ngramspec.hf.call import Call
from ngramspec.hf.guarding import Masking, Place
from ngramspec.hf.processors import are_blind, are_pure, are_pure_criteria
from ngramspec.hf.rows import Row


class Candidate(NamedTuple):
    """One row of a pass: its place in the batch, its draft `[K]`, and where the logits are that judge it.

    block: `[R, Q, V]`, the logits of the whole pass; all its candidates share them. place: the row's in the block.
    start: the column that chooses the first token, 0 <= start <= Q - K - 1.
    """

    row: int
    draft: TokenArray
    block: Tensor
    place: int
    start: int

    @property
    def logits(self) -> Tensor:
        """`[K + 1, V]`."""
        return self.block[self.place, self.start : self.start + self.draft.size + 1]


SAMPLED = 8
"""Logits per position that are looked at: what a query has read that is not finite makes NaN of all of them."""


def has_poison(candidates: Sequence[Candidate]) -> bool:
    """Whether a pass over drafts computed NaN for a row: a drafted token may overflow, and a mask does not keep it off.

    Zero times infinity is NaN, so a masked value that is not finite poisons whatever attends beside it.
    """
    if not any(candidate.draft.size for candidate in candidates):
        return False
    block = candidates[0].block
    sampled = block[:, :, :: max(1, block.shape[2] // SAMPLED)]
    if not bool(sampled.isnan().any()):
        return False
    return any(bool(candidate._replace(block=sampled).logits.isnan().any()) for candidate in candidates)


class Chooser(ABC):
    """Reads verdicts off logits and emits the tokens."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def begin(self, rows: Sequence[Row], plans: Sequence[Plan]) -> None:
        """Before the forward pass: start to fill the masks of the rows that guards hold for."""
        guards = self.call.guards
        for row, plan in zip(rows, plans, strict=True):
            if guards.maskings and not row.finished:
                guards.begin(row.index, plan.draft.tokens)

    def choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Choose for all rows of the pass, in their order; commits each token to the text as it is chosen."""
        if not self.call.guards.maskings:
            return self._choose(candidates)
        were_finished = [self.call.text.finished[candidate.row] for candidate in candidates]
        verdicts = self._choose([self._judged(candidate) for candidate in candidates])
        return [
            verdict if was_finished else self._followed(candidate.row, verdict)
            for candidate, verdict, was_finished in zip(candidates, verdicts, were_finished, strict=True)
        ]

    @abstractmethod
    def _choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """See `choose`."""

    def _followed(self, row: int, verdict: Verdict) -> Verdict:
        """The verdict, with the row's matchers moved on; where a backend cannot follow, the row ends."""
        try:
            self.call.guards.advance(row, verdict.tokens.tolist())
        except GuardError as error:
            self.call.fail(row, error)
            return Verdict(verdict.tokens, finished=True)
        return verdict

    def _judged(self, candidate: Candidate) -> Candidate:
        """The candidate with the head of its draft that there are masks for."""
        if self.call.text.finished[candidate.row]:
            return candidate
        num_legal = self.call.guards.num_legal(candidate.row, candidate.draft.size)
        return candidate._replace(draft=candidate.draft[:num_legal])


def chooser_for(call: Call) -> Chooser:
    """The fastest order that is exact for the call's processors and criteria."""
    alone = len(call.text.emitted) == 1
    per_row = alone or (not call.record.is_wanted and _rows_end_alone(call))
    if not call.record.is_wanted and not call.picker.do_sample and are_blind(call.processors) and per_row:
        return AtOnce(call)
    if alone or (are_pure(call.processors) and per_row):
        return RowByRow(call)
    return InStep(call)


def _rows_end_alone(call: Call) -> bool:
    """Whether a row may be ended, and left, without a look at the others."""
    if len(call.text.emitted) == 1:
        return True
    if not call.stops.pads_finished_rows:
        return not call.stops.called
    return are_pure_criteria(call.stops.criteria)


class AtOnce(Chooser):
    """Greedy, with processors that do not look at the text: all positions of all rows in one argmax.

    Where guards are the only processors, they are asked for the argmax alone: the largest logit of all is the largest
    of those allowed, if it is. Only where it is not, that position is masked. A pass over ten drafted tokens of a
    vocabulary of 131 k would else copy and mask 6 MB of logits, most of which nobody looks at.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._has_others = any(type(processor) is not Masking for processor in call.processors)

    def _choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        # One argmax for all; what it says of fill is not looked at.
        chosen = self._scores(candidates).argmax(dim=-1).cpu().numpy().astype(np.int32)
        return [self._verdict(candidate, chosen[candidate.place, candidate.start :]) for candidate in candidates]

    def _scores(self, candidates: Sequence[Candidate]) -> Tensor:
        block = candidates[0].block
        if not self._has_others:
            return block.float()  # as plain generate(); and argmax takes four times as long in half precision on a CPU
        return self._processed(block.flatten(0, 1), self._places(candidates)).view(block.shape)

    def _processed(self, logits: Tensor, places: Sequence[Place | None]) -> Tensor:
        no_text = torch.empty((logits.shape[0], 0), dtype=torch.long, device=logits.device)
        return self.call.process(no_text, logits, places)

    def _places(self, candidates: Sequence[Candidate]) -> list[Place | None]:
        num_rows, width = candidates[0].block.shape[:2]
        places: list[Place | None] = [None] * (num_rows * width)
        for candidate in candidates:
            first = candidate.place * width + candidate.start
            for position in range(candidate.draft.size + 1):
                places[first + position] = (candidate.row, position)
        return places

    def _verdict(self, candidate: Candidate, chosen: TokenArray) -> Verdict:
        error = None
        if self.call.guards.maskings:
            tokens, error = self._guarded(candidate, chosen)
        else:
            tokens = chosen[: num_agreeing(candidate.draft, chosen) + 1]
        num_emitted, ended = self.call.emit_run(candidate.row, tokens.tolist())
        if error is not None and not ended:
            self.call.fail(candidate.row, error)
            ended = True
        return Verdict(tokens[:num_emitted], finished=ended)

    def _guarded(self, candidate: Candidate, chosen: TokenArray) -> tuple[TokenArray, GuardError | None]:
        """The row's tokens as far as the guards allow them, and what stands against the next one."""
        guards, draft = self.call.guards, candidate.draft
        tokens = chosen[: draft.size + 1].copy()
        for position in range(tokens.size):
            place = (candidate.row, position)
            error = guards.why_stuck(place)
            if error is None and not (self._has_others or guards.allow(place, tokens[position])):
                masked = self._processed(candidate.logits[position : position + 1], [place])
                tokens[position] = int(masked.argmax(dim=-1))
            if error is None:
                error = guards.why_refused(place, tokens[position])
            if error is not None:
                return tokens[:position], error
            if position < draft.size and tokens[position] != draft[position]:
                return tokens[: position + 1], None
        return tokens, None


class RowByRow(Chooser):
    """Each row walks down its own draft, position by position."""

    def _choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict:
        call, row, logits = self.call, candidate.row, candidate.logits
        tokens: list[int] = []
        ended = False
        for position in range(candidate.draft.size + 1):
            place = (row, position)
            token = call.pick(call.process(call.text.row(row), logits[position : position + 1], [place]), place)
            if token is None:
                ended = True
                break
            tokens.append(token)
            ended = call.emit(row, token)
            if ended or position == candidate.draft.size or token != candidate.draft[position]:
                break
        return Verdict(np.array(tokens, np.int32), finished=ended)


class InStep(Chooser):
    """All rows move together, finished ones on padding, so that a stranger sees just what it sees in plain decoding."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._ended = [False] * len(call.text.emitted)

    def _choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """See `Chooser.choose`; `candidates` are all rows of the batch, in order."""
        num_positions = min(candidate.draft.size for candidate in candidates) + 1
        columns: list[list[int]] = []
        for position in range(num_positions):
            tokens = self._column(candidates, position)
            columns.append(tokens)
            is_over = self._end_rows(self.call.stops.rows_ended(self.call.text, self.call.record.scores))
            self.call.text.flush()
            if is_over or position == num_positions - 1:
                break
            if any(token != candidate.draft[position] for token, candidate in zip(tokens, candidates, strict=True)):
                break
        chosen = np.array(columns, np.int32).T
        return [
            Verdict(tokens, finished=finished) for tokens, finished in zip(chosen, self.call.text.finished, strict=True)
        ]

    def _column(self, candidates: Sequence[Candidate], position: int) -> list[int]:
        """Choose and commit one token per row."""
        text = self.call.text
        logits = torch.stack([candidate.block[candidate.place, candidate.start + position] for candidate in candidates])
        rows = range(len(candidates))
        places = [None if text.finished[row] else (row, position) for row in rows]
        scores = self.call.process(text.batch(), logits, places)
        tokens = []
        for row, place in enumerate(places):
            token = None if place is None else self.call.pick(scores[row : row + 1], place)
            tokens.append(text.pad_token if token is None else token)
        for row, token in enumerate(tokens):
            text.append(row, token)
        return tokens

    def _end_rows(self, ended: list[bool]) -> bool:
        """Take in the criteria's answer `[B]`; returns whether the pass must end with this column."""
        text = self.call.text
        self._ended = [before or now for before, now in zip(self._ended, ended, strict=True)]
        if not self.call.stops.pads_finished_rows and not all(self._ended):
            return False  # plain generate() lets ended rows go on until the last one has ended
        new = [row for row, now in enumerate(self._ended) if now and not text.finished[row]]
        for row in new:
            text.finish(row)
        return bool(new)  # the drafts of rows that ended know nothing of the padding that follows
