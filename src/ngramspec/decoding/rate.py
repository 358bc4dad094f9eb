"""Recent tokens per second, or per plain pass."""

import numpy as np

from ngramspec.drafting.types import FloatArray

MEMORY = 5_000
"""Passes over which a rate is averaged. It is long, so that the rate covers all kinds of text."""

_FADE = 1 - 1 / MEMORY


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

    def record(self, columns: int, num_tokens: float) -> None:
        """Record a pass; num_tokens: per row."""
        self._tokens = self._tokens * _FADE + num_tokens
        self._passes *= _FADE
        if columns > self._passes.size:
            self._passes = np.append(self._passes, np.zeros(columns - self._passes.size))
        self._passes[columns - 1] += 1.0

    @property
    def num_columns(self) -> int:
        """Width of the widest pass, in columns."""
        return self._passes.size

    def mean(self, prices: FloatArray) -> float:
        """Tokens per plain pass; prices: `float64[num_columns]`, the price of 1, 2, … columns in plain passes."""
        cost = float(self._passes @ prices)
        return self._tokens / cost if cost else 0.0

    def state(self) -> list[float | list[float]]:
        """The counts, JSON-serialisable; the arguments of a new one."""
        return [self._tokens, self._passes.tolist()]
