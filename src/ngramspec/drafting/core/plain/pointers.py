"""The position of a source along a draft."""

from collections.abc import Sequence

from ngramspec.drafting.core.plain.key import LONGEST, OWN, OWN_COPY, SHIFTS, STATES
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, SuffixIndex

MOST_MISSES = 3
"""Copies with this many recent misses or more share a kind."""

_UNPROVEN = 2
"""Tokens by which a match may grow along a draft: drafted tokens have not proved right yet."""


class Pointer:
    """Reads a text on from one position, and gives its state (`key.py`).

    number: of the source. start: position of the next token. length: tokens (for matches by spelling: bytes) that agree
    before it. token: the offered one; -1 for none. offering: the bits of the sources that offer it.
    """

    __slots__ = (
        "_earlier",
        "_index",
        "_is_match",
        "_joined",
        "_limit",
        "_misses",
        "_shift",
        "_size",
        "_state",
        "_text",
        "length",
        "number",
        "offering",
        "start",
        "token",
    )

    def __init__(self, index: SuffixIndex, number: int) -> None:
        """Read the text of `index`."""
        self._index = index
        self.number, self._is_match = number, number < OWN_COPY
        self._shift = SHIFTS[number]
        self._joined: Pointer | None = None

    def put(self, start: int, length: int, misses: int = 0) -> None:
        """Begin at `start`, after `length` tokens that agree."""
        # The history may grow meanwhile. Its size first: a text that is read later has at least as many tokens.
        self._size = len(self._index)
        self._text = self._index.tokens
        self.start = start
        self._misses = misses if misses < MOST_MISSES else MOST_MISSES
        self.length = length = length if length < LONGEST else LONGEST
        self._limit = length + _UNPROVEN if length + _UNPROVEN < LONGEST else LONGEST
        self._state = STATES[length]
        self._earlier = self._index.earlier(length)
        self.leave()

    def join(self, other: "Pointer") -> None:
        """Speak for `other`, too, which is at the same position: that is faster than two pointers."""
        self._joined = other
        self.offering |= other.offering

    def leave(self) -> None:
        """Speak only for its own source again."""
        self._joined = None
        self.offering = 1 << self.number

    def offer(self, drafted: Sequence[int]) -> int:
        """Read the next `token`; returns the states in the format of a key, or 0 if there is none.

        The kind of a copy is its misses. The kind of a match is 0 if there is no earlier occurrence, 1 if the latest
        earlier one continues differently, 2 if it continues in the same way, 3 if the one before that does so, too.

        drafted: the tokens drafted after the text.
        """
        start = self.start
        if start < self._size:
            text = self._text
            self.token = token = text[start]
            if token != SEPARATOR:
                kind = self._misses
                if self._is_match:
                    earlier = self._earlier[start - 1]
                    if earlier < 0:
                        kind = 0
                    elif text[earlier + 1] != token:
                        kind = 1
                    else:
                        earlier = self._earlier[earlier]
                        kind = 3 if earlier >= 0 and text[earlier + 1] == token else 2
                other = self._joined
                state = self._state + kind << self._shift
                return state if other is None else state | other._state + other._misses << other._shift
        elif self.number == OWN:  # the copy has reached the drafted tokens, and continues with them: a period
            self.token = drafted[start - self._size]
            self.leave()
            return self._state << self._shift
        self.token = -1
        return 0

    def advance(self) -> None:
        """The offered token was drafted."""
        self.start += 1
        if self.length < self._limit:
            self._grow()
        other = self._joined
        if other is not None and other.length < other._limit:
            other._grow()

    def _grow(self) -> None:
        self.length += 1
        self._state = STATES[self.length]
        self._earlier = self._index.earlier(self.length)
