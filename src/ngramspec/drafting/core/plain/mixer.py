"""Estimates the probability of each possible next token: opinions of many contexts, mixed with weights learnt online.

A context's opinion of a token, which it may offer or not, has a kind: the text, the order, the token's rank, its share
of the counts, how many there are. How often tokens of a kind were right is counted. The log-odds of these frequencies
are summed with weights, which are learnt by online logistic regression: the mixing of lpaq and paq8 (Mahoney 2005,
2007).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.core.plain.likely import BITS, NUM_LIKELY, TENTHS, LikelyNumbers
from ngramspec.drafting.core.plain.successors import ORDERS, WALKED, Counts, Recycled
from ngramspec.drafting.types import FloatArray

NUM_TEXTS = 2
"""The row's own text, and its segment's history."""

_RECYCLED = NUM_TEXTS * len(ORDERS)
"""The slot for the model's own likeliest tokens in the row's own text."""

NUM_SLOTS = _RECYCLED + 1
_CHAIN, _BIAS = NUM_SLOTS, NUM_SLOTS + 1

_SIZES = WALKED.bit_length()
_RANKS, _SHARES = 4, 8
_ABSENT = 2 * _SIZES
_PER_SLOT = _ABSENT + _RANKS * (_SHARES + 1) * _SIZES

_PER_ORDER = 1 + NUM_LIKELY * TENTHS
_FIRST_RECYCLED = _RECYCLED * _PER_SLOT
_FIRST_GUESS = _FIRST_RECYCLED + len(ORDERS) * _PER_ORDER

NUM_KINDS = _FIRST_GUESS + NUM_LIKELY * TENTHS

_KEYS = [
    (own, past, state, has_recycled)
    for has_recycled in (False, True)
    for own in range(len(ORDERS) + 1)
    for past in range(len(ORDERS) + 1)
    for state in range(3)
]
"""Keys of the sets of weights: the number of orders known in each text, whether the chain drafts nothing, another token
or this one, and whether the model's likeliest tokens are known."""

_TRUST = (0.5, 0.7, 0.9, 0.95)
"""Initial trust by order: the believed share of the probability that the model gave a token."""

_TRUST_IN_GUESSES = 0.12
"""The same for a probability that it gave one position earlier."""

_NUM_MIXED = NUM_SLOTS + 2
NUM_PARAMETERS = 2 * NUM_KINDS + len(_KEYS) * _NUM_MIXED

LEAST_CHANCE = 0.0005
"""Probabilities stay between this and 1 minus this: log-odds beyond that could not be unlearnt."""

RATE = 0.006
"""Learning rate of weights. Higher ones (0.02, 0.05) were worse by 0.4 and 2 %: the initial weights are good."""

LEAST_ERROR = 0.001
"""Smaller errors are not learnt from. It must be above LEAST_CHANCE, or weights of what is always right grow for ever.
"""

_MOST_ODDS = 30.0
"""Bound on log-odds, so that `exp` can take them whatever weights a file has."""

SLOWEST = 1 / 256
"""Slowest rate of a frequency: it averages over about the latest 1 / this of its kind."""

MOST_SEEN = 256
"""Bound on the count of a kind: from there on its frequency moves by `SLOWEST`."""

_MOST_WEIGHT = 50.0
"""Bound on weights read from a file."""

MOST_OFFERED = 12
"""Most tokens that are weighed at a node: those of the longest contexts."""

Opinion = tuple[int, int]
"""The slot of a context, and the kind of its opinion of a token."""


@dataclass(slots=True)
class Estimate:
    """The estimate for a token: its chance, the opinions for and against it, and the weights that were used.

    offered: the log-odds that the chain gave it; 0 if it did not offer it. guess: the kind of a token of which nothing
    is known but that it was among the model's likeliest one position earlier.
    """

    token: int
    chance: float
    opinions: list[Opinion]
    weights: list[float]
    offered: float
    guess: int | None = None


