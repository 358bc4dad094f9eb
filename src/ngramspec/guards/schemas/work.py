"""How much work one schema may make: a budget that everything between reading it and handing it over draws on.

A few hundred bytes can ask for days: names to the fifth power, conditions inside of conditions, references that
multiply. Time would say it too, but differently on every machine; steps do not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ngramspec.errors import GuardError

MAX_STEPS = 500_000
"""Keywords and values of schemas that are made along the way. Of 1192 real schemas the largest makes 15 259."""
MAX_COMPARISONS = 20_000
"""Pairs of schemas that are compared, to prove that they have no value in common; then no more proof is found. Of 1192
real schemas and 869 of a test suite the most is 554."""


class Work:
    """What is left of the budget; `disjoint` keeps its answers here as well."""

    def __init__(self, steps: int = MAX_STEPS, comparisons: int = MAX_COMPARISONS) -> None:
        self.steps = steps
        self.comparisons = comparisons
        self.proofs: dict[tuple[int, int, int], bool] = {}
        self.compared: list[object] = []


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def budget(steps: int = MAX_STEPS, comparisons: int = MAX_COMPARISONS) -> Iterator[Work]:
    """A fresh budget for what is done inside, on this thread."""
    token = _work.set(Work(steps, comparisons))
    try:
        yield current()
    finally:
        _work.reset(token)


def current() -> Work:
    """The budget that this thread draws on; one of its own for each call where there is none."""
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
