"""Isotonic regression: measurements of a quantity that cannot fall, made non-decreasing."""

from collections.abc import Sequence


def rising(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to `values`, by weighted squares (pool adjacent violators, Ayer et al. 1955).

    For prices by columns: more columns are never less work, so a wider pass that was quicker was noise.
    """
    means: list[float] = []  # of pools
    totals: list[float] = []  # their weights
    sizes: list[int] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = value, weight, 1
        while means and means[-1] > mean:
            before, heavy = means.pop(), totals.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, size = total + heavy, size + sizes.pop()
        means.append(mean)
        totals.append(total)
        sizes.append(size)
    return [mean for mean, size in zip(means, sizes, strict=True) for _ in range(size)]
