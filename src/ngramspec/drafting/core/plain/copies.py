"""A copy in progress, which continues after a token that differed, as in edits and templates."""

from collections.abc import Sequence
from dataclasses import dataclass

from ngramspec.drafting.core.plain.suffix_index import Match

_REACH = 8
"""How many tokens further on a copy looks for a token that differed, in case some were left out."""

_MAX_MISSES = 20
"""A copy is given up after this many misses that were never reset (`_AGREED`)."""

_AGREED = 8
"""Consecutive agreeing tokens that reset the misses."""

_ANCHOR = 4
"""Shortest match that takes over a copy, in tokens; it must also be longer than the copy's agreement."""


@dataclass(slots=True)
class Copy:
    """start: position in the source from which the next token is copied, -1 for none. length: tokens that agreed since
    the last that differed. misses: recent tokens that differed.
    """

    start: int = -1
    length: int = 0
    misses: int = 0

    def anchor(self, match: Match) -> None:
        """Continue from `match` if it is longer."""
        if match.length >= _ANCHOR and match.length > self.length:
            self.start, self.length, self.misses = match.start, match.length, 0

    def follow(self, tokens: Sequence[int], text: "memoryview[int]", end: int) -> None:
        """Follow the row's next `tokens`; the source is `text` up to `end`."""
        start = self.start
        if start < 0:
            return
        for token in tokens:
            if start >= end or self.misses >= _MAX_MISSES:
                start = -1
                break
            start += 1
            if text[start - 1] == token:
                self.length += 1
                if self.length >= _AGREED:
                    self.misses = 0
                continue
            self.length = 0
            self.misses += 1
            for skipped in range(start, min(start + _REACH, end)):
                if text[skipped] == token:
                    start = skipped + 1
                    break
        self.start = start