class Mixer:
    """Frequencies by kind, and weights by what is known; shared by all rows of a drafter, like `Survival`."""

    def __init__(self) -> None:
        """Start with frequencies that follow from shares of counts."""
        texts = [chance for _ in range(_RECYCLED) for chance in _first_chances()]
        recycled = [chance for trust in _TRUST for chance in (0.02, *_first_likely(trust))]
        self._chances = [*texts, *recycled, *_first_likely(_TRUST_IN_GUESSES)]
        self._odds = [log_odds(chance) for chance in self._chances]
        self._seen = [0] * len(self._chances)
        self._weights: dict[tuple[int, int, int, bool], list[float]] = {}

    def parameters(self) -> FloatArray:
        """The learnt state, `float64[NUM_PARAMETERS]`: frequencies, the count of each, and weights."""
        weights = [weight for key in _KEYS for weight in self._weights_for(*key)]
        return np.array([*self._chances, *self._seen, *weights])

    def take_over(self, parameters: FloatArray) -> None:
        """Replace the learnt state by another mixer's `parameters`."""
        chances, seen, weights = np.split(parameters, [NUM_KINDS, 2 * NUM_KINDS])
        self._chances, self._seen = chances.tolist(), [int(count) for count in seen.tolist()]
        self._odds = [log_odds(chance) for chance in self._chances]
        self._weights = dict(zip(_KEYS, weights.reshape(len(_KEYS), _NUM_MIXED).tolist(), strict=True))

    def weigh(
        self,
        own: Sequence[Counts],
        past: Sequence[Counts],
        offers: Mapping[int, float],
        most: int = MOST_OFFERED,
        recycled: Recycled | None = None,
        guesses: LikelyNumbers = (),
    ) -> list[Estimate]:
        """The chance of each token that a context knows or the chain offers; each on its own, so they need not add up.

        own, past: by order, what followed in the row's text and in the history. offers: the chain's tokens at this
        position with the chance that it gives each, the drafted one first. most: bound on the weighed tokens.
        recycled: the model's likeliest tokens where the context occurred in the row's own text. guesses: tokens that
        are taken only if nothing else offers them.
        """
        contexts = [*_described(own, 0), *_described(past, len(ORDERS)), *_described_recycled(recycled)]
        estimates: list[Estimate] = []
        drafted = next(iter(offers), None)
        for token in _offered(own, past, recycled, offers, most):
            state = 0 if drafted is None else 2 if token == drafted else 1
            weights = self._weights_for(len(own), len(past), state, recycled is not None)
            opinions = [(slot, context.get(token, absent)) for slot, absent, context in contexts]
            offered = log_odds(offers[token]) if token in offers else 0.0
            odds = weights[_BIAS] + weights[_CHAIN] * offered
            for slot, kind in opinions:
                odds += weights[slot] * self._odds[kind]
            odds = min(max(odds, -_MOST_ODDS), _MOST_ODDS)
            estimates.append(Estimate(token, _bounded(1.0 / (1.0 + exp(-odds))), opinions, weights, offered))
        for rank, number in enumerate(guesses):
            token = number >> BITS
            if len(estimates) == most:
                break
            if all(each.token != token for each in estimates):
                kind = _FIRST_GUESS + _kind_of_likely(rank, number)
                estimates.append(Estimate(token, self._chances[kind], [], [], 0.0, kind))
        return estimates

    def learn(self, estimates: Sequence[Estimate], right: int) -> None:
        """Update weights and frequencies by the token that came, `right`."""
        for each in estimates:
            is_right = each.token == right
            if each.guess is not None:
                self._count(each.guess, is_right)
                continue
            error = is_right - each.chance
            if -LEAST_ERROR < error < LEAST_ERROR:
                continue
            step, weights = RATE * error, each.weights
            weights[_BIAS] += step
            weights[_CHAIN] += step * each.offered
            for slot, kind in each.opinions:
                weights[slot] += step * self._odds[kind]
            for _, kind in each.opinions:
                self._count(kind, is_right)

    def _count(self, kind: int, is_right: bool) -> None:
        self._seen[kind] = min(self._seen[kind] + 1, MOST_SEEN)
        rate = max(SLOWEST, 1.0 / (self._seen[kind] + 4.0))
        chance = _bounded(self._chances[kind] + rate * (is_right - self._chances[kind]))
        self._chances[kind], self._odds[kind] = chance, log_odds(chance)

    def _weights_for(self, num_own: int, num_past: int, state: int, has_recycled: bool) -> list[float]:
        """Initially the mean of all opinions; if the chain drafts the token, half of that plus half of the chain's.

        The model's own likeliest tokens count for more, at the expense of the texts.
        """
        key = num_own, num_past, state, has_recycled
        weights = self._weights.get(key)
        if weights is None:
            num_known = num_own + num_past
            share = 1.0 / max(1, num_known + has_recycled)
            share = 0.5 * share if state == 2 else share
            of_text, of_recycled = share, share
            if num_known and has_recycled:
                of_text, of_recycled = share * 0.7, share * (1.0 + 0.3 * num_known)
            weights = [of_text] * _RECYCLED + [of_recycled] + [0.5 if state == 2 else 0.0, 0.0]
            self._weights[key] = weights
        return weights


