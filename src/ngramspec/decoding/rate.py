"""Recent tokens per second, or per plain pass."""

import numpy as np

from ngramspec.drafting.types import FloatArray

MEMORY = 5_000
"""Passes over which a rate is averaged: long, so that the rate covers all kinds of text."""

_FADE = 1 - 1 / MEMORY

_HEAVIEST = 1e9
"""Weight of the latest pass above which all weights are divided by it."""


class Rate:
    """Tokens per second, as an exponential average over passes."""

    def __init__(self) -> None:
        """Start with no passes."""
        self._tokens = self._seconds = 0.0

    def record(self, num_tokens: float, seconds: float) -> None:
        """Record a pass."""
        self._tokens = self._tokens * _FADE + num_tokens
        self._seconds = self._seconds * _FADE + seconds

    @property
    def mean(self) -> float:
        """Tokens per second; 0.0 before the first pass."""
        return self._tokens / self._seconds if self._seconds else 0.0


class WidthRate:
    """Tokens per plain pass, as an exponential average that counts passes by width.

    It stores widths, not prices, so that correcting a price corrects the rate as well.
    """

    def __init__(self, num_tokens: float = 0.0, passes: list[float] | None = None) -> None:
        """Start with no passes, or with those that `state` returned."""
        self._tokens = num_tokens
        self._passes = np.array(passes or [0.0], np.float64)
        self._num_passes = float(self._passes.sum())
        self._weight = 1.0  # of the latest pass: it grows, which is less work than fading all others

    def record(self, columns: int, num_tokens: float) -> None:
        """Record a pass; num_tokens: per row."""
        self._weight /= _FADE
        if self._weight > _HEAVIEST:
            self._rebase()
        self._tokens += self._weight * num_tokens
        if columns > self._passes.size:
            self._passes = np.append(self._passes, np.zeros(columns - self._passes.size))
        self._passes[columns - 1] += self._weight
        self._num_passes += self._weight

    def _rebase(self) -> None:
        self._tokens /= self._weight
        self._passes /= self._weight
        self._num_passes /= self._weight
        self._weight = 1.0

    @property
    def num_columns(self) -> int:
        """Width of the widest pass, in columns."""
        return self._passes.size

    def mean(self, prices: FloatArray, more: float = 0.0) -> float:
        """Tokens per plain pass; prices: `float64[num_columns]`, the price of 1, 2, … columns in plain passes.

        more: the price of the other work of each pass.
        """
        cost = float(self._passes @ prices) + self._num_passes * more
        return self._tokens / cost if cost else 0.0

    def state(self) -> tuple[float, list[float]]:
        """The counts, JSON-serialisable: arguments that restore it."""
        self._rebase()
        return self._tokens, self._passes.tolist()
