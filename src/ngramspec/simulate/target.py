"""Recorded texts as a target for rows that come and go; each pass advances the virtual clock by its price."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field

from ngramspec.decoding import Plan, Reading, Row, Settled, Shape, Target
from ngramspec.drafting import ROOT, Draft, Likely, Tree
from ngramspec.replay import GuardedRow
from ngramspec.simulate.clock import VirtualClock
from ngramspec.simulate.corrected_passes import CorrectedPasses
from ngramspec.simulate.machine import Machine


@dataclass(slots=True, eq=False)
class RecordedRow(GuardedRow):
    """A row whose text is known. output: all tokens that it emits, at least one.

    said: what was held for likely where they were chosen, if it was recorded.
    """

    output: list[int] = field(default_factory=list)
    said: Likely | None = None


class RecordedTarget(Target):
    """Chooses the recorded token at each position. A draft is accepted exactly as far as it agrees with the recording.

    Of a tree, the path that does. After passes that had a tree, rows are told what was held for likely, as by a model.

    num_passes: made so far, including those over parts of prompts.
    """

    def __init__(self, machine: Machine, clock: VirtualClock, *, takes_trees: bool = False) -> None:
        """machine: prices of passes. clock: advanced by them. takes_trees: whether drafts may be trees."""
        self.num_passes, self.takes_trees = 0, takes_trees
        self._machine, self._clock, self._had_tree = machine, clock, False
        self._passes = CorrectedPasses(machine.passes, machine.measured)

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
        self._had_tree = any(isinstance(plan.draft, Tree) for plan in plans)
        return Reading(shape, (), [_settled(plan) for plan in plans])

    def keep(self, rows: Rows[Row]) -> list[int]:
        """See `decoding.Target`."""
        for row in rows if self._had_tree else ():
            assert isinstance(row, RecordedRow)
            if row.said is not None and row.heeds:
                end = len(row.output) - row.remaining
                row.likely = row.said.part(end - len(row.committed), end)
        return super().keep(rows)

    def read_ahead(self, row: Row, num_tokens: int) -> int:
        """See `decoding.engine.ReadsAhead`."""
        self._make(Shape(1, num_tokens, num_tokens, row.num_cached))
        return row.num_cached + num_tokens

    def _mask(self, plans: Rows[Plan]) -> None:
        """Advance the clock by the time that the pass waits for masks along the drafts of guarded rows."""
        sizes = [_num_masked(plan.draft) for plan in plans if plan.row.matchers()]
        if sizes:
            self._clock.advance(self._machine.host.masks.seconds(len(sizes), sum(sizes), max(sizes)))

    def _make(self, shape: Shape) -> None:
        host = self._machine.host
        self.num_passes += 1
        self._clock.advance(self._passes.seconds(shape) + host.loop_of_pass + host.loop_of_row * shape.rows)


def _settled(plan: Plan) -> Settled:
    """All choices are known beforehand: no draft is so long that a row would emit more than it has left."""
    row, draft = plan.row, plan.draft
    assert isinstance(row, RecordedRow)
    start = len(row.output) - row.remaining
    chosen = row.output[start : start + draft.tokens.size + 1]
    path = chosen[: draft.num_accepted(chosen)] if isinstance(draft, Tree) else draft.tokens.tolist()
    return row, path, chosen[: len(path) + 1]


def _num_masked(draft: Draft) -> int:
    """Tokens of a draft along which masks are filled: of a tree, those of its surest path."""
    if not isinstance(draft, Tree):
        return draft.tokens.size
    parents: list[int] = draft.parents.tolist()
    length, node = 0, ROOT
    while node in parents:
        length, node = length + 1, parents.index(node)
    return length
