"""How many tokens each row drafts in a pass."""

from collections.abc import Sequence as Rows
from typing import Protocol

import numpy as np

from ngramspec.decoding.costs import Costs, Shape
from ngramspec.drafting.types import Draft

MAX_DRAFT_TOKENS = 48
"""Longer drafts are never asked for."""

LEAST_SURVIVAL = 0.005
"""A token that is less sure is not worth the time to look it up, whatever it costs to check."""

PROBE_EVERY = 16
"""Passes between two looks for a width whose cost nobody knows."""


class Budget(Protocol):
    """Decides how much of each row's draft goes into the next pass.

    max_draft_tokens: the longest draft that is worth asking for.
    """

    max_draft_tokens: int

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return how sure a drafted token must be at the least to be worth drafting; shape: the pass without drafts."""

    def allot(self, drafts: Rows[Draft], shape: Shape, costs: Costs) -> list[int]:
        """Return how many tokens of each of `drafts` to check; shape: the pass without any of them."""


class FixedBudget:
    """The same draft length for every row in every pass, so that every run makes the same passes.

    The default of 10 is that of prompt lookup decoding (Saxena 2023) and of transformers.
    """

    def __init__(self, max_draft_tokens: int = 10) -> None:
        if not isinstance(max_draft_tokens, int) or isinstance(max_draft_tokens, bool) or max_draft_tokens < 0:
            raise ValueError(
                f"max_draft_tokens must be a whole number >= 0 (0 switches speculation off), got {max_draft_tokens!r}"
            )
        self.max_draft_tokens = max_draft_tokens

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return 0.0: whatever is drafted is checked."""
        return 0.0

    def allot(self, drafts: Rows[Draft], shape: Shape, costs: Costs) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(drafts)


class AdaptiveBudget:
    """The lengths that maximise expected tokens minus what the pass's time is worth.

    A second is worth the tokens that come in a second, of late or without drafts, whichever are more. So a pass of
    several columns is made where it is expected to bring more than the time it takes would otherwise (Dinkelbach's
    rule for a ratio of sums). Costs need not be convex: whole lengths are compared, and not one more token.

    Widths that nobody has tried of late are tried now and then, if they would be the best at the lowest price that
    they can have.
    """

    def __init__(self) -> None:
        self.max_draft_tokens = MAX_DRAFT_TOKENS
        self._num_passes = 0

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return what the cheapest token must bring; in a padded pass the rows share the price of a column."""
        sharing = shape.rows if costs.counts_fill else 1
        return max(LEAST_SURVIVAL, self._rate(shape, costs) * costs.per_token(shape) / sharing)

    def allot(self, drafts: Rows[Draft], shape: Shape, costs: Costs) -> list[int]:
        """Return the best lengths; none while the cost of a pass without drafts is unknown."""
        self._num_passes += 1
        rate = self._rate(shape, costs)
        if not rate or not any(draft.tokens.size for draft in drafts):
            return [0] * len(drafts)
        if not costs.counts_fill:
            return _by_tokens(drafts, shape, costs, rate)
        return _by_columns(drafts, shape, costs, rate, is_probe=self._num_passes % PROBE_EVERY == 0)

    def _rate(self, shape: Shape, costs: Costs) -> float:
        """Tokens that a second is worth; 0.0 while the cost of a pass without drafts is unknown."""
        alone = costs.seconds(shape)
        return 0.0 if alone is None else max(costs.rate(shape.rows), shape.rows / alone)


def _by_columns(drafts: Rows[Draft], shape: Shape, costs: Costs, rate: float, *, is_probe: bool) -> list[int]:
    """One length for all: a row that drafts less than the widest one saves nothing."""
    longest = max(draft.tokens.size for draft in drafts)
    expected = np.zeros(longest + 1)
    for draft in drafts:
        expected[1 : draft.survival.size + 1] += draft.survival
    gains = np.cumsum(expected)
    best, most = 0, -np.inf
    for length in range(longest + 1):
        wider = shape._replace(columns=shape.columns + length)
        least = costs.least_seconds(wider) if is_probe else None
        seconds = least if least is not None else costs.seconds(wider)
        value = gains[length] - rate * (seconds or 0.0)
        if value > most:
            best, most = length, value
    return [min(best, draft.tokens.size) for draft in drafts]


def _by_tokens(drafts: Rows[Draft], shape: Shape, costs: Costs, rate: float) -> list[int]:
    """The surest tokens of all rows, as many as pay."""
    owners = np.repeat(np.arange(len(drafts)), [draft.tokens.size for draft in drafts])
    survival = np.concatenate([draft.survival for draft in drafts])
    order = np.argsort(-survival, kind="stable")
    gains = np.concatenate(([0.0], np.cumsum(survival[order])))
    seconds = [costs.seconds(shape._replace(tokens=shape.tokens + more)) or 0.0 for more in range(len(gains))]
    best = int(np.argmax(gains - rate * np.array(seconds)))
    lengths: list[int] = np.bincount(owners[order[:best]], minlength=len(drafts)).tolist()
    return lengths
