"""The work that one schema may cause: a budget for all steps from reading it to passing it to a backend.

A few hundred bytes can cause days of work: n^5 pairs of names, nested conditions, references that multiply. A time
limit would catch that too, but differently on every machine; steps do not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ngramspec.errors import GuardError

MAX_STEPS = 500_000
"""Most keywords and values of intermediate schemas. Of 1192 real schemas the largest makes 15 259."""
MAX_COMPARISONS = 20_000
"""Most pairs of schemas that are compared for disjointness; after that no proof is found. Of 1192 real schemas and 869
of a test suite the most is 554."""


class Work:
    """The remaining budget; `disjoint` also keeps its results here."""

    def __init__(self, steps: int = MAX_STEPS, comparisons: int = MAX_COMPARISONS) -> None:
        self.steps = steps
        self.comparisons = comparisons
        self.proofs: dict[tuple[int, int, int], bool] = {}
        self.compared: list[object] = []


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def budget(steps: int = MAX_STEPS, comparisons: int = MAX_COMPARISONS) -> Iterator[Work]:
    """A fresh budget for the block, on this thread."""
    token = _work.set(Work(steps, comparisons))
    try:
        yield current()
    finally:
        _work.reset(token)


def current() -> Work:
    """The budget of this thread; a new one for each call if there is none."""
    return _work.get() or Work()


def spend(steps: int, location: str) -> None:
    """Take `steps` from the budget. Raises GuardError, which names `location`, when the budget is used up."""
    work = _work.get()
    if work is None:
        return
    work.steps -= steps
    if work.steps < 0:
        raise GuardError(
            f"a schema must be rewritten in at most {MAX_STEPS:_} steps, got one that takes more, at"
            f" {location or 'its root'}: nest fewer conditions, and write fewer alternatives and fewer names"
        )
