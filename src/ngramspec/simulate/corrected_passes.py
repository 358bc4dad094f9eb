"""Prices of passes from a fit and the passes it was fitted to: right where it was measured, a fit elsewhere."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from ngramspec.decoding import PassPrices, Shape
from ngramspec.decoding.calibration_file import MeasuredPass

Line = list[tuple[float, float]]
"""Points of a curve, with rising x."""


class CorrectedPasses:
    """Seconds of a pass: those of a fit, corrected by its error at this many rows and columns.

    A sum of prices is off where columns fill a processor's registers or a kernel's block in steps, on CPUs by a third.
    Errors are means over contexts of the logarithm of measured by fitted seconds. They are interpolated linearly over
    the logarithms of rows and columns; outside of what was measured, the nearest one holds.
    """

    def __init__(self, fit: PassPrices, measured: Sequence[MeasuredPass]) -> None:
        """fit: of `measured`; without these it stands as it is."""
        self._fit = fit
        errors: dict[tuple[int, int], list[float]] = defaultdict(list)
        for each in measured:
            errors[each.rows, each.columns].append(math.log(each.seconds / fit.seconds(each.shape)))
        lines: dict[int, Line] = defaultdict(list)
        for (rows, columns), found in sorted(errors.items()):
            lines[rows].append((math.log(columns), sum(found) / len(found)))
        self._lines = sorted(lines.items()) or [(1, [(0.0, 0.0)])]
        self._factors: dict[tuple[int, int], float] = {}

    def seconds(self, shape: Shape) -> float:
        """What a pass of this shape costs."""
        key = shape.rows, shape.columns
        factor = self._factors.get(key)
        if factor is None:
            across = [(math.log(rows), _at(line, math.log(shape.columns))) for rows, line in self._lines]
            factor = self._factors[key] = math.exp(_at(across, math.log(shape.rows)))
        return factor * self._fit.seconds(shape)


def _at(line: Line, x: float) -> float:
    """The value of a curve at `x`; outside of its points, that of the nearest one."""
    after = bisect_right(line, x, key=lambda point: point[0])
    if after == 0 or after == len(line):
        return line[min(after, len(line) - 1)][1]
    (left, low), (right, high) = line[after - 1], line[after]
    return low + (high - low) * (x - left) / (right - left)