def checked_mixing(parameters: npt.NDArray[Any]) -> FloatArray:
    """The learnt state from a file, `float64[NUM_PARAMETERS]`; raises ValueError for impossible values."""
    if parameters.dtype != np.float64 or parameters.shape != (NUM_PARAMETERS,):
        raise ValueError(f"mixing must be float64[{NUM_PARAMETERS}], got {parameters.dtype}{list(parameters.shape)}")
    chances, seen, weights = np.split(parameters, [NUM_KINDS, 2 * NUM_KINDS])
    if not ((chances >= LEAST_CHANCE) & (chances <= 1.0 - LEAST_CHANCE)).all():  # NaN fails
        raise ValueError(f"frequencies must be from {LEAST_CHANCE} to {1.0 - LEAST_CHANCE}, got another one")
    if not ((seen >= 0.0) & (seen <= MOST_SEEN) & (seen == np.floor(seen))).all():
        raise ValueError(f"counts must be whole numbers from 0 to {MOST_SEEN}, got another one")
    if not (np.abs(weights) <= _MOST_WEIGHT).all():
        raise ValueError(f"weights must be from -{_MOST_WEIGHT} to {_MOST_WEIGHT}, got another one")
    return parameters


def log_odds(chance: float) -> float:
    """The log-odds of a probability, which is bounded first."""
    chance = _bounded(chance)
    return log(chance / (1.0 - chance))


def _bounded(chance: float) -> float:
    return min(max(chance, LEAST_CHANCE), 1.0 - LEAST_CHANCE)


def _offered(
    own: Sequence[Counts],
    past: Sequence[Counts],
    recycled: Recycled | None,
    offers: Mapping[int, float],
    most: int,
) -> list[int]:
    """The tokens to weigh: the chain's, then those of the longest contexts, per order the model's likeliest first."""
    tokens = dict.fromkeys(offers)
    for order in reversed(range(len(ORDERS))):
        if recycled is not None and recycled[0] == order:
            tokens |= dict.fromkeys([number >> BITS for number in recycled[1]])
        for contexts in (own, past):
            if order < len(contexts):
                tokens |= dict.fromkeys(contexts[order])
        if len(tokens) >= most:
            break
    return list(tokens)[:most]


def _described(contexts: Sequence[Counts], first: int) -> list[tuple[int, int, dict[int, int]]]:
    """For each context: its slot, the kind of tokens that it does not know, and the kind of each token that it does."""
    described = []
    for slot, counts in enumerate(contexts, first):
        total, base = sum(counts.values()), slot * _PER_SLOT
        size = total.bit_length() - 1
        present = base + _ABSENT + size
        kinds = {
            token: present + _SIZES * (min(rank, _RANKS - 1) * (_SHARES + 1) + count * _SHARES // total)
            for rank, (token, count) in enumerate(counts.items())
        }
        described.append((slot, base + 2 * size + (len(counts) == 1), kinds))
    return described


def _described_recycled(recycled: Recycled | None) -> list[tuple[int, int, dict[int, int]]]:
    """As `_described`, for the model's likeliest tokens."""
    if recycled is None:
        return []
    order, likely = recycled
    base = _FIRST_RECYCLED + order * _PER_ORDER
    return [
        (
            _RECYCLED,
            base,
            {number >> BITS: base + 1 + _kind_of_likely(rank, number) for rank, number in enumerate(likely)},
        )
    ]


def _kind_of_likely(rank: int, number: int) -> int:
    return rank * TENTHS + number % (1 << BITS)


def _first_likely(trust: float) -> list[float]:
    """Initial frequencies of the model's likeliest tokens, by rank and tenth."""
    return [
        min(max(trust * (tenth + 0.5) / TENTHS / (1 if tenth else 1 + rank), 0.003), 0.97)
        for rank in range(NUM_LIKELY)
        for tenth in range(TENTHS)
    ]


def _first_chances() -> list[float]:
    """Initial frequencies of the kinds of one slot: the smoothed share of the counts; little if absent."""
    absent = [0.1 / (1 << size) / (1 + is_alone) for size in range(_SIZES) for is_alone in (False, True)]
    present = [
        (share + 0.5) / (_SHARES + 0.5) * (1 << size) / ((1 << size) + 1.0)
        for _ in range(_RANKS)
        for share in range(_SHARES + 1)
        for size in range(_SIZES)
    ]
    return absent + [min(chance, 0.97) for chance in present]
