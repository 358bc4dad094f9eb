"""Recent time of drafting, by way."""

from typing import NamedTuple

from ngramspec.decoding.column_prices import HALF_LIFE, NUM_ENOUGH
from ngramspec.decoding.way import Way

MEMORY = 64
"""Passes over which the time is averaged. It varies with the text: under a grammar a name costs less than a value."""

_SPREAD = 1.0
"""Variance of drafted tokens per row below which times say little about the price of one more."""

_MOST_SURPRISE = 8.0
"""A single pass counts for at most this many times the expected time: the rest was other load."""

_WRONG = 0.5
"""A pass below this share of an expected time that is doubted shows that the earlier ones were disturbed."""


class DraftingPrice(NamedTuple):
    """Seconds of drafting. of_row: mean per row; of_token: the part of it that one more token adds."""

    of_row: float
    of_token: float


NOTHING = (DraftingPrice(0.0, 0.0),) * len(Way)
"""By way, where nothing was measured."""


class DraftingTime:
    """Seconds of drafting a row, as a least-squares line over the number of drafted tokens; recent passes count most.

    So the fixed cost of a row is not taken for a price of its tokens. That would make drafts short, and each of their
    tokens more expensive still. When no tokens are drafted any more, the line flattens by itself, and they are tried
    again. A price that was not measured lately is doubted, like that of a width.

    price: the current price; zero before the first measurement.
    """

    def __init__(self) -> None:
        """Nothing measured."""
        self.price = DraftingPrice(0.0, 0.0)
        self._restart()

    def _restart(self) -> None:
        self._num_passes = self._measured_at = 0
        self._tokens = self._variance = self._covariance = 0.0

    def record(self, seconds: float, num_tokens: float, now: int) -> None:
        """Record the drafting of a pass, per row. now: number of passes so far, those without drafting included."""
        of_row, of_token = self.price
        expected = max(0.0, of_row + of_token * (num_tokens - self._tokens))
        is_doubted = self._num_passes < NUM_ENOUGH or now - self._measured_at >= HALF_LIFE
        if is_doubted and seconds < _WRONG * expected:
            self._restart()
            of_row = 0.0
        elif expected and self._num_passes >= NUM_ENOUGH:
            seconds = min(seconds, _MOST_SURPRISE * expected)
        self._num_passes, self._measured_at = self._num_passes + 1, now
        share = max(1.0 / self._num_passes, 1.0 / MEMORY)
        more_tokens, more_seconds = num_tokens - self._tokens, seconds - of_row
        self._tokens += share * more_tokens
        self._variance = (1.0 - share) * (self._variance + share * more_tokens * more_tokens)
        self._covariance = (1.0 - share) * (self._covariance + share * more_tokens * more_seconds)
        of_row += share * more_seconds
        steepest = of_row / self._tokens if self._tokens else 0.0  # the fixed cost of a row is not negative
        of_token = min(steepest, max(0.0, self._covariance / (self._variance + _SPREAD)))
        self.price = DraftingPrice(of_row, of_token)
