"""Tokens by passes, over the last ones."""

import numpy as np

from ngramspec.drafting.types import FloatArray

MEMORY = 5_000
"""Passes over which a rate is averaged: what counts is the rate in the long run, over all kinds of text."""

_FADE = 1 - 1 / MEMORY


class Rate:
    """Tokens per second, averaged over the last passes with weights that fade."""

    def __init__(self) -> None:
        """Start with no passes."""
        self._tokens = self._seconds = 0.0

    def record(self, num_tokens: float, seconds: float) -> None:
        """Take in a pass."""
        self._tokens = self._tokens * _FADE + num_tokens
        self._seconds = self._seconds * _FADE + seconds

    @property
    def mean(self) -> float:
        """Tokens per second; 0.0 before the first pass."""
        return self._tokens / self._seconds if self._seconds else 0.0


class WidthRate:
    """Tokens per plain pass, over the last passes of each width.

    Widths are counted and not what they cost, so that a price which proves wrong is no longer in the rate either.
    """

    def __init__(self, num_tokens: float = 0.0, passes: list[float] | None = None) -> None:
        """Start with no passes, or with what `state` said."""
        self._tokens = num_tokens
        self._passes = np.array(passes or [0.0], np.float64)

    def record(self, columns: int, num_tokens: float) -> None:
        """Take in a pass of so many columns; num_tokens: per row."""
        self._tokens = self._tokens * _FADE + num_tokens
        self._passes *= _FADE
        if columns > self._passes.size:
            self._passes = np.append(self._passes, np.zeros(columns - self._passes.size))
        self._passes[columns - 1] += 1.0

    @property
    def num_columns(self) -> int:
        """The widest pass."""
        return self._passes.size

    def mean(self, prices: FloatArray) -> float:
        """Tokens per plain pass, where passes of 1, 2, … columns cost `prices` `float64[num_columns]` plain ones."""
        cost = float(self._passes @ prices)
        return self._tokens / cost if cost else 0.0

    def state(self) -> list[float | list[float]]:
        """What another one may start with."""
        return [self._tokens, self._passes.tolist()]
