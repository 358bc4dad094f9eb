"""A credit for passes that are made to measure and not to gain."""

from ngramspec import forking

PROBE_EVERY = 16
"""Passes from one look at hopeful prices to the next."""

CREDIT = 0.002
"""Plain passes that each pass adds to the credit: the share of all time that trials may lose."""

MOST_CREDIT = 2.0
"""Most credit that can be saved up, in plain passes."""

MOST_CHARGED = 3.0
"""Most that one trial is charged, in plain passes: its believed loss may be wrong by any factor."""

LONGEST_WAIT = 1024
"""Passes after which the most doubted price is tried without credit: the price that forbids the trial may be wrong."""


class Trials:
    """Decides when a pass may be a trial, which measures a doubted price; safe to share between threads.

    A trial is charged its believed loss and needs that much credit; once in LONGEST_WAIT passes it needs none.
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
        """Whether the next trial is of the most doubted price, with or without credit."""
        return self._since_trial >= LONGEST_WAIT

    @property
    def credit(self) -> float:
        """What a trial may lose now, in plain passes."""
        return self._credit

    @property
    def patience(self) -> float:
        """By how much the believed loss of a trial counts less than usual, 1.0 at least.

        It grows with the square of the time without a trial. So any price is tried in the end, however dear it is
        believed to be; one that seems four times as dear waits twice as long.
        """
        return max(1.0, self._since_trial / LONGEST_WAIT) ** 2

    def count_pass(self) -> None:
        """Add the credit that a pass earns."""
        with self._lock:
            self._since_look += 1
            self._since_trial += 1
            self._credit = min(MOST_CREDIT, self._credit + CREDIT)

    def looked(self) -> None:
        """Note that this pass was considered for a trial, whether or not it became one."""
        with self._lock:
            self._since_look = 0

    def charge(self, loss: float) -> None:
        """Charge a trial with a believed loss of `loss` plain passes."""
        with self._lock:
            if self.is_overdue:
                self._since_trial = 0
            self._credit = max(0.0, self._credit - min(loss, MOST_CHARGED))
