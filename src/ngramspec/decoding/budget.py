"""How many tokens each row drafts in a pass."""

from collections.abc import Sequence as Rows
from typing import NamedTuple, Protocol

import numpy as np

from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.gains import by_columns, by_tokens, read_again
from ngramspec.decoding.row import Row
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import Way
from ngramspec.decoding.way_chooser import WayChooser, usual
from ngramspec.drafting.types import Draft, FloatArray

MAX_DRAFT_TOKENS = 96
"""Longest draft that is ever requested, in tokens."""

LEAST_SURVIVAL = 0.005
"""Lowest survival of a token that is worth the lookup, however cheap it is to verify."""

MOST_GUESSED = 16
"""Longest draft that may go out with the first prompt, before any plain pass has been measured, in tokens."""

GUESSED_SHARE = 0.25
"""Longest such draft as a share of the prompt's columns: it adds at most about this share to the prefill's cost."""

SURE = 0.5
"""Lowest survival of a token in such a draft."""

WORTH = 0.25
"""Tokens that a trial must gain at hopeful prices for each token that it loses at measured ones. The longer no trial
was made, the fewer (`Trials.patience`)."""


class Terms(NamedTuple):
    """How the rows of a pass are drafted for, and which tokens are worth it.

    ways: one per row. min_survivals: for each way, the lowest survival, 0.0 to 1.0, at which a token is worth drafting.
    """

    ways: list[Way]
    min_survivals: tuple[float, float, float]


class Budget(Protocol):
    """Decides how the rows of the next pass are drafted for, and how much of each draft goes into it.

    max_draft_tokens: the longest draft that is worth requesting.
    """

    max_draft_tokens: int

    def terms(self, rows: Rows[Row], shape: Shape, costs: Costs) -> Terms:
        """Return how to draft for `rows`; shape: the pass without drafts."""

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return how many tokens of each of `drafts` to verify; shape: the pass without drafts.

        remaining: tokens that each row may still emit. The rows are those of one call.
        """


class FixedBudget:
    """The same draft length for every row in every pass, so that every run makes the same passes.

    The default of 10 is that of prompt lookup decoding (Saxena 2023) and of transformers.

    max_draft_tokens: of each row and pass; 0 drafts nothing. Raises ValueError unless it is a whole number >= 0.
    """

    def __init__(self, max_draft_tokens: int = 10) -> None:
        if not isinstance(max_draft_tokens, int) or isinstance(max_draft_tokens, bool) or max_draft_tokens < 0:
            raise ValueError(
                f"max_draft_tokens must be a whole number >= 0 (0 switches speculation off), got {max_draft_tokens!r}"
            )
        self.max_draft_tokens = max_draft_tokens

    def terms(self, rows: Rows[Row], shape: Shape, costs: Costs) -> Terms:
        """Return the usual way for each row, and a lowest survival of 0: every drafted token is verified."""
        return usual_terms(rows, 0.0)

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return `max_draft_tokens` for each row."""
        return [self.max_draft_tokens] * len(drafts)


