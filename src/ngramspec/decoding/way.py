"""How a row is drafted for in a pass, and what that has gained lately."""

from enum import IntEnum

MEMORY = 64.0
"""Drafts of a row over which their gain is averaged. It comes in bursts: a name, then a value that nothing foresees."""

PRIOR = 4.0
"""Weight of the average over all rows in what is expected of one row, in drafts of its own."""

FADE = 0.997
"""Factor on the weight of earlier drafts for each pass in which none was made."""


class Way(IntEnum):
    """How a row is drafted for in a pass."""

    NONE = 0
    """Not at all."""

    BLIND = 1
    """By the drafter alone; grammars, if the row has any, then cut the draft at its first illegal token."""

    STEERED = 2
    """Within what the row's grammars allow, with what they foresee."""


NONE, BLIND, STEERED = Way  # a global name is looked up in a third of the time


class MeanGain:
    """Mean gain, in tokens, of the latest drafts made in one way.

    tokens: that mean. num_drafts: the weight of these drafts, which fades with time.
    """

    __slots__ = ("_memory", "num_drafts", "tokens")

    def __init__(self, memory: float, tokens: float = 0.0, num_drafts: float = 0.0) -> None:
        """memory: highest weight. tokens, num_drafts: the belief before the first draft, and its weight."""
        self._memory, self.tokens, self.num_drafts = memory, tokens, num_drafts

    def fade(self) -> None:
        """Count a pass in which no draft was made in this way."""
        self.num_drafts *= FADE

    def record(self, tokens: float) -> None:
        """Record what a draft gained."""
        self.num_drafts = min(self.num_drafts + 1.0, self._memory)
        self.tokens += (tokens - self.tokens) / self.num_drafts

    def expected(self, average: float) -> float:
        """Tokens that the next draft of this row will gain; average: over all rows."""
        return (self.num_drafts * self.tokens + PRIOR * average) / (self.num_drafts + PRIOR)


class RowGains:
    """What the drafts of one row have gained lately. way: of the latest one.

    blind, steered: by way.
    """

    __slots__ = ("_num_accepted", "blind", "steered", "way")

    def __init__(self) -> None:
        """Nothing drafted."""
        self.way = NONE
        self.blind, self.steered = MeanGain(MEMORY), MeanGain(MEMORY)
        self._num_accepted = 0

    def follow(self, num_accepted: int) -> int:
        """Count a pass; num_accepted: drafted tokens of the row accepted so far. Returns those of this pass."""
        gained, self._num_accepted = num_accepted - self._num_accepted, num_accepted
        if self.way is BLIND:
            self.blind.record(gained)
            self.steered.fade()
        elif self.way is STEERED:
            self.steered.record(gained)
            self.blind.fade()
        else:
            self.blind.fade()
            self.steered.fade()
        return gained
