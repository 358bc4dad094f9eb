"""Counters of speculation, named as in vLLM, summed by segment."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from ngramspec import forking
from ngramspec.printing import on_one_line

MAX_SEGMENTS = 1024
"""Most segments with counters of their own, OTHER among them."""

OTHER = "other"
"""The name under which the least recently used segments are counted."""


class Undrafted(StrEnum):
    """Why a target pass verified no draft of a row."""

    NO_MATCH = "no_match"
    """The drafter proposed nothing: nothing matched, or the guard allowed none of it."""

    TOO_DEAR = "too_dear"
    """There was a draft, but it was expected to gain less than it costs (or a plain pass was being measured)."""

    NO_PRICE = "no_price"
    """There was a draft, but no plain pass had been measured yet."""

    IN_STEP = "in_step"
    """There was a draft, but the rows of this call go in step, and another row had none."""

    PROMPT = "prompt"
    """A batch, or a model that prepares its own inputs, read its prompts."""

    NO_ROOM = "no_room"
    """Only one more token, or position, was left; in vLLM also where next tokens and prompts fill the pass."""

    SWITCHED_OFF = "switched_off"
    """Switched off by `speculate=False`, an undrafted segment, or a budget of no draft tokens."""

    PLAIN = "plain"
    """The model or the call cannot be drafted for; a warning said why."""

    __hash__ = str.__hash__  # an Enum's own is Python, and every pass counts reasons in a dict

    @property
    def words(self) -> str:
        """The reason in words."""
        return self.value.replace("_", " ")


class GuardOutcome(StrEnum):
    """How an answer under a guard ended."""

    COMPLETE = "complete"
    """Its grammar accepts the text."""

    CUT_OFF = "cut_off"
    """It ended before the text was complete: by the limit, a criterion, an error of other code, or its client."""

    FAILED = "failed"
    """With a GuardError: its backend failed, or other code left no token that is allowed."""

    __hash__ = str.__hash__


@dataclass(slots=True)
class Counters:
    """Counts over some requests; they can be added.

    A target pass is counted once per row that it advances, so tokens per pass means the same in a batch as alone.

    requests: rows that were decoded.
    tokens: tokens emitted (accepted draft tokens and bonus tokens).
    target_passes: passes of the target over a row, undrafted ones included.
    num_drafts: passes that verified at least one draft token.
    num_draft_tokens, num_accepted_tokens: draft tokens verified, and accepted.
    num_accepted_tokens_per_pos: `[j]` counts the drafts whose token j was accepted.
    num_undrafted_per_reason: passes without a draft, by reason (`Undrafted`); their sum is target_passes - num_drafts.
    num_shortened_drafts: drafts of which the budget let only the head be verified.
    num_guarded_per_outcome: requests under a guard, by `GuardOutcome`.
    drafting_seconds, steering_seconds: time of blind and steered drafting; each row of a pass has an equal share.
    verifying_seconds: time of passes, with the choice of tokens and the wait for masks; shared likewise.
    masking_seconds: time of masks on their threads, most of it while the model computes.
    Times do not count when counters are compared.
    """

    requests: int = 0
    tokens: int = 0
    target_passes: int = 0
    num_drafts: int = 0
    num_draft_tokens: int = 0
    num_accepted_tokens: int = 0
    num_accepted_tokens_per_pos: list[int] = field(default_factory=list)
    num_undrafted_per_reason: dict[Undrafted, int] = field(default_factory=dict)
    num_shortened_drafts: int = 0
    num_guarded_per_outcome: dict[GuardOutcome, int] = field(default_factory=dict)
    drafting_seconds: float = field(default=0.0, compare=False)
    steering_seconds: float = field(default=0.0, compare=False)
    masking_seconds: float = field(default=0.0, compare=False)
    verifying_seconds: float = field(default=0.0, compare=False)

    @property
    def acceptance_rate(self) -> float:
        """Accepted / drafted tokens; 0.0 if nothing was drafted."""
        return self.num_accepted_tokens / self.num_draft_tokens if self.num_draft_tokens else 0.0

    @property
    def tokens_per_pass(self) -> float:
        """Emitted tokens / target passes, undrafted passes included; 0.0 before the first pass."""
        return self.tokens / self.target_passes if self.target_passes else 0.0

    def record_pass(
        self, num_tokens: int, num_drafted: int, num_accepted: int, undrafted: Undrafted = Undrafted.NO_MATCH
    ) -> None:
        """Count one target pass that emitted `num_tokens` and accepted `num_accepted` of `num_drafted`.

        undrafted: the reason, if none were drafted.
        """
        self.tokens += num_tokens
        self.target_passes += 1
        self.num_drafts += num_drafted > 0
        self.num_draft_tokens += num_drafted
        self.num_accepted_tokens += num_accepted
        counts = self.num_accepted_tokens_per_pos
        if num_accepted > len(counts):
            counts.extend([0] * (num_accepted - len(counts)))
        for position in range(num_accepted):
            counts[position] += 1
        if not num_drafted:
            self._count_undrafted(undrafted, 1)

    def add(self, other: "Counters") -> None:
        """Add the counts of `other`."""
        self._add(other, 1)

    def copy(self) -> "Counters":
        """An independent copy."""
        copied = Counters()
        copied._add(self, 1)
        return copied

    def _add(self, other: "Counters", sign: int) -> None:
        self.requests += sign * other.requests
        self.tokens += sign * other.tokens
        self.target_passes += sign * other.target_passes
        self.num_drafts += sign * other.num_drafts
        self.num_draft_tokens += sign * other.num_draft_tokens
        self.num_accepted_tokens += sign * other.num_accepted_tokens
        self._count_positions([sign * count for count in other.num_accepted_tokens_per_pos])
        for reason, count in other.num_undrafted_per_reason.items():
            self._count_undrafted(reason, sign * count)
        self.num_shortened_drafts += sign * other.num_shortened_drafts
        guarded = self.num_guarded_per_outcome
        for outcome, count in other.num_guarded_per_outcome.items():
            guarded[outcome] = guarded.get(outcome, 0) + sign * count
        self.drafting_seconds += sign * other.drafting_seconds
        self.steering_seconds += sign * other.steering_seconds
        self.masking_seconds += sign * other.masking_seconds
        self.verifying_seconds += sign * other.verifying_seconds

    def as_dict(self) -> dict[str, Any]:
        """All counts, times and both rates by name, JSON-serialisable; reasons by their values, such as "no_match"."""
        named = {
            "num_undrafted_per_reason": {
                reason.value: count for reason, count in self.num_undrafted_per_reason.items()
            },
            "num_guarded_per_outcome": {how.value: count for how, count in self.num_guarded_per_outcome.items()},
        }
        rates = {"acceptance_rate": self.acceptance_rate, "tokens_per_pass": self.tokens_per_pass}
        return {**asdict(self), **named, **rates}

    def _count_undrafted(self, reason: Undrafted, count: int) -> None:
        self.num_undrafted_per_reason[reason] = self.num_undrafted_per_reason.get(reason, 0) + count

    def since(self, earlier: "Counters") -> "Counters":
        """What was counted since `earlier`, a copy of these counts."""
        later = self.copy()
        later._add(earlier, -1)
        later.num_undrafted_per_reason = {why: count for why, count in later.num_undrafted_per_reason.items() if count}
        later.num_guarded_per_outcome = {how: count for how, count in later.num_guarded_per_outcome.items() if count}
        while later.num_accepted_tokens_per_pos and not later.num_accepted_tokens_per_pos[-1]:
            later.num_accepted_tokens_per_pos.pop()
        return later

    def _count_positions(self, counts: list[int]) -> None:
        missing = len(counts) - len(self.num_accepted_tokens_per_pos)
        self.num_accepted_tokens_per_pos.extend([0] * missing)
        for position, count in enumerate(counts):
            self.num_accepted_tokens_per_pos[position] += count

    def __str__(self) -> str:
        """One line to read; passes without drafts come last, the most frequent reason first."""
        reasons = sorted(self.num_undrafted_per_reason.items(), key=lambda counted: -counted[1])
        listed = ", ".join(f"{reason.words} {count}" for reason, count in reasons)
        undrafted = f"; passes without drafts: {listed}" if listed else ""
        return (
            f"{self.requests} requests, {self.tokens} tokens in {self.target_passes} target passes:"
            f" {self.tokens_per_pass:.2f} tokens per pass, acceptance rate {self.acceptance_rate:.2f}"
            f" ({self.num_accepted_tokens} of {self.num_draft_tokens} draft tokens){undrafted}"
        )


class _Sum(Protocol):
    def add(self, other: Any, /) -> None: ...


Summed = TypeVar("Summed", bound=_Sum)


class BySegment(Generic[Summed]):
    """Sums by segment, in order of first use. The number of names is bounded."""

    def __init__(self, new: Callable[[], Summed], max_segments: int = MAX_SEGMENTS) -> None:
        """new: makes an empty sum."""
        self.sums: dict[str, Summed] = {}
        self._new = new
        self._max_segments = max_segments
        self._used: dict[str, None] = {}  # the least recently used first

    def add(self, counted: Summed, segment: str) -> None:
        """Add to the sum of `segment`."""
        self._used.pop(segment, None)
        self._used[segment] = None
        self._sum(segment).add(counted)
        while len(self._used) > self._max_segments:
            least = next(name for name in self._used if name != OTHER)
            del self._used[least]
            self._used.setdefault(OTHER)
            self._sum(OTHER).add(self.sums.pop(least))

    def _sum(self, segment: str) -> Summed:
        return self.sums.setdefault(segment, self._new())


Listener = Callable[[Counters, str, int | None], None]
"""Called for each request with a segment: with its counts, the segment, and its template if that is known."""


class Stats:
    """Counters by segment, safe to read and add to from many threads.

    Requests without a segment are counted in the total, and as `unnamed`. Beyond MAX_SEGMENTS names the least recently
    used ones are counted together as OTHER; the sums stay exact.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        """listener: called on the thread that adds a request, after it was added."""
        self._lock = forking.lock()
        self._total, self._unnamed = Counters(), Counters()
        self._segments: BySegment[Counters] = BySegment(Counters)
        self._listener = listener

    def add(self, counters: Counters, segment: str | None = None, template: int | None = None) -> None:
        """Add one request's counts, to the total and to `segment`.

        template: identifies how the prompt begins (`template_of`); only the listener uses it.
        """
        with self._lock:
            self._total.add(counters)
            if segment is None:
                self._unnamed.add(counters)
            else:
                self._segments.add(counters, segment)
        if segment is not None and self._listener is not None:
            self._listener(counters, segment, template)

    @property
    def total(self) -> Counters:
        """The sum over everything, as a copy."""
        with self._lock:
            return self._total.copy()

    @property
    def unnamed(self) -> Counters:
        """The sum over requests without a segment, as a copy."""
        with self._lock:
            return self._unnamed.copy()

    @property
    def segments(self) -> Mapping[str, Counters]:
        """The sums by segment, as copies, in order of first use."""
        with self._lock:
            return {name: counters.copy() for name, counters in self._segments.sums.items()}

    def __iter__(self) -> Iterator[tuple[str, Counters]]:
        """Segments and their counters."""
        return iter(self.segments.items())

    def as_dict(self) -> dict[str, Any]:
        """`{"total": …, "segments": {name: …}}`, each as `Counters.as_dict()`, JSON-serialisable."""
        return {
            "total": self.total.as_dict(),
            "segments": {name: counters.as_dict() for name, counters in self},
        }

    def __repr__(self) -> str:
        """All counts."""
        return f"Stats(total={self.total!r}, segments={self.segments!r})"

    def __str__(self) -> str:
        """The total, then a line per segment."""
        return "\n".join([str(self.total), *(f"  {on_one_line(name)}: {counters}" for name, counters in self)])
