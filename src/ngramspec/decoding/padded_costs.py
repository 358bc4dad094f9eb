"""Prices for a target with a few fixed widths: a pass of three columns costs as much as one of four."""

from collections.abc import Callable, Sequence

import numpy as np

from ngramspec.decoding.costs import Costs, Shape
from ngramspec.decoding.drafting_time import DraftingPrice
from ngramspec.decoding.way import Way
from ngramspec.drafting.types import FloatArray


class PaddedCosts:
    """`Costs` of a target that pads rows to a few widths.

    Only these widths are ever read, so only these are measured; between them, the price is that of the next wider one.
    """

    def __init__(self, costs: Costs, widths: Sequence[int], is_usual: Callable[[], bool]) -> None:
        """costs: of passes by columns. widths: in columns, from 1 on, rising.

        is_usual: whether the last pass took the time that later ones of its shape will take; else it is not recorded.
        """
        self.counts_fill, self.trials = costs.counts_fill, costs.trials
        self._costs, self._widths, self._is_usual = costs, np.array(widths), is_usual

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray | None:
        """See `Costs`; a prompt's pass may have any width."""
        if shape.columns != 1:
            return self._costs.prices(shape, num_more, hopeful=hopeful)
        columns = np.arange(1, num_more + 2)
        read = self._widths[np.searchsorted(self._widths, columns)]
        found = self._costs.prices(shape, int(read[-1]) - 1, hopeful=hopeful)
        return None if found is None else found[read - 1]

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """See `Costs`; a column that fills a width is free, but those before it are not."""
        return self._costs.per_token(shape, hopeful=hopeful)

    def drafting(self) -> Sequence[DraftingPrice]:
        """See `Costs`."""
        return self._costs.drafting()

    def fixed_share(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._costs.fixed_share(shape)

    def rate(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._costs.rate(shape)

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`."""
        if self._is_usual():
            self._costs.record(shape, seconds, num_tokens)

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """See `Costs`."""
        self._costs.record_prompt(shape, seconds)

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`."""
        self._costs.record_drafting(way, seconds, num_rows, num_tokens)
