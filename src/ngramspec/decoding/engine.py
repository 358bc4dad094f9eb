"""Rows that join between passes, advance together, and leave when they end.

`generate()` is an engine whose rows all join at once; a service's come and go. As in vLLM and in transformers'
continuous batching, prompts are read while other rows decode; but here each in a pass of its own, because a rectangle
of one long row and many short ones would be mostly padding.
"""

import time
from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

from ngramspec.decoding.budget import Budget
from ngramspec.decoding.costs import Costs
from ngramspec.decoding.row import Row
from ngramspec.decoding.step import Clock, Target, step

MOST_PARTS = 8.0
"""Most parts of prompts that are read between two passes, however many tokens rows have emitted."""


class ReadsAhead(Protocol):
    """A target that can read a prompt in parts."""

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """Read `num_tokens` of the row's pending tokens and choose nothing; returns how many the cache now has."""


@dataclass(slots=True)
class _JoinedRows:
    """Rows of one call, until the last one has left."""

    rows: list[Row]
    target: Target
    ahead: ReadsAhead | None


class Engine:
    """Advances rows. It depends on no framework, and has no state of a row.

    failing: the rows of the pass that raised, if one did.
    """

    def __init__(
        self, budget: Budget, costs: Costs, clock: Clock = time.perf_counter, *, max_prompt_tokens: int = 256
    ) -> None:
        """budget, costs: decide the length of drafts. clock: times the passes, in seconds.

        max_prompt_tokens: if prompts are read in parts, the most tokens of a prompt that are read for each token that
        the other rows emit, on average over them. It bounds how long they wait for a token.
        """
        self._budget, self._costs, self._clock = budget, costs, clock
        self._max_prompt_tokens = max_prompt_tokens
        self._parts = 1.0  # parts of prompts that are due before the next pass
        self._joined: list[_JoinedRows] = []
        self.failing: Rows[Row] = ()

    @property
    def rows(self) -> list[Row]:
        """The rows that have joined and not left."""
        return [row for call in self._joined for row in call.rows]

    def add(self, rows: Rows[Row], target: Target, ahead: ReadsAhead | None = None) -> None:
        """Let `rows` of one call join; their prompts are read in one pass. target: reads these rows.

        ahead: reads the prompt of a row that joins alone, in parts, while others decode; None: it is read in one pass.
        """
        self._joined.append(_JoinedRows(list(rows), target, ahead))

    def remove(self, rows: Rows[Row]) -> None:
        """Let `rows` leave before they end; they keep what they have emitted."""
        for row in rows:
            row.close()
        self._leave(set(rows))

    def step(self, join: Callable[[], object] = lambda: None) -> list[Row]:
        """For each target, read parts of prompts, if any wait, and make a pass over the rows that decode.

        Between two passes, as many parts are read as rows emitted tokens, on average over them: with drafts there are
        fewer passes, and prompts would wait longer for their turns. join: lets further requests join, if any can;
        called once a prompt was read while others decode.

        Returns the rows that ended; they have left. The rows of a call in step leave together. If a pass raises, no
        token of its rows was committed: once the `failing` rows are removed, the others can go on.
        """
        self.failing = ()
        by_target: dict[Target, list[_JoinedRows]] = {}
        for call in self._joined:
            by_target.setdefault(call.target, []).append(call)
        num_rows = num_emitted = 0
        for target, calls in by_target.items():
            decoding = [row for call in calls for row in call.rows if self._decodes(row)]
            reading = next((call for call in calls if call.rows[0].reads_prompt), None)
            if reading is not None and not decoding:
                self._step(target, reading.rows)
            elif reading is not None:
                self._read_parts(reading, join)
            if decoding:
                before = sum([len(row.emitted) for row in decoding])
                self._step(target, target.ready(decoding))
                num_rows, num_emitted = num_rows + len(decoding), num_emitted - before
                num_emitted += sum([len(row.emitted) for row in decoding])
        if num_rows:
            self._parts = min(MOST_PARTS, self._parts % 1.0 + max(1.0, num_emitted / num_rows))
        ended = [row for call in self._joined for row in call.rows if row.ended and not self._stays(row, call.rows)]
        if ended:
            self._leave(set(ended))
        return ended

    def _read_parts(self, reading: _JoinedRows | None, join: Callable[[], object]) -> None:
        """Read the parts of prompts that are due, this call's first, while other rows of its target decode."""
        while reading is not None and self._parts >= 1.0:
            row, most = reading.rows[0], int(self._parts) * self._max_prompt_tokens
            if reading.ahead is not None and len(row.pending) > most:
                self._parts -= int(self._parts)
                self.failing = [row]
                row.keep([], reading.ahead.read_ahead(row, most))
                self.failing = ()
                return
            num_parts = max(1, -(-len(row.pending) // self._max_prompt_tokens))
            self._parts = max(0.0, self._parts - num_parts)
            self._step(reading.target, reading.rows)
            join()
            target = reading.target
            of_target = (call for call in self._joined if call.target is target)
            reading = next((call for call in of_target if call.rows[0].reads_prompt), None)

    def _step(self, target: Target, rows: Rows[Row]) -> None:
        self.failing = rows
        step(target, rows, self._budget, self._costs, self._clock)
        self.failing = ()

    @staticmethod
    def _decodes(row: Row) -> bool:
        """Whether the row's prompt is read and it advances, even if with padding."""
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
