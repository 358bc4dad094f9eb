"""How long a backend takes from token to token: a row ends where that becomes slow, before others have to wait for it.

What is slow in a grammar, the many ways to read one text, becomes slower from token to token, gradually. So whoever
looks at the clock after each step sees it in time. It is the clock of the thread that counts in the end: a busy machine
is no reason to end a row.
"""

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import ParamSpec, TypeVar

from ngramspec.guards.limits import raised
from ngramspec.guards.types import BackendError

P = ParamSpec("P")
T = TypeVar("T")

MASK_SHARE = 10
"""A mask may take so many times what a token may: other threads go on meanwhile."""
SLOW_SHARE = 20
"""A token is slow whose bytes take more than this part of a step's time each."""
MOST_SLOW = 3
"""Slow tokens in a row that are too many."""


class Pace:
    """Looks at the clock, for one matcher."""

    def __init__(self, most_seconds: float) -> None:
        """most_seconds: for a token."""
        self._most_seconds = most_seconds
        self._num_slow = 0
        self.is_watched = False
        """Whether the last token seemed slow: the next one is measured by the clock of the thread."""

    def step(self, num_bytes: int, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `call` returns, which reads `num_bytes`. Raises BackendError where it is slow, once or repeatedly."""
        clock = thread_time if self.is_watched else perf_counter
        start = clock()
        answer = call(*arguments, **options)
        seconds = clock() - start
        if seconds <= num_bytes * self._most_seconds / SLOW_SHARE:
            self.is_watched, self._num_slow = False, 0
        elif not self.is_watched:
            self.is_watched = True
        else:
            self._num_slow += 1
            if seconds > self._most_seconds or self._num_slow == MOST_SLOW:
                raise self._too_slow(f"{1000 * seconds / num_bytes:.1f} ms for a byte")
        return answer

    def mask(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `call` returns, which makes a mask. Raises BackendError where it is slow."""
        start = thread_time()
        answer = call(*arguments, **options)
        seconds = thread_time() - start
        if seconds > MASK_SHARE * self._most_seconds:
            raise self._too_slow(f"{1000 * seconds:.0f} ms for a mask")
        return answer

    def _too_slow(self, found: str) -> BackendError:
        self.is_watched, self._num_slow = False, 0
        limit = f"max_step_seconds={self._most_seconds:g}"
        return BackendError(f"a text has too many ways to be read, {found} with {limit}: {raised('max_step_seconds')}")
