"""A published fit of passes, plus the time of drafting and of the loop on this machine."""

from collections.abc import Sequence

from ngramspec.decoding.column_prices import DEAREST
from ngramspec.decoding.costs import Shape
from ngramspec.decoding.drafting_time import DraftingPrice, DraftingTime
from ngramspec.decoding.fits import FITS
from ngramspec.decoding.linear_costs import LinearCosts
from ngramspec.decoding.measured_costs import DRAFTING_MEMORY
from ngramspec.decoding.way import Way
from ngramspec.drafting import FloatArray
from ngramspec.replay import HostTime


class HostedCosts(LinearCosts):
    """A budget's costs for a model of this speed on this machine: drafting is priced, too, and decides the ways.

    A row stands for all rows of a pass, which are drafted for one after another.
    """

    def __init__(self, fit: str, batch: int, loop: HostTime) -> None:
        """fit: a key of `FITS`. loop: seconds of the loop."""
        passes = FITS[fit].passes
        super().__init__(passes.base, passes.of_token, batch)
        self._loop = loop
        self._ways = [DraftingTime() for _ in Way]
        self._num_passes = 0
        self._drafted = self._drafting = 0.0

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray:
        """See `Costs`; every pass includes the loop's time."""
        return super().prices(shape, num_more, hopeful=hopeful) + self._loop.of(self.batch, 0.0)

    def drafting(self) -> Sequence[DraftingPrice]:
        """See `Costs`."""
        most = DEAREST * self.of(1)  # for one row, as in `MeasuredCosts`
        return [DraftingPrice(*(self.batch * min(most, seconds) for seconds in time.price)) for time in self._ways]

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`."""
        self._ways[way].record(seconds / num_rows, num_tokens / num_rows, self._num_passes)
        self._drafted += seconds / num_rows

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`; passes by the fit, host time as measured."""
        self._num_passes += 1
        self._drafting += (self._drafted - self._drafting) / min(self._num_passes, DRAFTING_MEMORY)
        self._drafted = 0.0
        self._rate.record(num_tokens, self.of(shape.tokens) + self._loop.of(self.batch, self._drafting))
