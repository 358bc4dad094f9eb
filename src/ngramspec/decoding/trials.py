"""A credit for passes that are made to measure and not to gain."""

from ngramspec import forking

PROBE_EVERY = 16
"""Passes between two at which doubted prices are looked at hopefully."""

CREDIT = 0.002
"""Plain passes that each pass adds to the credit: so much of all time may be lost to trials."""

MOST_CREDIT = 2.0
"""Plain passes that may be saved up for trials."""

MOST_CHARGED = 3.0
"""Plain passes that one trial is charged at the most: what it is believed to lose may be wrong by any factor."""

LONGEST_WAIT = 1024
"""Passes after which what is doubted most is tried without credit: it may be that prices are wrong which forbid it."""


class Trials:
    """When a pass may be made to measure what is doubted; safe to share between threads.

    A trial is charged what it is believed to lose, and made on credit; once in LONGEST_WAIT passes without any.
    """

    def __init__(self) -> None:
        """Start with full credit."""
        self._credit = MOST_CREDIT
        self._since_look = self._since_trial = 0
        self._lock = forking.lock()

    @property
    def is_due(self) -> bool:
        """Whether the next pass may be a trial."""
        return self._since_look + 1 >= PROBE_EVERY

    @property
    def is_overdue(self) -> bool:
        """Whether the next trial is of what is doubted most, with credit or without."""
        return self._since_trial >= LONGEST_WAIT

    @property
    def credit(self) -> float:
        """What a trial may lose, in plain passes."""
        return self._credit

    def count_pass(self) -> None:
        """Earn what a pass earns."""
        with self._lock:
            self._since_look += 1
            self._since_trial += 1
            self._credit = min(MOST_CREDIT, self._credit + CREDIT)

    def looked(self) -> None:
        """Note that this pass was considered for a trial, whether it became one or not."""
        with self._lock:
            self._since_look = 0

    def charge(self, loss: float) -> None:
        """Pay for a trial that is believed to lose `loss` plain passes."""
        with self._lock:
            if self.is_overdue:
                self._since_trial = 0
            self._credit = max(0.0, self._credit - min(loss, MOST_CHARGED))
