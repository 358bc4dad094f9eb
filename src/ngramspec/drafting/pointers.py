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
        "_index",
        "_is_match",
        "_joined",
        "_limit",
        "_misses",
        "_place",
        "_size",
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
        self.length = length if length < LONGEST else LONGEST
        self._limit = min(self.length + _FORESEEN, LONGEST)
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

        drafted: what stands behind the text.
        """
        start, size = self.start, self._size
        if start < size:
            self.token = token = self._text[start]
            if token != SEPARATOR:
                kind = self._index.agreement(start, self.length) if self._is_match else self._misses
                state, other = STATES[self.length] + kind << self._place, self._joined
                return state if other is None else state | STATES[other.length] + other._misses << other._place
        elif self.number == 0:  # the copy has reached what was drafted, and goes on with it: a period
            self.token = drafted[start - size]
            self.leave()
            return STATES[self.length] << self._place
        self.token = -1
        return 0

    def advance(self) -> None:
        """What was offered is drafted."""
        self.start += 1
        if self.length < self._limit:
            self.length += 1
        other = self._joined
        if other is not None and other.length < other._limit:
            other.length += 1
