"""A credit for passes that are made to measure and not to gain."""

import threading

PROBE_EVERY = 16
"""Passes between two at which doubted prices are looked at hopefully."""

CREDIT = 0.01
"""Plain passes that each pass adds to the credit: so much of all time may be lost to trials."""

MOST_CREDIT = 2.0
"""Plain passes that may be saved up for trials."""

MOST_CHARGED = 5.0
"""Plain passes that one trial is charged at the most: what it is believed to lose may be wrong by any factor."""


class Trials:
    """When a pass may be made to measure what is doubted; safe to share between threads.

    A trial is charged what it is believed to lose. Full credit may be overdrawn, so that no belief, however wrong,
    puts a trial off for more than MOST_CHARGED / CREDIT passes. While trials lose no more than MOST_CHARGED each,
    n passes lose less than MOST_CREDIT + MOST_CHARGED + CREDIT * n plain passes to them.
    """

    def __init__(self) -> None:
        """Start with full credit."""
        self._credit = MOST_CREDIT
        self._since = 0
        self._lock = threading.Lock()

    @property
    def is_due(self) -> bool:
        """Whether the next pass may be a trial."""
        return self._since + 1 >= PROBE_EVERY and self._credit > 0.0

    @property
    def credit(self) -> float:
        """What a trial may lose, in plain passes."""
        return self._credit

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be saved up, so that one trial may lose more."""
        return self._credit >= MOST_CREDIT

    def count_pass(self) -> None:
        """Earn what a pass earns."""
        with self._lock:
            self._since += 1
            self._credit = min(MOST_CREDIT, self._credit + CREDIT)

    def looked(self) -> None:
        """Note that this pass was considered for a trial, whether it became one or not."""
        with self._lock:
            self._since = 0

    def charge(self, loss: float) -> None:
        """Pay for a trial that is believed to lose `loss` plain passes."""
        with self._lock:
            self._credit -= min(loss, MOST_CHARGED)
