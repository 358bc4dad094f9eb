"""A text to copy from: the position of its longest match with the row's end, and that of a copy in progress."""

from collections.abc import Sequence

from ngramspec.drafting.core.plain.copies import Copy
from ngramspec.drafting.core.plain.suffix_index import Match, SuffixIndex

UNKNOWN = -1
"""Length of a match that must be looked up."""


class Source:
    """The latest longest match of a row's end in `index`, and a copy in progress, which a longer match takes over.

    A match that the row continues stays the latest longest one, so it is looked up only after the row has left it.

    start: position from which the next token is copied. length: tokens that agree, or UNKNOWN.
    """

    __slots__ = ("copy", "index", "length", "start")

    def __init__(self, index: SuffixIndex) -> None:
        """Begin without a match in the text of `index`."""
        self.index = index
        self.start, self.length = 0, UNKNOWN
        self.copy = Copy()

    def take(self, match: Match) -> None:
        """Note a match that was looked up."""
        self.length, self.start = match
        self.copy.anchor(match)

    def follow(self, tokens: Sequence[int], end: int) -> None:
        """Follow the committed `tokens`; end: of the text before them, up to which a copy could read."""
        size, text = len(self.index), self.index.tokens  # in this order: a history may grow meanwhile
        self.copy.follow(tokens, text, end)
        start = self.start
        if self.length <= 0:
            self.length = UNKNOWN
            return
        for token in tokens:
            if start >= size or text[start] != token:
                self.length = UNKNOWN
                return
            start += 1
        if start == size:  # nothing follows there
            self.length = UNKNOWN
            return
        self.take(Match(self.length + len(tokens), start))
