"""Which way of drafting pays for each row: expected tokens against the time that drafting takes.

A way has one price for all rows, but each row has its own gain: of two rows under grammars, one may write names, which
are foreseen, and the other free text, which is not. What is known of a row fades, so that it is soon expected to gain
what rows gain on average. Trials, paid from a credit (`trials.py`), keep that average current. So neither one row nor
all of them can lock themselves out.
"""

import math
from collections.abc import Sequence as Rows
from typing import NamedTuple

from ngramspec.decoding.row import Row
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import BLIND, NONE, STEERED, MeanGain, RowGains, Way

MEMORY = 256.0
"""Passes over which the gain of a way is averaged over all rows: long, because rows that began together are alike."""

FREE_HOPE, STEERED_HOPE = (1.0, 4.0), (4.0, 8.0)
"""Initial belief in what a draft gains, in tokens, and its weight, in passes.

The first drafts gain little, because the widths of passes have yet to be tried.
"""

NEGLIGIBLE = 0.01
"""A draft that costs no more tokens than this is made without weighing its gain."""


def usual(row: Row) -> Way:
    """The way of a row while no price is known; a row that has ended drafts its own padding."""
    return BLIND if row.steering is None and not row.ended else STEERED


class _Trial(NamedTuple):
    """A way that a row may try. num_drafts: weight of its drafts in that way. row: its index. loss: in tokens."""

    num_drafts: float
    row: int
    way: Way
    loss: float


class WayChooser:
    """Chooses a way for each row.

    Threads may share it: of two drafts counted at the same time, one may be lost.
    """

    def __init__(self) -> None:
        """Nothing measured."""
        self._free, self._cut, self._steered = (
            MeanGain(MEMORY, *FREE_HOPE),
            MeanGain(MEMORY),
            MeanGain(MEMORY, *STEERED_HOPE),
        )
        self._trials = Trials()
        self._serves_prices = False  # whether the latest trial did

    def __reduce__(self) -> tuple[type["WayChooser"], tuple[()]]:
        """A copy, pickled or not, begins with nothing measured."""
        return WayChooser, ()

    def chosen(
        self, rows: Rows[Row], rate: float, plain: float, seconds: Rows[float], *, is_due: bool
    ) -> tuple[list[Way], bool]:
        """The best way of each row, or one that is tried; and whether any is tried.

        rate: tokens that a second is worth. plain: seconds of a pass without drafts. seconds: of drafting a row, by
        way. is_due: whether this pass may be a trial of prices, perhaps one without drafts; its gain says nothing.
        """
        self._trials.count_pass()
        blind, steered = rate * seconds[BLIND], rate * seconds[STEERED]
        ways = [usual(row) for row in rows]
        if blind <= NEGLIGIBLE >= steered:
            for row in rows:
                row.gains.way = NONE  # its gain is not recorded
            return ways, False
        self._follow(rows)
        trials = []
        for index, row in enumerate(rows):
            gains = row.gains
            if row.call.in_step or row.ended:  # a row in step that drafts nothing would end the others' drafts
                pass
            elif row.steering is None:
                value = gains.blind.expected(self._free.tokens) - blind
                if value < 0.0:
                    ways[index] = NONE
                    trials.append(_Trial(gains.blind.num_drafts, index, BLIND, -value))
            else:
                ways[index], trial = self._guarded(index, gains, blind, steered)
                trials += [] if trial is None else [trial]
        tries, counts = False, not is_due
        if trials and self._trials.is_due and not (is_due and any(ways)):
            # A trial of prices needs drafts. Where none pays, it takes those of a trial of ways. The next trial, which
            # follows at once, records what they gain, and is the one that is charged.
            self._serves_prices = is_due and not self._serves_prices
            counts = not self._serves_prices
            tries = self._try(trials, ways, rate * plain, is_charged=counts)
            if counts:
                self._trials.note_considered()
        for row, way in zip(rows, ways, strict=True):
            row.gains.way = way if counts else NONE
        return ways, tries

    def _follow(self, rows: Rows[Row]) -> None:
        """Record what the drafts of the last pass gained."""
        free: list[int] = []
        cut: list[int] = []
        steered: list[int] = []
        for row in rows:
            gains = row.gains
            gained = gains.follow(row.counters.num_accepted_tokens)
            if gains.way is STEERED:
                steered.append(gained)
            elif gains.way is BLIND:
                (free if row.steering is None else cut).append(gained)
        for average, tokens in ((self._free, free), (self._cut, cut), (self._steered, steered)):
            if tokens:
                average.record(sum(tokens) / len(tokens))
            else:
                average.fade()

    def _guarded(self, index: int, gains: RowGains, blind: float, steered: float) -> tuple[Way, _Trial | None]:
        """The best way of a row under grammars, and another one that it may try: steering, or what costs less."""
        values = {
            STEERED: gains.steered.expected(self._steered.tokens) - steered,
            BLIND: gains.blind.expected(self._cut.tokens) - blind,
            NONE: 0.0,
        }
        best = max(values, key=values.__getitem__)
        if best is STEERED and blind >= steered:
            return best, None
        others = [(gains.steered.num_drafts, STEERED), (gains.blind.num_drafts, BLIND)]
        num_drafts, way = min((num_drafts, way) for num_drafts, way in others if way is not best)
        return best, _Trial(num_drafts, index, way, values[best] - values[way])

    def _try(self, trials: list[_Trial], ways: list[Way], plain: float, *, is_charged: bool) -> bool:
        """Try as many ways as the credit allows, the least recently tried first; plain: a plain pass in tokens.

        Returns whether any is tried.
        """
        most = math.inf if self._trials.is_overdue else self._trials.credit * plain
        lost, tries = 0.0, False
        for trial in sorted(trials):
            if lost + trial.loss <= most:
                lost += trial.loss
                ways[trial.row] = trial.way
                tries = True
        if is_charged:
            self._trials.charge(lost / plain)
        return tries
