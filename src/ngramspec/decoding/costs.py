"""Shape of a pass, and the protocol that prices it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ngramspec.decoding.drafting_time import DraftingPrice
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import Way
from ngramspec.drafting.types import FloatArray


class Shape(NamedTuple):
    """What the cost of a pass depends on.

    rows: rows that are read. columns: tokens of the widest row, drafted ones included; narrower rows are padded to it.
    tokens: tokens of all rows, without that padding. context: cached tokens of the longest row.
    known_columns: columns of the pass without drafts, if the target reads accepted tokens again after a rejection, and
        pads rows or has only one; 0 where a rollback is free, and for prompts.
    """

    rows: int
    columns: int
    tokens: int
    context: int
    known_columns: int = 0


class Costs(Protocol):
    """Prices passes, and knows the recent token rate.

    counts_fill: whether narrow rows cost as much as the widest one, so that cost follows columns, not tokens.
    trials: the credit for passes that measure. It is kept here because prices outlive a budget.
    """

    counts_fill: bool
    trials: Trials

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """Seconds `float64[num_more + 1]` of a pass of this shape with 0, 1, 2, … more columns; known ones are counted.

        Tokens instead of columns if `counts_fill` is false. Infinite beyond what should be tried; None if nothing is
        known yet. hopeful: unmeasured or stale widths get an optimistic price.
        """

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """Seconds that a further column, or token, adds: the lowest mean over those of a pass, of any width."""

    def drafting(self) -> Sequence[DraftingPrice]:
        """Recent seconds of drafting by way; zero for a way that was not measured."""

    def fixed_share(self, shape: Shape) -> float:
        """Share of the cost of a pass without drafts, 0.0 to 1.0, that does not shrink with the number of rows."""

    def rate(self, shape: Shape) -> float:
        """Recent tokens per second of all rows together, drafting included; 0.0 if nothing was measured."""

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """Learn that a pass of this shape took `seconds` and emitted `num_tokens`.

        A time that is not positive and finite is a clock error, and is ignored.
        """

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """Learn that a pass that read prompts took `seconds`; shape: drafts included."""

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """Learn that drafting `num_tokens` in this way for `num_rows` rows of a pass took `seconds`."""
