"""Rows that join between passes, advance together, and leave when they end.

`generate()` is an engine whose rows all join at once; a service's come and go. In the manner of vLLM and of
transformers' continuous batching, prompts are read while other rows decode; here each in a pass of its own, because a
rectangle of one long row and many short ones would be mostly padding.
"""

import time
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.costs import Costs
from ngramspec.decoding.prompt_queue import PromptQueue
from ngramspec.decoding.row import Row
from ngramspec.decoding.step import Clock, Target, step


class ReadsAhead(Protocol):
    """A target that can read a prompt in parts."""

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """Read `num_tokens` of the row's pending tokens and choose nothing; returns how many the cache now holds."""


@dataclass(slots=True)
class _Joined:
    """Rows of one call, until the last one has left."""

    rows: list[Row]
    target: Target
    ahead: ReadsAhead | None


class Engine:
    """Advances rows. It depends on no framework and holds no state of a row."""

    def __init__(
        self, budget: Budget, costs: Costs, clock: Clock = time.perf_counter, *, max_prompt_tokens: int = 256
    ) -> None:
        """budget, costs: decide the length of drafts. clock: times the passes, in seconds.

        max_prompt_tokens: where prompts are read in parts, the most tokens of a prompt that one step reads while other
        rows decode. It bounds how long they wait.
        """
        self._budget, self._costs, self._clock = budget, costs, clock
        self._max_prompt_tokens = max_prompt_tokens
        self._joined: list[_Joined] = []
        self._prompts = PromptQueue()

    @property
    def rows(self) -> list[Row]:
        """The rows that have joined and not left."""
        return [row for call in self._joined for row in call.rows]

    def add(self, rows: Rows[Row], target: Target, ahead: ReadsAhead | None = None) -> None:
        """Let `rows` of one call join; their prompts are read in one pass. target: reads these rows.

        ahead: reads the prompt of a row that joins alone in parts, while others decode; None: it is read in one pass.
        """
        self._joined.append(_Joined(list(rows), target, ahead))

    def remove(self, rows: Rows[Row]) -> None:
        """Let `rows` leave before they end; they keep what they have emitted."""
        for row in rows:
            row.close()
        self._leave(set(rows))

    def step(self, num_waiting: int = 0) -> list[Row]:
        """For each target make a pass over a prompt, if one is waiting, and one over the rows that decode.

        num_waiting: requests that have not joined for no other reason than that a prompt is being read.

        Returns the rows that ended; they have left. The rows of a call in step leave together.
        """
        by_target: dict[Target, list[_Joined]] = {}
        for call in self._joined:
            by_target.setdefault(call.target, []).append(call)
        for target, calls in by_target.items():
            reading = [call for call in calls if call.rows[0].reads_prompt]
            decoding = [row for call in calls for row in call.rows if self._decodes(row)]
            num_waiting = max(num_waiting, len(reading) - 1)
            if reading:
                self._read_prompts(reading[0], is_alone=not decoding)
            if decoding:
                self._step(target, target.ready(decoding))
        self._prompts.record(num_waiting)
        ended = [row for call in self._joined for row in call.rows if row.ended and not self._stays(row, call.rows)]
        if ended:
            self._leave(set(ended))
        return ended

    def _read_prompts(self, call: _Joined, *, is_alone: bool) -> None:
        row, most = call.rows[0], self._max_prompt_tokens
        if call.ahead is not None and not is_alone and len(row.pending) > most:
            row.keep([], call.ahead.read_ahead(row, most))
        else:
            self._step(call.target, call.rows)

    def _step(self, target: Target, rows: Rows[Row]) -> None:
        step(target, rows, self._budget, self._costs, self._clock, waiting=self._prompts.share)

    @staticmethod
    def _decodes(row: Row) -> bool:
        """Whether the row's prompt is read and it moves on, be it with padding."""
        return row.call.in_step if row.ended else bool(row.emitted)

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
