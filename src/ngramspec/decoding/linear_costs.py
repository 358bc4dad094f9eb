"""Cost of a pass by a published linear fit."""

from collections.abc import Sequence

import numpy as np

from ngramspec.decoding.costs import Shape
from ngramspec.decoding.drafting_time import NOTHING, DraftingPrice
from ngramspec.decoding.fits import FITS
from ngramspec.decoding.rate import Rate
from ngramspec.decoding.trials import Trials
from ngramspec.decoding.way import Way
from ngramspec.drafting.types import FloatArray


class LinearCosts:
    """A published fit: a pass costs `base` seconds, and `per_token` more for each token of all rows.

    batch: requests that decode together.
    """

    counts_fill = False

    def __init__(self, base: float, per_token: float, batch: int = 1) -> None:
        """base, per_token: seconds. batch: requests that decode together, all alike.

        Raises ValueError unless batch is a whole number >= 1 and a pass costs more than 0 seconds.
        """
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise ValueError(f"batch must be a whole number >= 1, got {batch!r}: it counts the requests of a pass")
        if base < 0 or per_token < 0 or base + per_token <= 0:
            raise ValueError(f"a pass must cost more than 0 seconds, got base={base!r} and per_token={per_token!r}")
        self.batch = batch
        self._base = base
        self._per_token = per_token * batch
        self._rate = Rate()
        self.trials = Trials()

    def prices(self, shape: Shape, num_more: int, *, hopeful: bool = False) -> FloatArray:
        """See `Costs`; nothing needs to be tried."""
        tokens = np.arange(shape.tokens, shape.tokens + num_more + 1, dtype=np.float64)
        return self._base + self._per_token * tokens

    def of(self, num_tokens: float) -> float:
        """Seconds of a pass over `num_tokens` per request."""
        return self._base + self._per_token * num_tokens

    def per_token(self, shape: Shape, *, hopeful: bool = False) -> float:
        """See `Costs`."""
        return self._per_token

    def drafting(self) -> Sequence[DraftingPrice]:
        """See `Costs`; the fit covers passes only."""
        return NOTHING

    def fixed_share(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._base / self.of(shape.tokens)

    def rate(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._rate.mean

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`; the time is taken from the fit."""
        self._rate.record(num_tokens, self.of(shape.tokens))

    def record_prompt(self, shape: Shape, seconds: float) -> None:
        """See `Costs`; nothing is learnt."""

    def record_drafting(self, way: Way, seconds: float, num_rows: int, num_tokens: int) -> None:
        """See `Costs`; nothing is learnt."""


def fitted(name: str, batch: int = 1) -> LinearCosts:
    """The published fit `name`, for `batch` requests that decode together."""
    passes = FITS[name].passes
    return LinearCosts(passes.base, passes.of_token, batch)
