"""Where a source is along a draft."""

from collections.abc import Sequence

from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import LONGEST, STATES

MOST_MISSES = 3
"""A copy that missed so often lately, or more often, is told apart no further."""


class Pointer:
    """Reads a text on from one place, and says what a state it is in.

    number: which of the four sources it is: 0 for a match in the row's own text, 1 for one in the history, 2 and 3 for
        copies in progress from either. token: what it offers; -1 for nothing.
    """

    __slots__ = ("_index", "_is_copy", "_misses", "_size", "_start", "_text", "length", "number", "place", "token")

    def __init__(self, index: SuffixIndex, number: int) -> None:
        """Read the text of `index`."""
        self._index = index
        self.number, self._is_copy = number, number > 1
        self.place = 22 - 6 * number  # of its state in the key that `Survival.weigh` takes

    def put(self, start: int, length: int, misses: int = 0) -> None:
        """Begin at `start`, behind `length` tokens that agree."""
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
        self._size = len(self._index)
        self._text = self._index.tokens
        self._start = start
        self._misses = misses if misses < MOST_MISSES else MOST_MISSES
        self.length = length if length < LONGEST else LONGEST

    def offer(self, drafted: Sequence[int]) -> int:
        """Read the next `token`; returns the state, 0 where there is none. drafted: what stands behind the text."""
        start, size = self._start, self._size
        if start < size:
            self.token = token = self._text[start]
            if token != SEPARATOR:
                kind = self._misses if self._is_copy else self._index.agreement(start, self.length)
                return STATES[self.length] + kind
        elif self.number == 0:  # the copy has reached what was drafted, and goes on with it: a period
            self.token = drafted[start - size]
            return STATES[self.length]
        self.token = -1
        return 0

    def advance(self) -> None:
        """What was offered is drafted."""
        self._start += 1
        if self.length < LONGEST:
            self.length += 1
