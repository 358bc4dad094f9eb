"""Does a survival of 0.7 mean seven in ten? The predictions for drafted tokens, and their verification."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ngramspec.drafting import Draft, Drafter, DraftSession, FloatArray, TokenArray

NUM_DECILES = 10
LEAST_SHARE = 0.01
"""A decile with a lower share of the drafted tokens is shown, but not judged."""

TOLERANCE = 0.03


@dataclass(frozen=True, slots=True)
class Checked:
    """A verified draft. request: its number. survival: `float64[K]`, as predicted."""

    request: int
    survival: FloatArray
    num_accepted: int


class Watched:
    """Drafts like another drafter, and records verified drafts."""

    def __init__(self, drafter: Drafter) -> None:
        """Watch `drafter`."""
        self.checked: list[Checked] = []
        self._drafter = drafter
        self._num_requests = 0

    def open(self, segment: str | None = None, references: Sequence[TokenArray] = ()) -> DraftSession:
        """Start a row."""
        self._num_requests += 1
        return _WatchedSession(self._drafter.open(segment, references), self._num_requests - 1, self.checked)


class _WatchedSession:
    def __init__(self, session: DraftSession, request: int, checked: list[Checked]) -> None:
        self._session, self._request, self._checked = session, request, checked
        self.extend, self.propose, self.close = session.extend, session.propose, session.close

    def observe(self, draft: Draft, num_accepted: int) -> None:
        if draft.tokens.size:
            self._checked.append(Checked(self._request, draft.survival, num_accepted))
        self._session.observe(draft, num_accepted)


@dataclass(frozen=True, slots=True)
class Decile:
    """Drafted tokens whose predicted survival lies in one tenth of [0, 1].

    share: of all drafted tokens. predicted, observed: means. low, high: the 95 % confidence interval of `observed`.
    """

    share: float
    predicted: float
    observed: float
    low: float
    high: float

    @property
    def counts(self) -> bool:
        """Whether it has enough tokens to be judged."""
        return self.share >= LEAST_SHARE

    @property
    def is_kept(self) -> bool:
        """Whether the prediction is near the observation, or inside its interval."""
        return abs(self.predicted - self.observed) <= TOLERANCE or self.low <= self.predicted <= self.high


def deciles(checked: Sequence[Checked]) -> list[Decile]:
    """The deciles with any tokens, the least sure first."""
    if not checked:
        return []
    sizes = np.array([draft.survival.size for draft in checked])
    survival = np.concatenate([draft.survival for draft in checked])
    request = np.repeat([draft.request for draft in checked], sizes)
    position = np.arange(survival.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    accepted = position < np.repeat([draft.num_accepted for draft in checked], sizes)
    tenth = np.minimum((survival * NUM_DECILES).astype(int), NUM_DECILES - 1)
    found = []
    for index in range(NUM_DECILES):
        chosen = tenth == index
        if chosen.any():
            low, high = _interval(accepted[chosen], request[chosen])
            predicted, observed = float(survival[chosen].mean()), float(accepted[chosen].mean())
            found.append(Decile(float(chosen.mean()), predicted, observed, low, high))
    return found


def _interval(accepted: np.ndarray, request: np.ndarray) -> tuple[float, float]:
    """The mean's 95 % interval by the cluster-robust variance (Liang and Zeger 1986); clusters are requests.

    Tokens of one request are correlated, so they carry less information than their number suggests. A single request
    gives no interval.
    """
    num_tokens = np.bincount(request)
    num_accepted = np.bincount(request, accepted)[num_tokens > 0]
    num_tokens = num_tokens[num_tokens > 0]
    if num_tokens.size < 2:
        return 0.0, 1.0
    mean = float(accepted.mean())
    residuals = num_accepted - mean * num_tokens
    variance = num_tokens.size / (num_tokens.size - 1) * float(residuals @ residuals) / accepted.size**2
    reach = 1.96 * variance**0.5
    return max(0.0, mean - reach), min(1.0, mean + reach)


def verdict(found: Sequence[Decile]) -> str:
    """How many of the judged deciles are as predicted."""
    judged = [decile for decile in found if decile.counts]
    num_kept = sum(decile.is_kept for decile in judged)
    return (
        f"{num_kept} of {len(judged)} deciles that hold {LEAST_SHARE:.0%} of the drafted tokens are within {TOLERANCE}"
        " of what was observed, or inside its interval"
    )


def as_dicts(found: Sequence[Decile]) -> list[dict[str, float | bool]]:
    """The deciles for JSON."""
    return [asdict(decile) | {"counts": decile.counts, "is_kept": decile.is_kept} for decile in found]


def table(found: Sequence[Decile], batch: int) -> Table:
    """The reliability diagram as a table."""
    made = Table(f"survival, N = {batch}", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("share", "predicted", "observed", "95 % interval", ""):
        made.add_column(column, justify="right")
    for decile in found:
        tenth = min(int(decile.predicted * NUM_DECILES), NUM_DECILES - 1)
        made.add_row(
            f"{tenth / NUM_DECILES:.1f} to {(tenth + 1) / NUM_DECILES:.1f}",
            f"{decile.share:.1%}",
            f"{decile.predicted:.3f}",
            f"{decile.observed:.3f}",
            f"{decile.low:.3f} to {decile.high:.3f}",
            "" if not decile.counts else "yes" if decile.is_kept else "NO",
        )
    return made
