"""Where a source is along a draft."""

from collections.abc import Sequence

from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import LONGEST, SHIFTS, STATES

MOST_MISSES = 3
"""A copy that missed so often lately, or more often, is told apart no further."""

_FORESEEN = 2
"""By so many tokens a match grows along a draft, and no more: none of them has proved right yet."""


class Pointer:
    """Reads a text on from one place, and says what a state it is in.

    number: which of the five sources it is: 0 for a match in the row's own text, 1 for one in the history, 2 and 3 for
        copies in progress from either, 4 for what is spelled alike. start: of what is read next. length: tokens (of 4:
        bytes) that agree before it. token: what it offers; -1 for nothing. speaking: the bits, for `Survival.weigh`,
        of the sources that offer it.
    """

    __slots__ = (
        "_earlier",
        "_index",
        "_is_match",
        "_joined",
        "_limit",
        "_misses",
        "_place",
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
        self.number, self._is_match = number, number < 2
        self._place = SHIFTS[number]
        self._joined: Pointer | None = None

    def put(self, start: int, length: int, misses: int = 0) -> None:
        """Begin at `start`, behind `length` tokens that agree."""
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
        self._size = len(self._index)
        self._text = self._index.tokens
        self.start = start
        self._misses = misses if misses < MOST_MISSES else MOST_MISSES
        self.length = length = length if length < LONGEST else LONGEST
        self._limit = length + _FORESEEN if length + _FORESEEN < LONGEST else LONGEST
        self._state = STATES[length]
        self._earlier = self._index.earlier(length)
        self.leave()

    def join(self, other: "Pointer") -> None:
        """Speak for `other` too, which is at the same place: that takes less time than two."""
        self._joined = other
        self.speaking |= other.speaking

    def leave(self) -> None:
        """Speak for no other any more."""
        self._joined = None
        self.speaking = 1 << self.number

    def offer(self, drafted: Sequence[int]) -> int:
        """Read the next `token`; returns the states, where `Survival.weigh` takes them, or 0 where there is none.

        A copy is of the kind that its misses make it. A match is of kind 0 where no place before it reads the same; of
        kind 1 where the latest such place goes on otherwise, of kind 2 where it goes on the same, of kind 3 where the
        one before that does so too.

        drafted: what stands behind the text.
        """
        start = self.start
        if start < self._size:
            text = self._text
            self.token = token = text[start]
            if token != SEPARATOR:
                kind = self._misses
                if self._is_match:
                    place = self._earlier[start - 1]
                    if place < 0:
                        kind = 0
                    elif text[place + 1] != token:
                        kind = 1
                    else:
                        place = self._earlier[place]
                        kind = 3 if place >= 0 and text[place + 1] == token else 2
                other = self._joined
                state = self._state + kind << self._place
                return state if other is None else state | other._state + other._misses << other._place
        elif self.number == 0:  # the copy has reached what was drafted, and goes on with it: a period
            self.token = drafted[start - self._size]
            self.leave()
            return self._state << self._place
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
