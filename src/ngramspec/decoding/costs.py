"""What makes a pass dear, and what may be asked of whoever knows how dear."""

from typing import NamedTuple, Protocol


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
    """Prices shapes, and knows how fast tokens have been coming.

    counts_fill: whether narrow rows cost as much as the widest one; else it is the tokens that count.
    """

    counts_fill: bool

    def seconds(self, shape: Shape) -> float | None:
        """Seconds of a pass of this shape; None where nobody can say yet."""

    def least_seconds(self, shape: Shape) -> float | None:
        """Seconds that such a pass takes at the least, where it has not been tried of late; else None."""

    def per_token(self, shape: Shape) -> float:
        """Seconds that one more column (or token, where fill is not counted) adds at the least."""

    def rate(self, rows: int) -> float:
        """Tokens per second of late, of all rows together; 0.0 where nothing was measured."""

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """Learn that a pass of this shape took so long and emitted so many tokens."""
