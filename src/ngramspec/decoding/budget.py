"""How long drafts may be: one number per row and pass, and what is worth its price of what was drafted."""

from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import replace
from typing import Protocol

from ngramspec.decoding.sequence import Sequence
from ngramspec.drafting.types import Draft

_PASSES_ASSUMED = 16

_MEMORY = 1 - 1 / 20_000
"""How much of the tokens per second so far counts after one more pass."""


class Budget(Protocol):
    """Decides how many tokens each row may draft in the next pass."""

    @property
    def min_survival(self) -> float:
        """Tokens that survive with a lower probability are not worth drafting, in the next pass."""

    def allot(self, sequences: Rows[Sequence]) -> list[int]:
        """Return the longest draft, in tokens, for each of the live rows."""

    def cut(self, draft: Draft) -> Draft:
        """Return the part of `draft` that is worth checking."""

    def record(self, num_tokens: int, num_drafted: int) -> None:
        """Learn that a row emitted `num_tokens` in a pass that checked `num_drafted` tokens of it."""


class FixedBudget:
    """The same draft length for every row in every pass, however sure.

    The default of 10 is that of prompt lookup decoding (Saxena 2023) and of transformers.
    """

    min_survival = 0.0

    def __init__(self, max_draft_tokens: int = 10) -> None:
        if not isinstance(max_draft_tokens, int) or isinstance(max_draft_tokens, bool) or max_draft_tokens < 0:
            raise ValueError(
                f"max_draft_tokens must be a whole number >= 0 (0 switches speculation off), got {max_draft_tokens!r}"
            )
        self.max_draft_tokens = max_draft_tokens

    def allot(self, sequences: Rows[Sequence]) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(sequences)

    def cut(self, draft: Draft) -> Draft:
        """Return all of it."""
        return draft

    def record(self, num_tokens: int, num_drafted: int) -> None:
        """Learn nothing."""


class CostBudget:
    """Drafts for as long as the tokens to be expected are worth the time that it takes to check them.

    A draft of k tokens is worth `expected tokens - λ · seconds(k)`, λ being the tokens per second so far; the k that
    maximises it maximises tokens per second over all passes (Dinkelbach 1967). Whole lengths are compared, since a
    cost may have steps.

    cost: seconds of a pass over so many tokens, all rows together. batch: rows in a pass, each drafting as this one.
    """

    def __init__(self, cost: Callable[[int], float], *, batch: int = 1, max_draft_tokens: int = 48) -> None:
        """Raises ValueError where `batch` is no whole number >= 1, or a cost is not above 0."""
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise ValueError(f"batch must be a whole number >= 1, got {batch!r}; it counts the rows of a pass")
        self._seconds = [cost(batch * (1 + length)) / batch for length in range(max_draft_tokens + 1)]
        if min(self._seconds) <= 0:
            raise ValueError(f"cost must be above 0 for every pass, got {min(self._seconds)}; give seconds")
        lengths = range(max_draft_tokens + 1)
        self._least_price = min(
            ((self._seconds[b] - self._seconds[a]) / (b - a) for a in lengths for b in lengths[a + 1 :]), default=0.0
        )
        # Before the first pass: as if plain decoding had gone on for a while, so that the first drafts are tried.
        self._num_tokens = float(_PASSES_ASSUMED)
        self._elapsed = self._seconds[0] * _PASSES_ASSUMED

    @property
    def min_survival(self) -> float:
        """No length is worth more if its further tokens are less sure than that."""
        return max(0.0, self._least_price * self._num_tokens / self._elapsed)

    def allot(self, sequences: Rows[Sequence]) -> list[int]:
        """Return the longest draft that was priced: `cut` decides."""
        return [len(self._seconds) - 1] * len(sequences)

    def cut(self, draft: Draft) -> Draft:
        """Return the head of `draft` that is worth most; all of it where its survival is not known."""
        if not draft.survival.size:
            return draft
        price = self._num_tokens / self._elapsed
        best, best_length, expected = -price * self._seconds[0], 0, 0.0
        for length, survival in enumerate(draft.survival.tolist(), start=1):
            expected += survival
            worth = expected - price * self._seconds[length]
            if worth > best:
                best, best_length = worth, length
        if best_length == draft.tokens.size:
            return draft
        return replace(draft, tokens=draft.tokens[:best_length], survival=draft.survival[:best_length])

    def record(self, num_tokens: int, num_drafted: int) -> None:
        """Count the pass; what is long past counts less."""
        self._num_tokens = self._num_tokens * _MEMORY + num_tokens
        self._elapsed = self._elapsed * _MEMORY + self._seconds[num_drafted]
