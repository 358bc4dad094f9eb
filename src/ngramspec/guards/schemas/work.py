"""The work that one schema may cause: a budget for all steps from reading it to passing it to a backend.

A few hundred bytes can cause days of work: alternatives and references that multiply. A time limit would catch that
too, but differently on every machine; steps do not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ngramspec.errors import GuardError

MAX_STEPS = 500_000
"""Most keywords and values of intermediate schemas. Of 1192 real schemas the largest makes 6 856."""


class Work:
    """The remaining steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def budget(steps: int = MAX_STEPS) -> Iterator[Work]:
    """A fresh budget for the block, on this thread."""
    work = Work(steps)
    token = _work.set(work)
    try:
        yield work
    finally:
        _work.reset(token)


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
