"""The time that a backend takes per token: a row ends when it becomes slow, before others have to wait for it.

What makes a grammar slow, the many ways to parse one text, grows gradually from token to token. So a look at the clock
after each step notices it in time. The thread's own clock decides in the end: a busy machine is no reason to end a row.
"""

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import ParamSpec, TypeVar, TypeVarTuple

from ngramspec.guards.limits import raised
from ngramspec.guards.types import BackendError

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MASK_SHARE = 30
"""A mask may take this many times as long as a token: other threads continue meanwhile."""
SLOW_SHARE = 5
"""A token is slow if each of its bytes takes more than 1 / this of a step's time, while other threads wait for it."""
MOST_SHARE = 0.5
"""A token is slow, too, if it takes more than this share of a step's time in all: the next one may take more."""
BRISK_SHARE = 400
"""A token is tried in pieces first if the last one took more than 1 / this of a step's time per byte."""
SHORT = 16
"""A token of at most this many bytes is not tried first, unless the one before it was slower than that."""
LOOK_SHARE, LOOK_BYTES = 20, 4
"""Each piece that is tried is this many bytes longer than the one before; one byte longer, if the last token took more
than 1 / LOOK_SHARE of a step's time per byte."""
MOST_SLOW = 3
"""Consecutive slow tokens that end the row."""


class Pace:
    """Times the steps of one matcher."""

    def __init__(self, most_seconds: float, slow_share: int = SLOW_SHARE) -> None:
        """most_seconds: for a token. slow_share: each byte of a token may take 1 / slow_share of it."""
        self._most_seconds = most_seconds
        self._slow_share = slow_share
        self._num_slow = 0
        self._byte_seconds = 0.0
        self.is_watched = False
        """Whether the last token seemed slow: the next one is measured by the clock of the thread."""

    def step(self, num_bytes: int, call: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """The result of `call`, which reads `num_bytes`. Raises BackendError if it is too slow, or slow repeatedly."""
        clock = thread_time if self.is_watched else perf_counter
        start = clock()
        answer = call(*arguments)
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
        """Whether to try a token in pieces before reading it as a whole: it is long, or the last one was slow."""
        return num_bytes > SHORT or (num_bytes > 1 and self._byte_seconds > self._most_seconds / BRISK_SHARE)

    def pieces(self, num_bytes: int) -> range:
        """The lengths of the pieces of a token that are tried, one after another, before the whole is read."""
        is_slow = self._byte_seconds > self._most_seconds / LOOK_SHARE
        step = 1 if is_slow else LOOK_BYTES
        return range(step, num_bytes, step)

    def look(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> tuple[T, float]:
        """The result of `call`, which tries a piece, and its seconds. Raises BackendError if it is too slow."""
        start = thread_time()
        answer = call(*arguments, **options)
        seconds = thread_time() - start
        self.check(seconds)
        return answer, seconds

    def check(self, seconds: float) -> None:
        """Raise BackendError if a piece of a token took too many seconds."""
        if seconds > self._most_seconds:
            raise self._too_slow(f"{1000 * seconds:.0f} ms for a part of a token")

    def mask(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """The result of `call`, which makes a mask. Raises BackendError if it is too slow."""
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
