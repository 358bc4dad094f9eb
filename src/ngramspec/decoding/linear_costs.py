"""What a pass costs by a published fit: a straight line."""

from ngramspec.decoding.costs import Shape
from ngramspec.decoding.measured_costs import Rate


class LinearCosts:
    """A published fit: a pass costs `base` seconds, and `per_token` more for each token of all rows."""

    counts_fill = False

    def __init__(self, base: float, per_token: float, batch: int = 1) -> None:
        """base, per_token: seconds. batch: requests that decode together, each of them as the one that is priced here.

        Raises ValueError for a batch that is no whole number >= 1, and for passes that cost nothing.
        """
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise ValueError(f"batch must be a whole number >= 1, got {batch!r}: it counts the requests of a pass")
        if base < 0 or per_token < 0 or base + per_token <= 0:
            raise ValueError(f"a pass must cost more than 0 seconds, got base={base!r} and per_token={per_token!r}")
        self._base = base
        self._per_token = per_token * batch
        self._rate = Rate()

    def seconds(self, shape: Shape) -> float:
        """See `Costs`."""
        return self.of(shape.tokens)

    def of(self, num_tokens: float) -> float:
        """Seconds of a pass over so many tokens per request."""
        return self._base + self._per_token * num_tokens

    def least_seconds(self, shape: Shape) -> None:
        """Nothing needs to be tried."""

    def per_token(self, shape: Shape) -> float:
        """See `Costs`."""
        return self._per_token

    def rate(self, rows: int) -> float:
        """See `Costs`."""
        return self._rate.per_second

    def record(self, shape: Shape, seconds: float, num_tokens: int) -> None:
        """See `Costs`; what the pass took is what the fit says."""
        self._rate.record(self.seconds(shape), num_tokens)


FITS: dict[str, tuple[float, float]] = {
    # An 8 B model on an H100, by batched tokens: SpecDecode-Bench's fit (5.886 ms and 1.207 ms of overhead).
    "h100-8b": (7.09e-3, 21.01e-6),
}
"""Published fits, by the name of model and machine: the base and the price of a token, in seconds."""


def fitted(name: str, batch: int = 1) -> LinearCosts:
    """The published fit of that name, for `batch` requests that decode together."""
    return LinearCosts(*FITS[name], batch)
