"""Where a source is along a draft."""

from collections.abc import Sequence

from ngramspec.drafting.core.plain.key import LONGEST, OWN, OWN_COPY, SHIFTS, STATES
from ngramspec.drafting.core.plain.suffix_index import SEPARATOR, SuffixIndex

MOST_MISSES = 3
"""A copy that missed so often lately, or more often, is told apart no further."""

_UNPROVEN = 2
"""By so many tokens a match grows along a draft, and no more: none of them has proved right yet."""


class Pointer:
    """Reads a text on from one position, and says what a state it is in (`key.py`).

    number: of the source. start: position of what is read next. length: tokens (of what is spelled alike: bytes) that
    agree before it. token: what it offers; -1 for nothing. speaking: the bits of the sources that offer it.
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
        "speaking",
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
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
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
        """Speak for `other` too, which is at the same position: that takes less time than two."""
        self._joined = other
        self.speaking |= other.speaking

    def leave(self) -> None:
        """Speak for no other any more."""
        self._joined = None
        self.speaking = 1 << self.number

    def offer(self, drafted: Sequence[int]) -> int:
        """Read the next `token`; returns the states as a key has them, or 0 where there is none.

        The kind of a copy is its misses. A match is of kind 0 where nothing earlier reads the same; of kind 1 where
        the latest earlier occurrence goes on otherwise, of kind 2 where it goes on the same, of kind 3 where the one
        before that does so too.

        drafted: what follows the text.
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
        elif self.number == OWN:  # the copy has reached what was drafted, and goes on with it: a period
            self.token = drafted[start - self._size]
            self.leave()
            return self._state << self._shift
        self.token = -1
        return 0

    def advance(self) -> None:
        """What was offered is drafted."""
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
