"""How long drafts may be: one number per row and pass."""

from collections.abc import Sequence as Rows
from typing import Protocol

from ngramspec.decoding.sequence import Sequence


class Budget(Protocol):
    """Decides how many tokens each row may draft in the next pass."""

    def allot(self, sequences: Rows[Sequence]) -> list[int]:
        """Return the longest draft, in tokens, for each of the live rows."""


class FixedBudget:
    """The same draft length for every row in every pass.

    The default of 10 is that of prompt lookup decoding (Saxena 2023) and of transformers.
    """

    def __init__(self, max_draft_tokens: int = 10) -> None:
        if not isinstance(max_draft_tokens, int) or isinstance(max_draft_tokens, bool) or max_draft_tokens < 0:
            raise ValueError(
                f"max_draft_tokens must be a whole number >= 0 (0 switches speculation off), got {max_draft_tokens!r}"
            )
        self.max_draft_tokens = max_draft_tokens

    def allot(self, sequences: Rows[Sequence]) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(sequences)
