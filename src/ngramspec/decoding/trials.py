"""A credit for passes made to measure, not to gain."""

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
"""Passes after which a trial needs no credit: the price that forbids it may be wrong. In that many passes, MOST_CHARGED
plain passes are saved for it."""


class Trials:
    """Decides when a pass may be a trial, which measures a doubted price; safe to share between threads.

    A trial is charged its believed loss and needs that much credit. Once in LONGEST_WAIT passes it needs savings
    instead. These are unbounded, so that cheap trials cannot put off an expensive one for ever.
    """

    def __init__(self) -> None:
        """Start with full credit."""
        self._credit, self._savings = MOST_CREDIT, 0.0
        self._since_look = self._since_trial = 0
        self._lock = forking.lock()

    @property
    def is_due(self) -> bool:
        """Whether the next pass may be a trial."""
        return self._since_look + 1 >= PROBE_EVERY

    @property
    def is_overdue(self) -> bool:
        """Whether the next trial needs savings instead of credit, and is made even if they do not suffice."""
        return self._since_trial >= LONGEST_WAIT

    @property
    def credit(self) -> float:
        """What a trial may lose now, in plain passes."""
        return self._savings if self.is_overdue else self._credit

    @property
    def patience(self) -> float:
        """Divisor of the believed loss of an overdue trial, 1.0 at least.

        It grows with the square of the savings, so any price is tried eventually, however high it is believed to be.
        """
        return max(1.0, self._savings / MOST_CHARGED) ** 2 if self.is_overdue else 1.0

    def count_pass(self) -> None:
        """Add the credit that a pass earns."""
        with self._lock:
            self._since_look += 1
            self._since_trial += 1
            self._credit = min(MOST_CREDIT, self._credit + CREDIT)
            self._savings += MOST_CHARGED / LONGEST_WAIT

    def note_considered(self) -> None:
        """Note that this pass was considered for a trial, whether or not it became one."""
        with self._lock:
            self._since_look = 0

    def charge(self, loss: float) -> None:
        """Charge a trial with a believed loss of `loss` plain passes."""
        with self._lock:
            if self.is_overdue:
                self._since_trial, self._savings = 0, max(0.0, self._savings - loss)
            self._credit = max(0.0, self._credit - min(loss, MOST_CHARGED))
