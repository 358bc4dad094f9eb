"""The metrics of a segment's traffic, for every exporter: their names, meanings and sources."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ngramspec.stats import Counters, GuardOutcome, Stats, Undrafted
from ngramspec.watching.drift import Drifts

POSITIONS = (0, 1, 2, 4, 8, 16, 32, 64)
"""Positions of a draft that are exported, from 0 on: all of them would be 96 series for each segment."""


class Watched(Protocol):
    """What is watched: a Speculator."""

    stats: Stats
    drifts: Drifts


class Figure(NamedTuple):
    """A number that only grows.

    label: name of the label that distinguishes its values, besides the segment; "" for a single value.
    of: value by label; `{"": value}` for a single one. unit: "s" for seconds, otherwise what is counted.
    """

    name: str
    meaning: str
    unit: str
    of: Callable[[Counters], dict[str, float]]
    label: str = ""


def _single(read: Callable[[Counters], float]) -> Callable[[Counters], dict[str, float]]:
    return lambda counters: {"": read(counters)}


def _reasons(counters: Counters) -> dict[str, float]:
    return {reason.value: counters.num_undrafted_per_reason.get(reason, 0) for reason in Undrafted}


def _outcomes(counters: Counters) -> dict[str, float]:
    return {outcome.value: counters.num_guarded_per_outcome.get(outcome, 0) for outcome in GuardOutcome}


def _seconds(counters: Counters) -> dict[str, float]:
    return {
        "drafting": counters.drafting_seconds,
        "steering": counters.steering_seconds,
        "masking": counters.masking_seconds,
        "verifying": counters.verifying_seconds,
    }


FIGURES = (
    Figure("requests", "Requests decoded", "request", _single(lambda counters: counters.requests)),
    Figure("tokens", "Tokens emitted", "token", _single(lambda counters: counters.tokens)),
    Figure("target_passes", "Passes of the model over a row", "pass", _single(lambda counters: counters.target_passes)),
    Figure("drafts", "Passes that verified a draft", "draft", _single(lambda counters: counters.num_drafts)),
    Figure("draft_tokens", "Draft tokens verified", "token", _single(lambda counters: counters.num_draft_tokens)),
    Figure("accepted_tokens", "Draft tokens accepted", "token", _single(lambda counters: counters.num_accepted_tokens)),
    Figure(
        "shortened_drafts",
        "Drafts of which the budget let only the head be verified",
        "draft",
        _single(lambda counters: counters.num_shortened_drafts),
    ),
    Figure("undrafted_passes", "Passes that verified no draft, by reason", "pass", _reasons, "reason"),
    Figure("guarded_requests", "Requests under a guard, by how their text ended", "request", _outcomes, "outcome"),
    Figure("time", "Time of drafting, steering, masking and verifying", "s", _seconds, "phase"),
)
"""The metrics of a segment."""


def by_segment(stats: Stats) -> dict[str, Counters]:
    """The counters of each segment, and under "" those of requests without one; their sum is the total."""
    segments = dict(stats.segments)
    segments.setdefault("", Counters()).add(stats.unnamed)
    return segments


def num_accepted_beyond(counters: Counters, position: int) -> int:
    """Drafts whose token at `position`, from 0 on, was accepted."""
    per_pos = counters.num_accepted_tokens_per_pos
    return per_pos[position] if position < len(per_pos) else 0
