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
SLOW_SHARE = 5
"""A token is slow whose bytes take more than this part of a step's time each, where other threads wait for it."""
MOST_SHARE = 0.5
"""So is one that takes more than this part of it in all, however many bytes it has: the next one may take more."""
BRISK_SHARE = 400
"""A token is looked at before it is read where the last one took more than this part of a step's time for a byte."""
SHORT = 16
"""Bytes of a token that needs no look, unless the one before it was slower than that."""
LOOK_SHARE, LOOK_BYTES = 20, 4
"""Each look takes in so many bytes more than the one before; one, where a byte takes more than this part of a step."""
MOST_SLOW = 3
"""Slow tokens in a row that are too many."""


class Pace:
    """Looks at the clock, for one matcher."""

    def __init__(self, most_seconds: float, slow_share: int = SLOW_SHARE) -> None:
        """most_seconds: for a token. slow_share: the part of it that each byte of a token may take."""
        self._most_seconds = most_seconds
        self._slow_share = slow_share
        self._num_slow = 0
        self._byte_seconds = 0.0
        self.is_watched = False
        """Whether the last token seemed slow: the next one is measured by the clock of the thread."""

    def step(self, num_bytes: int, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `call` returns, which reads `num_bytes`. Raises BackendError where it is slow, once or repeatedly."""
        clock = thread_time if self.is_watched else perf_counter
        start = clock()
        answer = call(*arguments, **options)
        seconds = clock() - start
        self._byte_seconds = seconds / num_bytes
        if seconds <= self._most_seconds * min(num_bytes / self._slow_share, MOST_SHARE):
            self.is_watched, self._num_slow = False, 0
        elif not self.is_watched:
            self.is_watched = True
        else:
            self._num_slow += 1
            if seconds > self._most_seconds or self._num_slow == MOST_SLOW:
                raise self._too_slow(f"{1000 * seconds / num_bytes:.1f} ms for each of {num_bytes} bytes")
        return answer

    def needs_look(self, num_bytes: int) -> bool:
        """Whether a token is to be looked at in pieces before it is read at once: it is long, or reading not brisk."""
        return num_bytes > SHORT or (num_bytes > 1 and self._byte_seconds > self._most_seconds / BRISK_SHARE)

    def parts(self, num_bytes: int) -> range:
        """The lengths of the parts of a token that are looked at, one after another, before all of it is read."""
        is_slow = self._byte_seconds > self._most_seconds / LOOK_SHARE
        step = 1 if is_slow else LOOK_BYTES
        return range(step, num_bytes, step)

    def look(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> tuple[T, float]:
        """What `call` returns, which reads a part on trial, and its seconds. Raises BackendError if they are many."""
        start = thread_time()
        answer = call(*arguments, **options)
        seconds = thread_time() - start
        self.check(seconds)
        return answer, seconds

    def check(self, seconds: float) -> None:
        """Raise BackendError where a part of a token has taken too many seconds."""
        if seconds > self._most_seconds:
            raise self._too_slow(f"{1000 * seconds:.0f} ms for a part of a token")

    def mask(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `call` returns, which makes a mask. Raises BackendError where it is slow."""
        start = thread_time()
        answer = call(*arguments, **options)
        seconds = thread_time() - start
        if seconds > MASK_SHARE * self._most_seconds:
            raise self._too_slow(f"{1000 * seconds:.0f} ms for a mask")
        return answer

    def _too_slow(self, found: str) -> BackendError:
        self.is_watched, self._num_slow, self._byte_seconds = False, 0, 0.0
        limit = f"max_step_seconds={self._most_seconds:g}"
        return BackendError(f"a text has too many ways to be read, {found} with {limit}: {raised('max_step_seconds')}")
