"""Which weights speak for a token: one list of weights, and where in it those of each kind are."""

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
"""How a row has gone lately, in so many steps."""

FURTHEST = 48
"""Tokens after so many of a draft are all alike."""

NUM_EVIDENCE = 64
"""Kinds of evidence for a token that is foreseen."""

# In this order: of the state of each source, offering the token or not; of the two matches together; of how the row has
# gone lately; of how many tokens are drafted before; of what is foreseen.
_PER_SOURCE = 2 << STATE_BITS
_PAIR = NUM_SOURCES * _PER_SOURCE
_RECENT = _PAIR + 4 * (NUM_BUCKETS + 1) ** 2
_AHEAD = _RECENT + NUM_RECENT * (NUM_BUCKETS + 1)
_FORESEEN = _AHEAD + FURTHEST.bit_length() + 1
NUM_WEIGHTS = _FORESEEN + 4 * NUM_EVIDENCE

NOT_SPELLED = SPELLED * _PER_SOURCE
"""The weight for "spelling offers nothing"; it stays 0, so without a vocabulary all is as if there were no such source.
"""

LAYOUT = [9, NUM_WEIGHTS]
"""Which features there are: saved weights mean nothing to others. Count on when they change their meaning."""

AHEAD = [_AHEAD + drafted.bit_length() for drafted in range(FURTHEST + 1)]
"""By the number of tokens drafted before a token, up to FURTHEST: the weight for it. A token that was chosen from
several seems surer than it is, the more so the further a draft goes on."""

NOT_FORESEEN = 0
"""Instead of a weight for what is foreseen, where nothing is."""

Features = tuple[int, ...]
"""Weights of a token: one of each source, one of the pair of matches, and last, as an offset into the weights of how
the row has gone lately, the longest match that offers the token, in twelve buckets counted from 1."""


def features(key: int) -> Features:
    """The weights that speak for the token of `key` (`key.py`)."""
    states, offered = unpack(key)
    own, past = states[OWN], states[PAST]
    # Of what is spelled alike bytes agree, not tokens.
    longest = max(states[source] * offered[source] for source in range(SPELLED)) >> KIND_BITS
    alone = [
        _PER_SOURCE * source + (state << 1 | offers)
        for source, (state, offers) in enumerate(zip(states, offered, strict=True))
    ]
    pair = (own >> KIND_BITS) * (NUM_BUCKETS + 1) + (past >> KIND_BITS)
    return (*alone, _PAIR + pair * 4 + (offered[OWN] << 1 | offered[PAST]), longest)


def recent_index(share: float) -> int:
    """The first of the weights for rows of whose latest tokens this share was foreseen; `longest` is the offset."""
    return _RECENT + min(NUM_RECENT - 1, int(share * NUM_RECENT)) * (NUM_BUCKETS + 1)


def foreseen_index(evidence: int, speaks: bool) -> int:
    """The weight for a token where another, or (speaks) this one, is foreseen by `evidence`, from 0 to 63.

    The weight after it is for a token that a match offers too.
    """
    return _FORESEEN + (evidence << 2 | speaks << 1)
