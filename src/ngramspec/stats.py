"""What speculation did: counters named as vLLM names them, summed by segment."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts over some requests; they add up.

    A target pass is counted once per row that it advances, so tokens per pass means the same in a batch as alone.

    requests: rows that were decoded.
    tokens: tokens emitted (accepted drafts and the target's own).
    target_passes: passes of the target over a row, undrafted ones included.
    num_drafts: passes that checked at least one draft token.
    num_draft_tokens, num_accepted_tokens: draft tokens checked, and accepted.
    num_accepted_tokens_per_pos: `[j]` counts the drafts whose token j was accepted.
    """

    requests: int = 0
    tokens: int = 0
    target_passes: int = 0
    num_drafts: int = 0
    num_draft_tokens: int = 0
    num_accepted_tokens: int = 0
    num_accepted_tokens_per_pos: list[int] = field(default_factory=list)

    @property
    def acceptance_rate(self) -> float:
        """Accepted / drafted tokens; 0.0 where nothing was drafted."""
        return self.num_accepted_tokens / self.num_draft_tokens if self.num_draft_tokens else 0.0

    @property
    def tokens_per_pass(self) -> float:
        """Emitted tokens / target passes, undrafted passes included; 0.0 before the first pass."""
        return self.tokens / self.target_passes if self.target_passes else 0.0

    def record_pass(self, num_tokens: int, num_drafted: int, num_accepted: int) -> None:
        """Count one target pass that emitted `num_tokens` and accepted `num_accepted` of `num_drafted`."""
        self.tokens += num_tokens
        self.target_passes += 1
        self.num_drafts += num_drafted > 0
        self.num_draft_tokens += num_drafted
        self.num_accepted_tokens += num_accepted
        if num_accepted:
            self._count_positions([1] * num_accepted)

    def add(self, other: "Counters") -> None:
        """Add the counts of `other`."""
        self.requests += other.requests
        self.tokens += other.tokens
        self.target_passes += other.target_passes
        self.num_drafts += other.num_drafts
        self.num_draft_tokens += other.num_draft_tokens
        self.num_accepted_tokens += other.num_accepted_tokens
        self._count_positions(other.num_accepted_tokens_per_pos)

    def since(self, earlier: "Counters") -> "Counters":
        """What was counted after `earlier`, which is these counters at an earlier time; positions apart."""
        names = ("requests", "tokens", "target_passes", "num_drafts", "num_draft_tokens", "num_accepted_tokens")
        return Counters(*(getattr(self, name) - getattr(earlier, name) for name in names))

    def _count_positions(self, counts: list[int]) -> None:
        missing = len(counts) - len(self.num_accepted_tokens_per_pos)
        self.num_accepted_tokens_per_pos.extend([0] * missing)
        for position, count in enumerate(counts):
            self.num_accepted_tokens_per_pos[position] += count

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.requests} requests, {self.tokens} tokens in {self.target_passes} target passes:"
            f" {self.tokens_per_pass:.2f} tokens per pass, acceptance rate {self.acceptance_rate:.2f}"
            f" ({self.num_accepted_tokens} of {self.num_draft_tokens} draft tokens)"
        )


class Stats:
    """Counters by segment, safe to read and add to from many threads.

    Requests without a segment are counted in the total alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Counters()
        self._segments: dict[str, Counters] = {}

    def add(self, counters: Counters, segment: str | None = None) -> None:
        """Add one request's counts, to the total and to `segment`."""
        with self._lock:
            self._total.add(counters)
            if segment is not None:
                self._segments.setdefault(segment, Counters()).add(counters)

    @property
    def total(self) -> Counters:
        """The sum over everything, as a copy."""
        with self._lock:
            return _copy(self._total)

    @property
    def segments(self) -> Mapping[str, Counters]:
        """The sums by segment, as copies, in order of first use."""
        with self._lock:
            return {name: _copy(counters) for name, counters in self._segments.items()}

    def __iter__(self) -> Iterator[tuple[str, Counters]]:
        """Segments and their counters."""
        return iter(self.segments.items())

    def __str__(self) -> str:
        """The total, then a line per segment."""
        return "\n".join([str(self.total), *(f"  {name}: {counters}" for name, counters in self)])


def _copy(counters: Counters) -> Counters:
    copy = Counters()
    copy.add(counters)
    return copy
