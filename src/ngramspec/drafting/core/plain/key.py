"""The key of an offer: the state of every source, and which of them offer one token, packed into an integer.

    bits 0 to 4     which sources offer the token, one bit each: source 0 has bit 0
    bits 5 to 34    the state of each source, six bits each: source 4 has bits 5 to 10, source 0 bits 29 to 34

A state is 0 if a source offers nothing. Otherwise its upper four bits are the bucket of its match's length, counted
from 1, and its lower two the kind of the match. Pointers shift the states, the chain joins them by `|`, and
`features.py` separates them again. Only this module defines the bits.
"""

from collections.abc import Sequence
from typing import NamedTuple

NUM_SOURCES = 5
OWN, PAST, OWN_COPY, PAST_COPY, SPELLED = range(NUM_SOURCES)
"""The sources: a match in the row's own text, one in the history, a copy in progress from each, and an earlier position
of the own text that is spelled alike."""

_BUCKET = [0, 1, 2, 3, 4, 5, 5, 6, 6, *[7] * 4, *[8] * 4, *[9] * 8, *[10] * 7, 11]
NUM_BUCKETS = 12

LONGEST = len(_BUCKET) - 1
"""Matches of this many tokens or more share a bucket."""

KIND_BITS = 2
NUM_KINDS = 1 << KIND_BITS
STATE_BITS = 6

STATES = [bucket + 1 << KIND_BITS for bucket in _BUCKET]
"""The state by the length of a match, up to LONGEST; its kind, 0 to 3, is added."""

SHIFTS = [NUM_SOURCES + STATE_BITS * source for source in reversed(range(NUM_SOURCES))]
"""The shift of each source's state, in bits."""


class Offer(NamedTuple):
    """states: of each source. offered: 1 for each source that offers the token, else 0."""

    states: tuple[int, ...]
    offered: tuple[int, ...]


def pack(states: Sequence[int], offered: Sequence[int]) -> int:
    """The key of a token, from what `unpack` returns."""
    key = 0
    for source in range(NUM_SOURCES):
        key |= states[source] << SHIFTS[source] | offered[source] << source
    return key


def unpack(key: int) -> Offer:
    """The content of `key`."""
    mask = (1 << STATE_BITS) - 1
    states = tuple(key >> shift & mask for shift in SHIFTS)
    return Offer(states, tuple(key >> source & 1 for source in range(NUM_SOURCES)))
