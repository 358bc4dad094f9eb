"""Time that passes only when something is charged for."""

import math


class VirtualClock:
    """A `decoding.Clock`: it stands still until it is advanced.

    now: seconds since it was made.
    """

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let this many seconds pass. Raises ValueError for a time that would run backwards, or never end."""
        if not 0.0 <= seconds < math.inf:
            raise ValueError(f"a clock must advance by a finite number of seconds >= 0, got {seconds!r}: check prices")
        self.now += seconds

    def wait_until(self, time: float) -> None:
        """Let time pass until `time`, if it has not come yet."""
        self.advance(max(0.0, time - self.now))