class AdaptiveBudget:
    """The lengths that maximise expected tokens minus the value of the time that the pass takes.

    A second is worth the recent token rate, or the rate of plain decoding if that is higher. So a wide pass is made
    only if it is expected to emit more tokens than the same time would yield otherwise (Dinkelbach's rule for a ratio
    of sums). Costs need not be convex: whole lengths are compared, not the gain of one more token.

    Doubted prices are re-measured now and then by a trial: a pass that would be best at hopeful prices. Its expected
    loss is charged to a small credit that belongs to the prices (`Costs.trials`). The time of drafting is priced as
    well: `WayChooser` chooses for each row how it is drafted for.
    """

    def __init__(self) -> None:
        self.max_draft_tokens = MAX_DRAFT_TOKENS
        self._ways = WayChooser()

    def terms(self, rows: Rows[Row], shape: Shape, costs: Costs) -> Terms:
        """Return the best ways, and the survival at which the cheapest token pays for its draft and verification.

        In a padded pass the rows share the price of a column. When a trial is due, that price is the hopeful one.
        While a way is tried, drafting a token counts as free: otherwise there would be no draft to try.
        """
        prices = costs.prices(shape, 0)
        if prices is None:
            return usual_terms(rows, SURE if _most_guessed(shape) else 1.0)  # no other token will be verified
        rate = max(costs.rate(shape), shape.rows / _plain_price(shape, costs, prices))
        is_due = costs.trials.is_due
        drafting = costs.drafting()
        of_row = [each.of_row for each in drafting]
        ways, tries = self._ways.chosen(rows, rate, float(prices[0]), of_row, is_due=is_due)
        column = costs.per_token(shape, hopeful=is_due) / (shape.rows if costs.counts_fill else 1)
        of_token = [0.0 if tries else each.of_token for each in drafting]
        none, blind, steered = (max(LEAST_SURVIVAL, rate * (column + each)) for each in of_token)
        return Terms(ways, (none, blind, steered))

    def allot(self, drafts: Rows[Draft], remaining: Rows[int], shape: Shape, costs: Costs) -> list[int]:
        """Return the best lengths; before any plain pass was measured, a few sure tokens after a prompt."""
        is_trial = costs.trials.is_due
        costs.trials.count_pass()
        if not any(draft.tokens.size for draft in drafts):
            return [0] * len(drafts)
        if costs.counts_fill:
            share = costs.fixed_share(shape) if len(drafts) > 1 else 0.0
            gains, lengths = by_columns(drafts, np.array(remaining), share)
        else:
            gains, lengths = by_tokens(drafts)
        prices = costs.prices(shape, gains.size - 1)
        if prices is None:
            most = _most_guessed(shape)
            return [min(most, int((draft.survival >= SURE).sum())) for draft in drafts]
        plain = _plain_price(shape, costs, prices)
        rate = max(costs.rate(shape), shape.rows / plain)
        again = read_again(drafts, prices, plain) if shape.known_columns else 0.0
        values = gains - rate * (prices + again)
        best = int(np.argmax(values))
        if is_trial:
            costs.trials.note_considered()
            hopeful = costs.prices(shape, gains.size - 1, hopeful=True)
            assert hopeful is not None
            best = _tried(best, gains, rate, prices + again, hopeful + again, costs.trials)
        return lengths(best)


def _tried(best: int, gains: FloatArray, rate: float, prices: FloatArray, hopeful: FloatArray, trials: Trials) -> int:
    """The length to try, or `best` if no trial is worth its loss or none is affordable.

    gains: expected tokens by length. prices, hopeful: seconds by length, measured and hopeful. rate: tokens that a
    second is worth.
    """
    values, hopes, plain = gains - rate * prices, gains - rate * hopeful, rate * float(prices[0])
    losses = np.maximum(0.0, values[best] - values)
    worths = hopes - WORTH / trials.patience * losses
    worthy = np.flatnonzero(worths > hopes[best])
    if not worthy.size:
        return best
    if not worthy.any():
        return 0  # a plain pass: it loses less than one pass, and is rarely needed
    affordable = worthy[losses[worthy] <= trials.credit * plain]
    if affordable.size:
        tried = int(affordable[np.argmax(worths[affordable])])
    elif trials.is_overdue:
        tried = int(worthy[np.argmin(losses[worthy])])
    else:
        return best
    trials.charge(float(losses[tried]) / plain)
    return tried


def usual_terms(rows: Rows[Row], min_survival: float) -> Terms:
    """The usual way for each row, and the same lowest survival for all ways."""
    return Terms([usual(row) for row in rows], (min_survival, min_survival, min_survival))


def _most_guessed(shape: Shape) -> int:
    """Longest draft with a prompt while no price is known, in tokens."""
    return min(MOST_GUESSED, int(shape.columns * GUESSED_SHARE))


def _plain_price(shape: Shape, costs: Costs, prices: FloatArray) -> float:
    """Seconds of a pass over one column. prices: of passes of `shape` and wider ones."""
    if shape.known_columns <= 1:
        return float(prices[0])
    found = costs.prices(shape._replace(columns=1, tokens=shape.rows, known_columns=0), 0)
    assert found is not None
    return float(found[0])
