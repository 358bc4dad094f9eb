"""Expected gain of drafts: the tokens that a pass emits beyond those of a plain one, by the length of its drafts."""

from collections.abc import Callable
from collections.abc import Sequence as Rows

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.types import Draft, FloatArray

IntArray = npt.NDArray[np.int64]

LEAD, LEAD_SHARE = 32, 0.125
"""Soft-minimum temperature over rows, in tokens: LEAD_SHARE of the tokens that may still be emitted, capped at LEAD."""

Lengths = Callable[[int], list[int]]
"""From the number of drafted columns, or tokens, to the length of each row's draft."""


def by_columns(drafts: Rows[Draft], remaining: IntArray, fixed_share: float) -> tuple[FloatArray, Lengths]:
    """Expected gain per common length, when cost follows block width: a row that drafts less saves nothing.

    The rows of a call wait for the last one. A token of a row that ends early saves only the share of a pass that
    shrinks with the number of rows. The fixed share is saved by the row that ends last, probably one that is behind
    now, so for that share progress is a soft minimum over the rows.
    """
    if len(drafts) == 1:
        (draft,) = drafts
        return np.cumsum(np.concatenate(([0.0], draft.survival))), lambda best: [best]
    sizes = [draft.tokens.size for draft in drafts]
    emitted = _emitted(drafts, np.array(sizes))
    gains: FloatArray = emitted.sum(axis=0)
    if fixed_share > 0.0:
        lead = min(LEAD, remaining.max() * LEAD_SHARE)
        lag = (remaining - remaining.max()) / lead
        least = -lead * np.log(np.exp(lag[:, None] - emitted / lead).sum(axis=0))
        gains = (1.0 - fixed_share) * gains + fixed_share * len(drafts) * (least - least[0])
    return gains, lambda best: [min(best, size) for size in sizes]


def _emitted(drafts: Rows[Draft], sizes: IntArray) -> FloatArray:
    """Expected tokens of each row by common length, `float64[R, 1 + K]` with K of the longest draft."""
    expected = np.zeros((sizes.size, sizes.max() + 1))
    expected[:, 1:][np.arange(sizes.max()) < sizes[:, None]] = np.concatenate([draft.survival for draft in drafts])
    return np.cumsum(expected, axis=1, out=expected)


def read_again(drafts: Rows[Draft], prices: FloatArray, plain: float) -> FloatArray:
    """Expected seconds that a pass adds to the next one by common length, where a rejected draft is read again.

    Where a row rejects a token, or its draft ends before the last column, the next pass reads all tokens known by then.
    prices: seconds of a pass by length, with the columns that are known now. plain: of a pass over one column.
    """
    sizes = np.array([draft.tokens.size for draft in drafts])
    kept = np.zeros((sizes.size, prices.size))
    kept[:, 0] = 1.0
    kept[:, 1:][np.arange(prices.size - 1) < sizes[:, None]] = np.concatenate([draft.survival for draft in drafts])
    accepted = np.cumsum(kept[:, 1:].mean(axis=0))
    within = np.minimum(prices, prices[np.isfinite(prices)].max())  # nothing is drafted beyond what may be tried
    known = np.interp(accepted + 1.0, np.arange(prices.size), within)
    again: FloatArray = np.concatenate(([0.0], (1.0 - kept[:, 1:].prod(axis=0)) * (known - plain)))
    return again


def by_tokens(drafts: Rows[Draft]) -> tuple[FloatArray, Lengths]:
    """Expected gain per number of drafted tokens, when cost follows tokens: the surest tokens of all rows go first."""
    owners = np.repeat(np.arange(len(drafts)), [draft.tokens.size for draft in drafts])
    expected = np.concatenate([draft.survival for draft in drafts])
    order = np.argsort(-expected, kind="stable")

    def lengths(best: int) -> list[int]:
        found: list[int] = np.bincount(owners[order[:best]], minlength=len(drafts)).tolist()
        return found

    return np.concatenate(([0.0], np.cumsum(expected[order]))), lengths


def sure_of_all(drafts: Rows[Draft]) -> list[Draft]:
    """Drafts of rows that move in step, cut to the shortest, each with the joint survival of all rows.

    A pass ends for all rows where the first one leaves its draft, so a token counts only if every row accepts its own.
    """
    length = min(draft.tokens.size for draft in drafts)
    together = np.prod([draft.survival[:length] for draft in drafts], axis=0)
    return [Draft(draft.tokens[:length], survival=together) for draft in drafts]
