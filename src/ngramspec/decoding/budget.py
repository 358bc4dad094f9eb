"""How many tokens each row drafts in a pass."""

from collections.abc import Callable
from collections.abc import Sequence as Rows
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ngramspec.decoding.costs import Costs, Shape
from ngramspec.drafting.types import Draft, FloatArray

MAX_DRAFT_TOKENS = 96
"""Longer drafts are never asked for."""

LEAST_SURVIVAL = 0.005
"""A token that is less sure is not worth the time to look it up, whatever it costs to check."""

PROBE_EVERY = 16
"""Passes between two at which what was not tried of late is priced hopefully."""

CREDIT = 0.01
"""Of all passes so much may go to such trials, if they turn out to bring no more than was known."""

MOST_CREDIT = 2.0
"""Passes that may be saved up for trials."""


IntArray = npt.NDArray[np.int64]

LEAD, LEAD_SHARE = 32, 0.125
"""Tokens by which a row must be ahead of another one to end before it with some certainty: of those that may still be
emitted such a share, for rows that nothing else ends will end at the limit; and so many at the most."""


class Budget(Protocol):
    """Decides how much of each row's draft goes into the next pass.

    max_draft_tokens: the longest draft that is worth asking for.
    """

    max_draft_tokens: int

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return how sure a drafted token must be at the least to be worth drafting; shape: the pass without drafts."""

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return how many tokens of each of `drafts` to check; shape: the pass without any of them.

        remaining: tokens that each row may still emit; all rows began together.
        """


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

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(drafts)


class AdaptiveBudget:
    """The lengths that maximise expected tokens minus what the pass's time is worth.

    A second is worth the tokens that come in a second, of late or without drafts, whichever are more. So a pass of
    several columns is made where it is expected to bring more than the time it takes would otherwise (Dinkelbach's
    rule for a ratio of sums). Costs need not be convex: whole lengths are compared, and not one more token.

    Widths that nobody has tried of late are tried now and then, if they would be the best at the price that is to be
    hoped for; what that is expected to cost comes out of a small credit.
    """

    def __init__(self) -> None:
        self.max_draft_tokens = MAX_DRAFT_TOKENS
        self._num_passes = 0
        self._credit = MOST_CREDIT

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return what the cheapest token must bring; in a padded pass the rows share the price of a column.

        Rows are drafted for one after the other, so each token must bring what it takes to draft it.
        """
        prices = costs.prices(shape, 0)
        if prices is None:
            return 1.0  # nothing will be checked
        sharing = shape.rows if costs.counts_fill else 1
        price = max(costs.per_token(shape) / sharing, costs.per_draft_token())
        return max(LEAST_SURVIVAL, _rate(shape, costs, prices) * price)

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return the best lengths; none while the cost of a pass without drafts is unknown."""
        self._num_passes += 1
        is_trial = self._num_passes % PROBE_EVERY == 0
        if is_trial:
            self._credit = min(MOST_CREDIT, self._credit + PROBE_EVERY * CREDIT)
        if not any(draft.tokens.size for draft in drafts):
            return [0] * len(drafts)
        if costs.counts_fill:
            share = costs.fixed_share(shape) if len(drafts) > 1 else 0.0
            gains, lengths = _by_columns(drafts, np.array(remaining), share)
        else:
            gains, lengths = _by_tokens(drafts)
        prices = costs.prices(shape, gains.size - 1)
        if prices is None:
            return [0] * len(drafts)
        rate = _rate(shape, costs, prices)
        values = gains - rate * prices
        best = int(np.argmax(values))
        if is_trial:
            hoped_for = costs.prices(shape, gains.size - 1, hopeful=True)
            assert hoped_for is not None
            tried = int(np.argmax(gains - rate * hoped_for))
            best = self._affordable(tried, best, (values[best] - values[tried]) / (rate * prices[0]))
        return lengths(best)

    def _affordable(self, tried: int, best: int, loss: float) -> int:
        """Return `tried` if there is credit for what it loses against `best`, in plain passes."""
        if loss > self._credit:
            return best
        self._credit -= loss
        return tried


class InStepBudget:
    """A budget for passes that end, for all rows, where the first row leaves its draft.

    A drafted token then counts only if all rows accept theirs: each row has the survival of all of them together.
    """

    def __init__(self, budget: Budget) -> None:
        """budget: decides, by that survival."""
        self.max_draft_tokens = budget.max_draft_tokens
        self._budget = budget

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return what the budget says."""
        return self._budget.min_survival(shape, costs)

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return the best lengths, the same for all rows."""
        length = min(draft.tokens.size for draft in drafts)
        together = np.prod([draft.survival[:length] for draft in drafts], axis=0)
        shared = [Draft(draft.tokens[:length], survival=together) for draft in drafts]
        return self._budget.allot(shared, remaining, shape, costs)


def _rate(shape: Shape, costs: Costs, prices: FloatArray) -> float:
    """Tokens that a second is worth."""
    return max(costs.rate(shape), shape.rows / float(prices[0]))


Lengths = Callable[[int], list[int]]
"""From how many columns, or tokens, are drafted to the length of each row's draft."""


def _by_columns(drafts: Rows[Draft], remaining: IntArray, fixed_share: float) -> tuple[FloatArray, Lengths]:
    """What comes by columns: one length for all, for a row that drafts less than the widest one saves nothing.

    Rows of a call wait for the last one. A token of a row that ends before the others saves only what a pass costs less
    for having a row less; all else is saved by the row that ends last, and that will be one of those that are behind.
    So of the fixed share of a pass the progress of the rows counts by a soft minimum.
    """
    expected = np.zeros((max(draft.tokens.size for draft in drafts) + 1, len(drafts)))
    for row, draft in enumerate(drafts):
        expected[1 : draft.survival.size + 1, row] = draft.survival
    emitted = np.cumsum(expected, axis=0)
    gains = emitted.sum(axis=1)
    if fixed_share > 0.0:
        lead = min(LEAD, remaining.max() * LEAD_SHARE)
        lag = (remaining - remaining.max()) / lead
        least = -lead * np.log(np.exp(lag - emitted / lead).sum(axis=1))
        gains = (1.0 - fixed_share) * gains + fixed_share * len(drafts) * (least - least[0])
    return gains, lambda best: [min(best, draft.tokens.size) for draft in drafts]


def _by_tokens(drafts: Rows[Draft]) -> tuple[FloatArray, Lengths]:
    """What comes by tokens: the surest of all rows go first."""
    owners = np.repeat(np.arange(len(drafts)), [draft.tokens.size for draft in drafts])
    expected = np.concatenate([draft.survival for draft in drafts])
    order = np.argsort(-expected, kind="stable")

    def lengths(best: int) -> list[int]:
        found: list[int] = np.bincount(owners[order[:best]], minlength=len(drafts)).tolist()
        return found

    return np.concatenate(([0.0], np.cumsum(expected[order]))), lengths
