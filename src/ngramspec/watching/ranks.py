"""The rank of a value among those before it: a p-value that is valid for any distribution."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable


class Ranks:
    """Ranks of values among those that came before.

    If all orders of the values are equally likely, the ranks are uniform on [0, 1] and independent of each other,
    whatever the values are: equal ones are ordered at random. These are the smoothed p-values of conformal prediction
    (Vovk, Gammerman and Shafer 2005).
    """

    def __init__(self, uniform: Callable[[], float]) -> None:
        """uniform: draws from [0, 1)."""
        self._values: list[float] = []
        self._uniform = uniform

    def __len__(self) -> int:
        """Number of values so far."""
        return len(self._values)

    def of(self, value: float) -> float:
        """The rank of `value` among those before it and itself, from 0 for the least to 1; it is kept."""
        first, last = bisect_left(self._values, value), bisect_right(self._values, value)
        self._values.insert(first, value)
        return (first + self._uniform() * (last - first + 1)) / len(self._values)
