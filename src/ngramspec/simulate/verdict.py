"""What to do about a segment, in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from ngramspec.simulate.figures import Figures
from ngramspec.simulate.gain import Gain, gone_at

FEW = 30
"""Fewer requests than this say little about a segment."""

LEAST_TOKENS = 1.02
"""Tokens per pass of a segment below which its own drafts gain nothing."""


class Advice(StrEnum):
    """Whether to draft for a segment."""

    ON = "on"
    OFF = "off"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about some requests, and what to expect.

    gains: by concurrency, or by rate. gone_at: the concurrency at which the gain is gone, None if there is a gain at
    the highest one. draft_tokens: 99 of 100 drafts have at most this many tokens accepted. sure: whether the intervals
    of the gains agree, and the requests are enough.
    """

    advice: Advice
    gains: dict[float, Gain]
    gone_at: float | None
    draft_tokens: int
    sure: bool
    words: str

    def as_dict(self, load: str) -> dict[str, object]:
        """For JSON; load: what the loads are, "concurrency" or "rate"."""
        return {
            "verdict": self.advice.value,
            "words": self.words,
            "sure": self.sure,
            f"{load}_without_gain": self.gone_at,
            "accepted_tokens_p99": self.draft_tokens,
            "gain": {f"{size:g}": asdict(gain) for size, gain in self.gains.items()},
        }


def judge(
    loads: Sequence[float], gains: Sequence[Gain], on: Sequence[Figures], unit: str, settings: str, basis: str
) -> Verdict:
    """The verdict on requests with these `gains`, and these figures with drafts, by rising load; unit: of the loads.

    settings: of the arm with drafts, in words. basis: what the figures rest on, in words.
    """
    ratios = [gain.ratio for gain in gains]
    drafts = any(figures.counters.tokens_per_pass >= LEAST_TOKENS for figures in on)
    better = [load for load, gain in zip(loads, gains, strict=True) if gain.low > 1.0]
    worse = [load for load, gain in zip(loads, gains, strict=True) if gain.high < 1.0]
    if better and drafts and len(better) >= len(worse):
        advice = Advice.ON
    elif worse and not better:
        advice = Advice.OFF
    else:
        advice = Advice.EITHER
    lost = gone_at(loads, ratios)
    longest = max(map(_longest, on))
    enough = gains[0].requests >= FEW
    sure = enough and not (better and worse) and (bool(better) or bool(worse) or advice is Advice.EITHER)
    words = " ".join(
        [
            _what(advice, lost, unit, drafts=drafts, better=better),
            _expected(loads, gains, unit),
            *_still(advice, lost, loads, unit),
            *_settings(advice, settings, longest),
            _certainty(gains[0].requests, basis, enough=enough, sure=sure),
        ]
    )
    return Verdict(advice, dict(zip(loads, gains, strict=True)), lost, longest, sure, words)


def _longest(figures: Figures) -> int:
    """The number of tokens that 99 of 100 drafts have accepted at most."""
    counts, drafts = figures.counters.num_accepted_tokens_per_pos, figures.counters.num_drafts
    return sum(count > 0.01 * drafts for count in counts)


def _what(advice: Advice, lost: float | None, unit: str, *, drafts: bool, better: Sequence[float]) -> str:
    if advice is Advice.ON:
        return "Switch it on." if lost is None else f"Switch it on up to about {lost:.2g} {unit}."
    if advice is Advice.OFF:
        return "Leave it off."
    if better and not drafts:
        return "On or off makes no difference here: its requests end sooner because others' do."
    return "On or off makes no measurable difference."


def _expected(loads: Sequence[float], gains: Sequence[Gain], unit: str) -> str:
    parts = [
        f"{1 / gain.ratio:.2f} of the time at {load:g} {unit} ({1 / gain.high:.2f} to {1 / gain.low:.2f})"
        for load, gain in zip(loads, gains, strict=True)
    ]
    return f"A request takes {', '.join(parts)}."


def _still(advice: Advice, lost: float | None, loads: Sequence[float], unit: str) -> list[str]:
    return [f"The gain is still there at {loads[-1]:g} {unit}."] if advice is Advice.ON and lost is None else []


def _settings(advice: Advice, settings: str, longest: int) -> list[str]:
    if advice is not Advice.ON:
        return []
    return [f"Settings: {settings}; 99 of 100 drafts have at most {longest} tokens accepted."]


def _certainty(requests: int, basis: str, *, enough: bool, sure: bool) -> str:
    if not enough:
        return f"Not sure: only {requests} request{'s' if requests > 1 else ''}, record {FEW} or more."
    return f"{'Sure' if sure else 'Not sure: it depends on the load'}, by {requests} requests {basis}."
