"""How many answers may be asked for at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from ngramspec.serve.wire.errors import busy


class Admission:
    """A bound on the answers that are prepared, wait or are decoded, for one event loop.

    most: of them. num_open: those that there are.
    """

    def __init__(self, most: int) -> None:
        self.num_open = 0
        self.most = most

    @contextmanager
    def of(self, num_answers: int) -> Iterator[None]:
        """Within the `with` block there are so many more; raises ApiError (429) where that would be too many."""
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
