"""The features of a token: a single list of weights, and where in it those of each kind are."""

from ngramspec.drafting.core.plain.key import (
    KIND_BITS,
    NUM_BUCKETS,
    NUM_SOURCES,
    OWN,
    PAST,
    SPELLED,
    STATE_BITS,
    unpack,
)

NUM_RECENT = 8
"""Number of buckets for a row's recent success."""

FURTHEST = 48
"""Positions of a draft from this one on share a weight."""

NUM_EVIDENCE = 64
"""Number of evidence codes for a foreseen token."""

# In this order: by the state of each source, offering the token or not; by the pair of matches; by the row's recent
# success; by the number of tokens drafted before; by what is foreseen.
_PER_SOURCE = 2 << STATE_BITS
_PAIR = NUM_SOURCES * _PER_SOURCE
_RECENT = _PAIR + 4 * (NUM_BUCKETS + 1) ** 2
_AHEAD = _RECENT + NUM_RECENT * (NUM_BUCKETS + 1)
_FORESEEN = _AHEAD + FURTHEST.bit_length() + 1
NUM_WEIGHTS = _FORESEEN + 4 * NUM_EVIDENCE

NOT_SPELLED = SPELLED * _PER_SOURCE
"""Index of the weight for "spelling offers nothing". It stays 0: without a vocabulary it is as if the source were not
there."""

LAYOUT = [9, NUM_WEIGHTS]
"""Version of the features: saved weights are meaningless with others. Increment it when their meaning changes."""

AHEAD = [_AHEAD + drafted.bit_length() for drafted in range(FURTHEST + 1)]
"""Index of the weight for each number of tokens drafted before, up to FURTHEST. A token that was chosen among several
seems surer than it is, and more so the longer the draft."""

NOT_FORESEEN = 0
"""Stands for the weight of what is foreseen, if nothing is."""

Features = tuple[int, ...]
"""Indices of a token's weights: one per source, one for the pair of matches. Last, an offset into the weights for the
row's recent success: the longest match that offers the token, in twelve buckets counted from 1."""


def features(key: int) -> Features:
    """The features of the token with `key` (`key.py`)."""
    states, offered = unpack(key)
    own, past = states[OWN], states[PAST]
    # Matches by spelling count bytes, not tokens.
    longest = max(states[source] * offered[source] for source in range(SPELLED)) >> KIND_BITS
    alone = [
        _PER_SOURCE * source + (state << 1 | offers)
        for source, (state, offers) in enumerate(zip(states, offered, strict=True))
    ]
    pair = (own >> KIND_BITS) * (NUM_BUCKETS + 1) + (past >> KIND_BITS)
    return (*alone, _PAIR + pair * 4 + (offered[OWN] << 1 | offered[PAST]), longest)


def recent_index(share: float) -> int:
    """The first of the weights for rows in whose latest tokens `share` was foreseen; `longest` is the offset."""
    return _RECENT + min(NUM_RECENT - 1, int(share * NUM_RECENT)) * (NUM_BUCKETS + 1)


def foreseen_index(evidence: int, is_foreseen: bool) -> int:
    """The weight for a token if another one, or (is_foreseen) this one, is foreseen by `evidence`, from 0 to 63.

    The weight after it is for a token that a match offers, too.
    """
    return _FORESEEN + (evidence << 2 | is_foreseen << 1)
