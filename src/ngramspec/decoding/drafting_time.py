"""Recent time that drafting takes."""

from collections import deque
from statistics import fmean, median_low

from ngramspec.decoding.growth import HALF_LIFE, NUM_ENOUGH

NUM_KEPT = 100
"""Passes over which drafting is averaged. It differs by text: under a grammar it takes ten times as long as without."""

_HOPE = 0.5
"""Share of a token's measured time that is believed for each doubt, in the hopeful estimate."""

_DISTURBED = 0.1
"""Share of the kept passes, the slowest ones, that is left out: something else was running."""


class DraftingTime:
    """Seconds of drafting, by token and by pass. Like the price of a width it is doubted the longer it was not measured
    again, and forgotten once drafting proves much quicker.
    """

    def __init__(self) -> None:
        """Nothing measured."""
        self.of_token = 0.0
        """Seconds per drafted token; 0.0 if none was drafted."""
        self.of_pass = 0.0
        """Seconds of drafting per pass, whatever is drafted; 0.0 before the first pass."""
        self._by_token: deque[float] = deque(maxlen=NUM_KEPT)
        self._by_pass: deque[float] = deque(maxlen=NUM_KEPT)
        self._unmeasured = 0

    def record(self, seconds: float, num_tokens: int) -> None:
        """Take in the drafting of a pass."""
        self._by_pass.append(seconds)
        self.of_pass = fmean(sorted(self._by_pass)[: -int(len(self._by_pass) * _DISTURBED) or None])
        if not num_tokens:
            self._unmeasured += 1
            return
        if self._doubts and seconds / num_tokens < _HOPE * self.of_token:
            self._by_token.clear()
        self._by_token.append(seconds / num_tokens)
        self.of_token = median_low(self._by_token)
        self._unmeasured = 0

    @property
    def hope(self) -> float:
        """Share of `of_token` in the hopeful estimate: half for each doubt."""
        return float(_HOPE**self._doubts)

    @property
    def _doubts(self) -> int:
        return self._unmeasured // HALF_LIFE + max(0, NUM_ENOUGH - len(self._by_token))
