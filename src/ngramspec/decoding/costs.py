"""What makes a pass dear, and what may be asked of whoever knows how dear."""

from typing import NamedTuple, Protocol

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
    """

    counts_fill: bool

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """Seconds `float64[num_more + 1]` of a pass of this shape, without drafts, and of ones with 1, 2, … more.

        More columns, or more tokens where fill is not counted. Infinite beyond what should be tried; None where nobody
        can say yet. hopeful: what has not been tried of late has the least price that is to be hoped for.
        """

    def per_token(self, shape: Shape) -> float:
        """Seconds that one more column, or token, adds at the least."""

    def per_draft_token(self) -> float:
        """Seconds that it takes of late to draft a token; 0.0 where nothing was measured."""

    def fixed_share(self, shape: Shape) -> float:
        """How much of a pass without drafts, 0.0 to 1.0, it costs however few its rows are."""

    def rate(self, shape: Shape) -> float:
        """Tokens per second of late, of all rows together, drafting included; 0.0 where nothing was measured."""

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """Learn that a pass of this shape took so long and emitted so many tokens."""

    def record_drafting(self, seconds: float, num_tokens: int) -> None:
        """Learn that it took so long to draft so many tokens, for all rows of a pass together."""
