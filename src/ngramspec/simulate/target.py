"""Recorded texts as a target for rows that come and go; each pass advances the virtual clock by its price."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field

from ngramspec.decoding import Plan, Reading, Row, Settled, Shape, Target
from ngramspec.replay import GuardedRow
from ngramspec.simulate.clock import VirtualClock
from ngramspec.simulate.machine import Machine


@dataclass(slots=True, eq=False)
class RecordedRow(GuardedRow):
    """A row whose text is known. output: all tokens that it emits, at least one."""

    output: list[int] = field(default_factory=list)


class RecordedTarget(Target):
    """Chooses the recorded token at each position. A draft is accepted exactly as far as it agrees with the recording.

    num_passes: made so far, including those over parts of prompts.
    """

    def __init__(self, machine: Machine, clock: VirtualClock) -> None:
        """machine: prices of passes. clock: advanced by them."""
        self.num_passes = 0
        self._machine, self._clock = machine, clock

    def shape(self, rows: Rows[Row]) -> Shape:
        """One token for each row, or the prompt of a row that reads its prompt."""
        sizes = [len(row.pending) for row in rows]
        return Shape(len(rows), max(sizes), sum(sizes), max([row.num_cached for row in rows]))

    def read(self, plans: Rows[Plan]) -> Reading:
        """The recorded tokens along each draft, and the one after it."""
        plain = self.shape([plan.row for plan in plans])
        columns = max([len(plan.row.pending) + plan.draft.tokens.size for plan in plans])
        drafted = sum([plan.draft.tokens.size for plan in plans])
        shape = plain._replace(columns=columns, tokens=plain.tokens + drafted)
        self._make(shape)
        self._mask(plans)
        return Reading(shape, (), [_settled(plan) for plan in plans])

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """See `decoding.engine.ReadsAhead`."""
        self._make(Shape(1, num_tokens, num_tokens, row.num_cached))
        return row.num_cached + num_tokens

    def _mask(self, plans: Rows[Plan]) -> None:
        """Advance the clock by the time that the pass waits for masks along the drafts of guarded rows."""
        sizes = [plan.draft.tokens.size for plan in plans if plan.row.matchers()]
        if sizes:
            self._clock.advance(self._machine.host.masks.seconds(len(sizes), sum(sizes), max(sizes)))

    def _make(self, shape: Shape) -> None:
        host = self._machine.host
        self.num_passes += 1
        self._clock.advance(self._machine.passes.seconds(shape) + host.loop_of_pass + host.loop_of_row * shape.rows)


def _settled(plan: Plan) -> Settled:
    """All choices are known beforehand: no draft is so long that a row would emit more than it has left."""
    row, draft = plan.row, plan.draft.tokens.tolist()
    assert isinstance(row, RecordedRow)
    start = len(row.output) - row.remaining
    return row, draft, row.output[start : start + len(draft) + 1]
