"""How the target's choices are read off one pass: three orders, one rule.

The rule: choose at a position only once the one before was accepted, and stop where the choice leaves the draft. A
processor or criterion thus sees what it would see in plain `generate()`: the same calls, with the same arguments, once
per emitted token.

- `AtOnce` (greedy, nothing looks at the text): one argmax over all rows and positions.
- `RowByRow` (alone, or nothing looks across rows): each row walks down its own draft.
- `InStep` (a stranger in a batch, or scores are wanted of it): position j of all rows together, with plain's `[B, L]`
  arguments; the pass ends where the first row leaves its draft, or ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessorList

from ngramspec.decoding import Verdict, num_agreeing
from ngramspec.drafting.types import TokenArray
from ngramspec.hf.processors import are_blind, are_pure, are_pure_criteria
from ngramspec.hf.record import Record
from ngramspec.hf.sampling import Picker
from ngramspec.hf.stopping import Stops
from ngramspec.hf.text import Text


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


class Chooser(Protocol):
    """Reads verdicts off logits and emits the tokens."""

    def choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Choose for all rows of the pass, in their order; commits each token to the text as it is chosen."""


@dataclass(frozen=True, slots=True)
class Call:
    """What one `generate()` call chooses with."""

    text: Text
    processors: LogitsProcessorList
    picker: Picker
    stops: Stops
    record: Record

    def process(self, input_ids: Tensor, logits: Tensor) -> Tensor:
        """Scores `float32[n, V]` from logits `[n, V]`: a copy, for processors may write to it, where the prompt is."""
        raw = logits.to(copy=True, dtype=torch.float32, device=input_ids.device)
        scores = self.processors(input_ids, raw) if self.processors else raw  # type: ignore[arg-type]
        self.record.add(scores, raw)
        return scores

    def emit(self, row: int, token: int) -> bool:
        """Commit one token; returns whether the row ended with it."""
        self.text.append(row, token)
        ended = self.stops.row_ended(self.text, row, self.record.scores)
        if ended:
            self.text.finish(row)
        self.text.flush()
        return ended

    def emit_run(self, row: int, tokens: list[int]) -> tuple[int, bool]:
        """Commit tokens until the row ends; returns how many were committed, and whether it ended."""
        if self.stops.cannot_end(self.text, row, tokens):
            self.text.extend(row, tokens)
            self.text.flush()
            return len(tokens), False
        for index, token in enumerate(tokens):
            if self.emit(row, token):
                return index + 1, True
        return len(tokens), False


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


class AtOnce:
    """Greedy, with processors that do not look at the text: all positions of all rows in one argmax."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """See `Chooser`."""
        # One argmax for all; what it says of fill is not looked at.
        chosen = self._scores(candidates[0].block).argmax(dim=-1).cpu().numpy().astype(np.int32)
        return [self._verdict(candidate, chosen[candidate.place, candidate.start :]) for candidate in candidates]

    def _scores(self, block: Tensor) -> Tensor:
        # Plain generate() chooses in float32. Half precision embeds in it exactly, so its argmax is the same.
        if not self.call.processors:
            return block.float() if block.dtype == torch.float64 else block
        logits = block.flatten(0, 1)
        no_text = torch.empty((logits.shape[0], 0), dtype=torch.long, device=logits.device)
        return self.call.process(no_text, logits).view(block.shape)

    def _verdict(self, candidate: Candidate, chosen: TokenArray) -> Verdict:
        tokens = chosen[: num_agreeing(candidate.draft, chosen) + 1]
        num_emitted, ended = self.call.emit_run(candidate.row, tokens.tolist())
        return Verdict(tokens[:num_emitted], finished=ended)


class RowByRow:
    """Each row walks down its own draft, position by position."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """See `Chooser`."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict:
        call, row, logits = self.call, candidate.row, candidate.logits
        tokens: list[int] = []
        ended = False
        for position in range(candidate.draft.size + 1):
            token = call.picker.pick(call.process(call.text.row(row), logits[position : position + 1]), row)
            tokens.append(token)
            ended = call.emit(row, token)
            if ended or position == candidate.draft.size or token != candidate.draft[position]:
                break
        return Verdict(np.array(tokens, np.int32), finished=ended)


class InStep:
    """All rows move together, finished ones on padding, so that a stranger sees just what it sees in plain decoding."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._ended = [False] * len(call.text.emitted)

    def choose(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """See `Chooser`; `candidates` are all rows of the batch, in order."""
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
        scores = self.call.process(text.batch(), logits)
        tokens = [
            text.pad_token if text.finished[row] else self.call.picker.pick(scores[row : row + 1], row)
            for row in range(len(candidates))
        ]
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
