"""How many tokens each row drafts in a pass."""

from collections.abc import Callable
from collections.abc import Sequence as Rows
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.trials import MOST_CHARGED, Trials
from ngramspec.drafting.types import Draft, FloatArray

MAX_DRAFT_TOKENS = 96
"""Longest draft that is ever requested, in tokens."""

LEAST_SURVIVAL = 0.005
"""Lowest survival of a token that is worth the lookup, however cheap it is to check."""

MOST_GUESSED = 16
"""Longest draft that may go out with the first prompt, before any plain pass has been measured, in tokens."""

GUESSED_SHARE = 0.25
"""Longest such draft as a share of the prompt's columns, which bounds its cost by about this share of the prefill."""

SURE = 0.5
"""Lowest survival of a token in such a draft."""

WORTH = 0.25
"""A trial must gain this many tokens at hopeful prices for each token that it loses at the measured ones."""

IntArray = npt.NDArray[np.int64]

LEAD, LEAD_SHARE = 32, 0.125
"""Soft-minimum temperature over rows, in tokens: LEAD_SHARE of the tokens that may still be emitted, capped at LEAD."""


class Budget(Protocol):
    """Decides how much of each row's draft goes into the next pass.

    max_draft_tokens: the longest draft that is worth requesting.
    """

    max_draft_tokens: int

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return the lowest survival, 0.0 to 1.0, that makes a token worth drafting; shape: the pass without drafts."""

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return how many tokens of each of `drafts` to check; shape: the pass without drafts.

        remaining: tokens that each row may still emit. The rows are those of one call.
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
        """Return 0.0: every drafted token is checked."""
        return 0.0

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(drafts)


class AdaptiveBudget:
    """The lengths that maximise expected tokens minus the value of the time that the pass takes.

    A second is worth the recent token rate, or the rate of plain decoding if that is higher. So a wide pass is made
    only if it is expected to emit more tokens than the same time would bring otherwise (Dinkelbach's rule for a ratio
    of sums). Costs need not be convex: whole lengths are compared, not the gain of one more token.

    Doubted prices are re-measured now and then by a trial: a pass that would be best at hopeful prices. Its expected
    loss is charged to a small credit that belongs to the prices (`Costs.trials`).
    """

    def __init__(self) -> None:
        self.max_draft_tokens = MAX_DRAFT_TOKENS

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return the survival at which the cheapest token pays; in a padded pass the rows share the price of a column.

        Rows are drafted one after the other, so each token must also pay for its own drafting. When a trial is due,
        both prices are the hopeful ones: otherwise there would be no draft to try.
        """
        prices = costs.prices(shape, 0)
        if prices is None:
            return SURE if _most_guessed(shape) else 1.0  # nothing else will be checked
        hopeful = costs.trials.is_due
        sharing = shape.rows if costs.counts_fill else 1
        column = costs.per_token(shape, hopeful=hopeful) / sharing
        price = max(column, costs.per_draft_token(hopeful=hopeful))
        return max(LEAST_SURVIVAL, _rate(shape, costs, prices) * price)

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return the best lengths; while the cost of a plain pass is unknown, a few sure tokens after a prompt."""
        is_trial = costs.trials.is_due
        costs.trials.count_pass()
        if not any(draft.tokens.size for draft in drafts):
            return [0] * len(drafts)
        if costs.counts_fill:
            share = costs.fixed_share(shape) if len(drafts) > 1 else 0.0
            gains, lengths = _by_columns(drafts, np.array(remaining), share)
        else:
            gains, lengths = _by_tokens(drafts)
        prices = costs.prices(shape, gains.size - 1)
        if prices is None:
            most = _most_guessed(shape)
            return [min(most, int((draft.survival >= SURE).sum())) for draft in drafts]
        rate = _rate(shape, costs, prices)
        values = gains - rate * prices
        best = int(np.argmax(values))
        if is_trial:
            costs.trials.looked()
            hoped_for = costs.prices(shape, gains.size - 1, hopeful=True)
            assert hoped_for is not None
            best = _tried(best, gains, rate, prices, hoped_for, costs.trials)
        return lengths(best)


def _tried(best: int, gains: FloatArray, rate: float, prices: FloatArray, hoped_for: FloatArray, trials: Trials) -> int:
    """The length to try, or `best` if no trial is worth its loss or none is affordable.

    gains: expected tokens by length. prices, hoped_for: seconds by length, measured and hopeful. rate: tokens that a
    second is worth.
    """
    values, hopes, plain = gains - rate * prices, gains - rate * hoped_for, rate * float(prices[0])
    losses = np.maximum(0.0, values[best] - values)
    worthy = np.flatnonzero(np.isfinite(hopes))
    worthy = worthy[hopes[worthy] - WORTH * losses[worthy] > hopes[best]]
    if not worthy.size:
        return best
    if not worthy.any():
        return 0  # a plain pass: it loses less than one pass, and is rarely needed
    affordable = worthy[losses[worthy] <= (MOST_CHARGED if trials.is_overdue else trials.credit) * plain]
    if trials.is_overdue and affordable.size:  # the most doubted price may have been wrong for longest
        added = np.maximum(prices - prices[0], np.finfo(float).tiny)[affordable]
        tried = int(affordable[np.argmin((hoped_for[affordable] - prices[0]) / added)])
    elif affordable.size:
        tried = int(affordable[np.argmax(hopes[affordable])])
    elif trials.is_overdue:
        tried = int(worthy[np.argmin(losses[worthy])])
    else:
        return best
    trials.charge(float(losses[tried]) / plain)
    return tried


def _most_guessed(shape: Shape) -> int:
    """Longest draft with a prompt while no price is known, in tokens."""
    return min(MOST_GUESSED, int(shape.columns * GUESSED_SHARE))


def sure_of_all(drafts: Rows[Draft]) -> list[Draft]:
    """Drafts of rows that move in step, cut to the shortest, each with the joint survival of all rows.

    A pass ends for all rows where the first one leaves its draft, so a token counts only if every row accepts its own.
    """
    length = min(draft.tokens.size for draft in drafts)
    together = np.prod([draft.survival[:length] for draft in drafts], axis=0)
    return [Draft(draft.tokens[:length], survival=together) for draft in drafts]


def _rate(shape: Shape, costs: Costs, prices: FloatArray) -> float:
    """Tokens that a second is worth."""
    return max(costs.rate(shape), shape.rows / float(prices[0]))


Lengths = Callable[[int], list[int]]
"""From the number of drafted columns, or tokens, to the length of each row's draft."""


def _by_columns(drafts: Rows[Draft], remaining: IntArray, fixed_share: float) -> tuple[FloatArray, Lengths]:
    """Expected gain per common length, when cost follows block width: a row that drafts less saves nothing.

    The rows of a call wait for the last one. A token of a row that ends early saves only the share of a pass that
    shrinks with the number of rows. The fixed share is saved by the row that ends last, probably one that is behind
    now, so for that share progress is a soft minimum over the rows.
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
    """Expected gain per number of drafted tokens, when cost follows tokens: the surest tokens of all rows go first."""
    owners = np.repeat(np.arange(len(drafts)), [draft.tokens.size for draft in drafts])
    expected = np.concatenate([draft.survival for draft in drafts])
    order = np.argsort(-expected, kind="stable")

    def lengths(best: int) -> list[int]:
        found: list[int] = np.bincount(owners[order[:best]], minlength=len(drafts)).tolist()
        return found

    return np.concatenate(([0.0], np.cumsum(expected[order]))), lengths
