"""A pool for rows with running states, which join and leave.

The first lines hold the rows that decode, the next one the row whose prompt is being read. Keys and values of attention
layers have slots in their row's line. The states of decoding rows are tensors with an entry per row, so a pass reads
and writes them directly. The states of the row whose prompt is read are kept apart, and are appended to the others'
when it decodes with them. That copies the states of all rows once for each row that joins, and once for each that
leaves.

Nothing is shared between rows: a state is that of a whole text, and another row rarely has the same text.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Rows
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from ngramspec.decoding import Plan, Reading, Row
from ngramspec.decoding.reading_again import MOST_KNOWN
from ngramspec.hf.rows.row import ModelRow, model_rows
from ngramspec.hf.target.cache_bound import BoundedPool, CacheBound, rounded
from ngramspec.hf.target.own_states import state_cache_of
from ngramspec.hf.target.replaying import ReplayingTarget
from ngramspec.hf.types import Model

LEAST_READ = 3
"""Fewest tokens of a prompt that are read ahead, so that no part after the first has a single token. Some models read a
single token after a state like an emitted one, not like one of a prompt (`time_steps`)."""

MARGIN = MOST_KNOWN + 1
"""Slots that a row may take besides its text and draft: a pass is as wide as the most that any of its rows reads again.
"""


class StatePool(ReplayingTarget, BoundedPool):
    """A ReplayingTarget whose rows join and leave, within a bound in bytes.

    num_shared: as in `LinePool`; always 0 here.
    """

    num_shared = 0
    margin = MARGIN

    def __init__(self, model: Model, device: torch.device, max_bytes: int) -> None:
        """max_bytes: of keys, values and states of all rows together; the states count twice, for their copies."""
        super().__init__(model, device)
        self._reading: ModelRow | None = None
        """The row whose prompt is read."""
        self._ready: list[ModelRow] = []
        """Rows that have read their prompts, but have not decoded with the others yet."""
        self._bound = self._measured(max_bytes)

    def join(self, row: ModelRow, num_slots: int, salt: str | None) -> None:
        """Take in a row, which will read its prompt next. No other row may be reading its prompt.

        num_slots: the most that the row may take. salt: of its prompt; not used, because nothing is shared.
        """
        if not self._held and self._most_lines(num_slots) < 1:  # lines are longer than needed: start over
            self._cache = state_cache_of(self._model)
        most, new, num_slots = self._most_lines(num_slots), len(self._held), num_slots + MARGIN
        self._cache.keep_lines(most)
        has_room = new < self._cache.placement.num_lines
        self._cache.reserve(new + 1 if has_room else min(most, 2 * (new + 1)), rounded(num_slots))
        self._cache.wipe({new: 0})  # an earlier row may have left NaN there, which masks do not hide
        self._held.append(row)
        row.line, self._reading = new, row

    def read(self, plans: Rows[Plan]) -> Reading:
        """One forward pass, over the row whose prompt is read or over those that decode. See `decoding.Target`."""
        rows = model_rows([plan.row for plan in plans])
        self._take_in([row for row in self._ready if row in rows])
        with self._apart(rows), self._undone(rows):
            return super().read(plans)

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """Read `num_tokens` of the prompt, or one less if that would leave one. See `decoding.engine.ReadsAhead`."""
        rows = model_rows([row])
        read = row.pending[:num_tokens] if len(row.pending) > num_tokens + 1 else row.pending[: num_tokens - 1]
        with self._apart(rows), self._undone(rows):
            self._forward(rows, [read], num_logits=1)
            self._cache.restore([])
        return row.num_cached + len(read)

    def keep(self, rows: Rows[Row]) -> list[int]:
        """See `ReplayingTarget.keep`. A row that has read its prompt is now ready to decode with the others."""
        kept = super().keep(rows)
        if self._reading is not None and self._reading in rows:
            self._cache.add_ready()
            self._ready.append(self._reading)
            self._reading = None
        return kept

    def leave(self, row: Row) -> None:
        """Free the row's line, and its states."""
        self._take_in([*self._ready])
        reading = self._reading
        if reading is None:
            super().leave(row)
            return
        self._held.pop()
        if row is reading:
            self._cache.drop_apart()
            self._reading = None
            return
        super().leave(row)
        self._cache.copy_line(reading.line, len(self._held), reading.num_cached)
        reading.line = len(self._held)
        self._held.append(reading)

    def _take_in(self, rows: Rows[ModelRow]) -> None:
        """Append the states of `rows`, which have been ready the longest, to those of the rows that decode."""
        if rows:
            self._cache.take_in(len(rows))
            del self._ready[: len(rows)]

    def _apart(self, rows: Rows[ModelRow]) -> AbstractContextManager[None]:
        """Within the `with` block, the states are those of `rows`: those apart while a prompt is read."""
        return self._cache.apart() if self._reading in rows else nullcontext()

    @contextmanager
    def _undone(self, rows: Rows[ModelRow]) -> Iterator[None]:
        """An error within the `with` block restores the states; if they were not copied, it ends `rows`.

        The states of a prompt are always copied, because they are one row's only.
        """
        if rows[0].reads_prompt:
            self._cache.hold()
        try:
            yield
        except Exception as error:
            if not self._cache.undo():
                for row in rows:
                    row.error = error
                    row.close()
            raise

    def _measured(self, max_bytes: int) -> CacheBound:
        """The bound, with byte sizes measured by a pass over one token."""
        cache = state_cache_of(self._model)
        cache.place_run(0, 1)
        ids = torch.zeros((1, 1), dtype=torch.long, device=self._device)
        positions = {"position_ids": ids} if self._takes_positions else {}
        with torch.no_grad():
            cache.take(self._model(input_ids=ids, use_cache=True, return_dict=True, **positions, **cache.arguments()))
        return CacheBound(max_bytes, cache.bytes_per_slot, 2 * cache.state_bytes)
