"""Rows that join between passes, move on together, and leave when they end.

`generate()` is an engine whose rows all join at once; a service's come and go. In the manner of vLLM and of
transformers' continuous batching, prompts are read beside rows that decode; here each in a pass of its own, for a
rectangle of one long row and many short ones would be mostly fill.
"""

import time
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.costs import Costs
from ngramspec.decoding.row import Row
from ngramspec.decoding.step import Clock, Target, step
from ngramspec.drafting.types import NO_DRAFT


class ReadsAhead(Protocol):
    """A target that can read a prompt in parts."""

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """Read so many of the tokens that are pending, and choose nothing; returns how many the cache now holds."""


@dataclass(slots=True)
class _Joined:
    """Rows of one call, until the last one has left."""

    rows: list[Row]
    target: Target
    ahead: ReadsAhead | None


class Engine:
    """Moves rows on. Nothing in it knows a framework, and nothing of a row lies in it."""

    def __init__(
        self, budget: Budget, costs: Costs, clock: Clock = time.perf_counter, *, max_prompt_tokens: int = 256
    ) -> None:
        """budget, costs: decide the length of drafts, for passes that are timed by `clock`.

        max_prompt_tokens: where prompts are read in parts, so many tokens of one are read in a step at the most while
        other rows decode, so that they do not wait long for it.
        """
        self._budget, self._costs, self._clock = budget, costs, clock
        self._max_prompt_tokens = max_prompt_tokens
        self._joined: list[_Joined] = []

    @property
    def rows(self) -> list[Row]:
        """Those that have joined, and have not left."""
        return [row for call in self._joined for row in call.rows]

    def add(self, rows: Rows[Row], target: Target, ahead: ReadsAhead | None = None) -> None:
        """Let `rows` of one call join, which read their prompts in one pass; target: holds them.

        ahead: reads the prompt of a row that joins alone in parts, while others decode; None: it is read as a whole.
        """
        self._joined.append(_Joined(list(rows), target, ahead))

    def remove(self, rows: Rows[Row]) -> None:
        """Let `rows` leave that have not ended: what they have emitted is all that comes of them."""
        for row in rows:
            row.close()
        self._leave(set(rows))

    def step(self) -> list[Row]:
        """For each target a pass over a prompt, if one is to be read, and one over the rows that decode.

        Returns the rows that ended; they have left. Of a call in step all leave together.
        """
        for target in dict.fromkeys(call.target for call in self._joined):
            calls = [call for call in self._joined if call.target is target]
            reading = next((call for call in calls if call.rows[0].reads_prompt), None)
            decoding = [row for call in calls for row in call.rows if not row.reads_prompt and self._moves(row)]
            if reading is not None:
                self._read_prompts(reading, is_alone=not decoding)
            if decoding:
                self._step(target, target.ready(decoding))
        ended = [row for call in self._joined for row in call.rows if row.ended and not self._stays(row, call.rows)]
        self._leave(set(ended))
        return ended

    def _read_prompts(self, call: _Joined, *, is_alone: bool) -> None:
        row, most = call.rows[0], self._max_prompt_tokens
        if call.ahead is not None and not is_alone and row.pending.size > most:
            row.keep(NO_DRAFT, call.ahead.read_ahead(row, most))
        else:
            self._step(call.target, call.rows)

    def _step(self, target: Target, rows: Rows[Row]) -> None:
        step(target, rows, self._budget, self._costs, self._clock)

    @staticmethod
    def _moves(row: Row) -> bool:
        return not row.ended or row.call.in_step

    @staticmethod
    def _stays(row: Row, rows: list[Row]) -> bool:
        return row.call.in_step and not all(other.ended for other in rows)

    def _leave(self, rows: set[Row]) -> None:
        for call in self._joined:
            for row in call.rows:
                if row in rows:
                    call.target.leave(row)
            call.rows = [row for row in call.rows if row not in rows]
        self._joined = [call for call in self._joined if call.rows]
