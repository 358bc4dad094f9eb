"""A text to copy from: where in it the row is, as exactly as can be, and where a copy in progress is."""

from collections.abc import Sequence

from ngramspec.drafting.core.plain.copies import Copy
from ngramspec.drafting.core.plain.suffix_index import Match, SuffixIndex

UNKNOWN = -1
"""The length of a match that must be looked up."""


class Source:
    """The latest longest match of a row's end in `index`, and a copy in progress, which a longer match takes over.

    A match that the row goes on with stays the latest longest one, so it is looked up only where the row left it.

    start: where the next token is copied from. length: tokens that agree, or UNKNOWN.
    """

    __slots__ = ("copy", "index", "length", "start")

    def __init__(self, index: SuffixIndex) -> None:
        """Begin nowhere in the text of `index`."""
        self.index = index
        self.start, self.length = 0, UNKNOWN
        self.copy = Copy()

    def take(self, match: Match) -> None:
        """Note what was looked up."""
        self.length, self.start = match
        self.copy.anchor(match)

    def follow(self, tokens: Sequence[int], end: int) -> None:
        """Go on by the committed `tokens`; what a copy could read of the text before they came goes up to `end`."""
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
