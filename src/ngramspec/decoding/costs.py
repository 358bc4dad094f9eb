"""Shape of a pass, and the protocol that prices it."""

from typing import NamedTuple, Protocol

from ngramspec.decoding.trials import Trials
from ngramspec.drafting.types import FloatArray


class Shape(NamedTuple):
    """What makes a pass dear.

    rows: rows that are read. columns: tokens of the widest of them, drafted ones included; narrower rows are filled up.
    tokens: tokens of all rows, without that fill. context: tokens that the cache holds of the longest row.
    """

    rows: int
    columns: int
    tokens: int
    context: int


class Costs(Protocol):
    """Prices passes, and knows how fast tokens have been coming.

    counts_fill: whether narrow rows cost as much as the widest one, so that columns count; else tokens do.
    trials: what may be spent on passes that measure. It belongs here, for prices outlive a budget.
    """

    counts_fill: bool
    trials: Trials

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """Seconds `float64[num_more + 1]` of a pass of this shape, without drafts, and of ones with 1, 2, … more.

        More columns, or more tokens where fill is not counted. Infinite beyond what should be tried; None where nobody
        can say yet. hopeful: unmeasured or stale widths get an optimistic price.
        """

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """Seconds that one more column, or token, adds at the least."""

    def per_draft_token(self, *, hopeful: bool = False) -> float:
        """Seconds that it takes of late to draft a token; 0.0 where nothing was measured."""

    def fixed_share(self, shape: Shape) -> float:
        """How much of a pass without drafts, 0.0 to 1.0, it costs however few its rows are."""

    def rate(self, shape: Shape) -> float:
        """Tokens per second of late, of all rows together, drafting included; 0.0 where nothing was measured."""

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """Learn that a pass of this shape took so long and emitted so many tokens.

        No seconds, or fewer, and what is no finite number are a clock's mistake: nothing is learnt from them.
        """

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """Learn that a pass that read prompts took so long; shape: its drafts included."""

    def record_drafting(self, seconds: float, num_tokens: int) -> None:
        """Learn that it took so long to draft so many tokens, for all rows of a pass together."""
