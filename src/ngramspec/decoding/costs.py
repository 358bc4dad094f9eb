"""What a pass costs on hardware that is not at hand: published fits, by name."""

from collections.abc import Callable

COSTS: dict[str, Callable[[int], float]] = {
    # An 8 B model on an H100, by batched tokens: SpecDecode-Bench's fit (5.886 ms and 1.207 ms of overhead).
    "h100-8b": lambda num_tokens: 7.09e-3 + num_tokens * 21.01e-6,
}
"""Seconds of a pass over so many tokens, by the name of model and machine."""


def modelled_speedup(
    cost: Callable[[int], float], batch: int, *, tokens_per_pass: float, drafted_per_pass: float
) -> float:
    """How much faster than plain decoding `batch` such requests are: tokens per second over tokens per second.

    The cost of a pass is taken at the mean number of drafted tokens, by a straight line between whole numbers.
    """
    checked = batch * (1 + drafted_per_pass)
    below = int(checked)
    seconds = cost(below) + (checked - below) * (cost(below + 1) - cost(below))
    return tokens_per_pass * cost(batch) / seconds
