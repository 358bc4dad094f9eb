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
"""Longer drafts are never asked for."""

LEAST_SURVIVAL = 0.005
"""A token that is less sure is not worth the time to look it up, whatever it costs to check."""

MOST_GUESSED = 16
"""Tokens of a draft that may go out with the first prompt, before any plain pass was measured."""

GUESSED_SHARE = 0.25
"""And in columns of that prompt: what they cost is at most about such a share of reading it."""

SURE = 0.5
"""And so sure they must be."""

WORTH = 0.25
"""A trial must promise so many tokens, if what one hopes is true, for each that it is believed to lose."""

IntArray = npt.NDArray[np.int64]

LEAD, LEAD_SHARE = 32, 0.125
"""Temperature of the soft minimum over rows, in tokens: LEAD_SHARE of what may still be emitted, for rows that nothing
else ends will end at the limit; LEAD at the most."""


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

    What is doubted of prices is tried now and then, where that would be the best at the price that is to be hoped for.
    What it is believed to cost comes out of a small credit, which belongs to the prices (`Costs.trials`).
    """

    def __init__(self) -> None:
        self.max_draft_tokens = MAX_DRAFT_TOKENS

    def min_survival(self, shape: Shape, costs: Costs) -> float:
        """Return what the cheapest token must bring; in a padded pass the rows share the price of a column.

        Rows are drafted for one after the other, so each token must bring what it takes to draft it. Where a trial is
        due both are what is to be hoped for, or else nothing would be drafted that could be tried.
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
        """Return the best lengths; while the cost of a plain pass is unknown, a few sure tokens behind a prompt."""
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
    """The length to try, or `best` where nothing is worth a trial or none can be paid for.

    prices, hoped_for: seconds of each length as measured, and at the best. rate: tokens that a second is worth.
    """
    values, hopes, plain = gains - rate * prices, gains - rate * hoped_for, rate * float(prices[0])
    losses = np.maximum(0.0, values[best] - values)
    worthy = np.flatnonzero(np.isfinite(hopes))
    worthy = worthy[hopes[worthy] - WORTH * losses[worthy] > hopes[best]]
    if not worthy.size:
        return best
    if not worthy.any():
        return 0  # a plain pass: it loses less than one, and is asked for seldom
    affordable = worthy[losses[worthy] <= (MOST_CHARGED if trials.is_overdue else trials.credit) * plain]
    if trials.is_overdue and affordable.size:  # what is doubted most may have been wrong for longest
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
    """How many tokens go out with a prompt while nothing is known of prices."""
    return min(MOST_GUESSED, int(shape.columns * GUESSED_SHARE))


def sure_of_all(drafts: Rows[Draft]) -> list[Draft]:
    """Drafts of rows that move in step, as far as all of them go, each with the survival of all together.

    A pass ends for all where the first row leaves its draft, so a token counts only if all rows accept theirs.
    """
    length = min(draft.tokens.size for draft in drafts)
    together = np.prod([draft.survival[:length] for draft in drafts], axis=0)
    return [Draft(draft.tokens[:length], survival=together) for draft in drafts]


def _rate(shape: Shape, costs: Costs, prices: FloatArray) -> float:
    """Tokens that a second is worth."""
    return max(costs.rate(shape), shape.rows / float(prices[0]))


Lengths = Callable[[int], list[int]]
"""From how many columns, or tokens, are drafted to the length of each row's draft."""


def _by_columns(drafts: Rows[Draft], remaining: IntArray, fixed_share: float) -> tuple[FloatArray, Lengths]:
    """Expected gain per common length, where cost follows the width: a row that drafts less saves nothing.

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
