"""The bound on answers that are requested at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from ngramspec.serve.wire.errors import busy


class Admission:
    """A bound on the answers that are prepared, waiting or decoded, for one event loop.

    most: the bound. num_open: answers now.
    """

    def __init__(self, most: int) -> None:
        self.num_open = 0
        self.most = most

    @contextmanager
    def of(self, num_answers: int) -> Iterator[None]:
        """Admit `num_answers` more within the `with` block; raises ApiError (429) if that exceeds the bound."""
        if self.num_open + num_answers > self.most:
            raise busy(
                f"at most {self.most} answers may be asked for at once, got {self.num_open} and {num_answers} more:"
                " ask again later"
            )
        self.num_open += num_answers
        try:
            yield
        finally:
            self.num_open -= num_answers
