"""Segments whose acceptance leaves its own recent band: a log line, a count, and what else has changed."""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ngramspec import forking
from ngramspec.errors import shortened
from ngramspec.stats import MAX_SEGMENTS, BySegment, Counters, Undrafted
from ngramspec.watching.change import RATE, Change, ChangeDetector
from ngramspec.watching.templates import UsualTemplate

logger = logging.getLogger(__name__)

WARM_UP = 32
"""First requests of a segment, and after a drift, that are not compared: its history fills, and survival is learnt."""


class Direction(StrEnum):
    """Where the accepted share went."""

    FELL = "fell"
    ROSE = "rose"


@dataclass(slots=True)
class Traffic:
    """Some requests of a segment.

    counters: of these requests. num_usual: how many of their prompts had the usual template.
    """

    counters: Counters
    num_usual: int = 0

    def copy(self) -> "Traffic":
        """An independent copy."""
        return Traffic(self.counters.copy(), self.num_usual)

    def since(self, earlier: "Traffic") -> "Traffic":
        """The requests after `earlier`, a copy made before."""
        return Traffic(self.counters.since(earlier.counters), self.num_usual - earlier.num_usual)

    def figures(self) -> dict[str, float]:
        """Figures that may explain a drift, by name; 0.0 where there was nothing to divide by.

        accepted_share: share of tokens that were drafted. accepted_per_draft, tokens_per_draft: means.
        no_match_share, too_dear_share: share of passes without a draft for that reason. seconds_per_pass: per row.
        usual_template_share: share of prompts that begin as most did before.
        """
        counters, reasons = self.counters, self.counters.num_undrafted_per_reason
        drafts, passes = counters.num_drafts, counters.target_passes
        return {
            "accepted_share": _ratio(counters.num_accepted_tokens, counters.tokens),
            "accepted_per_draft": _ratio(counters.num_accepted_tokens, drafts),
            "tokens_per_draft": _ratio(counters.num_draft_tokens, drafts),
            "no_match_share": _ratio(reasons.get(Undrafted.NO_MATCH, 0), passes),
            "too_dear_share": _ratio(reasons.get(Undrafted.TOO_DEAR, 0), passes),
            "seconds_per_pass": _ratio(counters.verifying_seconds, passes),
            "usual_template_share": _ratio(self.num_usual, counters.requests),
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """A segment's accepted share left its band.

    before: the recent requests until then, at most 256. since: those after them, up to the one that confirmed it.
    """

    segment: str
    direction: Direction
    before: Traffic
    since: Traffic

    def fields(self) -> dict[str, object]:
        """The fields for a log or a database: all `Traffic.figures`, before and since."""
        figures = {"before": self.before.figures(), "since": self.since.figures()}
        return {
            "event": "ngramspec.drift",
            "segment": self.segment,
            "direction": str(self.direction),
            "num_requests_since": self.since.counters.requests,
            **{f"{name}_{when}": number for when, of in figures.items() for name, number in of.items()},
        }

    def __str__(self) -> str:
        """One line to read; names of segments are untrusted text."""
        before, since = self.before.figures(), self.since.figures()
        share = "accepted_share"
        others = [
            f"{name.replace('_', ' ')} {before[name]:.3g} → {since[name]:.3g}" for name in before if name != share
        ]
        return (
            f"the accepted share of segment {shortened(self.segment)} {self.direction}: {before[share]:.2f} →"
            f" {since[share]:.2f} in its last {self.since.counters.requests} requests; {', '.join(others)}"
        )


@dataclass(slots=True)
class DriftCounts:
    """How often the accepted share of a segment left its band."""

    fell: int = 0
    rose: int = 0

    def add(self, other: "DriftCounts") -> None:
        """Add the counts of `other`."""
        self.fell += other.fell
        self.rose += other.rose


class Drifts:
    """Watches the accepted share of each segment: of a request's tokens, those that were drafted and accepted.

    The acceptance rate alone would miss the most expensive drift, to texts in which nothing is found: then few drafts
    are made, and those are good. A request is one value, because the drafts of one text are alike. It is compared with
    the recent ones of its segment (`ChangeDetector`): for a segment that does not change, at most one false alarm is
    expected in `rate` requests. Requests that are not drafted for are ignored.

    Safe to share between threads. The least recently used of more than MAX_SEGMENTS segments are forgotten.
    """

    def __init__(self, rate: float = RATE, report: Callable[[Drift], None] | None = None) -> None:
        """rate: requests of a segment per expected false alarm. report: by default, writes a log line."""
        self._rate, self._report = rate, log if report is None else report
        self._lock = forking.lock()
        self._bands: dict[str, _Band] = {}  # the least recently used first
        self._counts: BySegment[DriftCounts] = BySegment(DriftCounts)

    @property
    def counts(self) -> Mapping[str, DriftCounts]:
        """How often each segment has drifted; those that never did are missing."""
        with self._lock:
            return {name: DriftCounts(counts.fell, counts.rose) for name, counts in self._counts.sums.items()}

    def add(self, counters: Counters, segment: str, template: int | None = None) -> None:
        """Add a request; see `Stats.add`."""
        reasons = counters.num_undrafted_per_reason
        if not counters.tokens or Undrafted.SWITCHED_OFF in reasons or Undrafted.PLAIN in reasons:
            return
        with self._lock:
            band = self._bands.pop(segment, None) or _Band(self._rate)
            self._bands[segment] = band
            if len(self._bands) > MAX_SEGMENTS:
                del self._bands[next(iter(self._bands))]
            change = band.add(counters, 0 if template is None else template)
            if change is None:
                return
            direction = Direction.ROSE if change.is_rise else Direction.FELL
            drift = Drift(
                segment, direction, change.first_changed.since(change.start), band.traffic.since(change.first_changed)
            )
            self._counts.add(DriftCounts(int(not change.is_rise), int(change.is_rise)), segment)
            del self._bands[segment]
        self._report(drift)


def log(drift: Drift) -> None:
    """Write a log line: a warning if the accepted share fell. Its fields are attributes of the record."""
    level = logging.WARNING if drift.direction is Direction.FELL else logging.INFO
    logger.log(level, "%s", drift, extra=drift.fields())


class _Band:
    """The recent requests of one segment. traffic: all since the last drift."""

    def __init__(self, rate: float) -> None:
        self.traffic = Traffic(Counters())
        self._template = UsualTemplate()
        # Equal values are ordered at random. Each segment has a generator: its draws do not depend on other segments.
        self._detector: ChangeDetector[Traffic] = ChangeDetector(random.Random(0).random, rate)

    def add(self, counters: Counters, template: int) -> Change[Traffic] | None:
        before = self.traffic.copy()
        self.traffic.counters.add(counters)
        self.traffic.num_usual += self._template.take(template)
        if before.counters.requests < WARM_UP:
            return None
        return self._detector.take(counters.num_accepted_tokens / counters.tokens, before)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
