"""A copy in progress: it goes on after a token that differed, as edits and templates do."""

from collections.abc import Sequence
from dataclasses import dataclass

from ngramspec.drafting.core.plain.suffix_index import Match

_REACH = 8
"""So many tokens further on the copy looks for a token that differed: some were left out."""

_MAX_MISSES = 20
"""A copy that differed so often, with never so many tokens agreeing between, is given up."""

_AGREED = 8
"""Tokens that must agree for what differed before to be forgotten."""

_ANCHOR = 4
"""A match of so many tokens, if it is longer than the copy's agreement, takes the copy over."""


@dataclass(slots=True)
class Copy:
    """start: where in the source the next token is copied from, -1 for nowhere. length: tokens that agreed since the
    last that differed. misses: how many differed lately.
    """

    start: int = -1
    length: int = 0
    misses: int = 0

    def anchor(self, match: Match) -> None:
        """Go on from `match` where it is the longer one."""
        if match.length >= _ANCHOR and match.length > self.length:
            self.start, self.length, self.misses = match.start, match.length, 0

    def follow(self, tokens: Sequence[int], text: "memoryview[int]", end: int) -> None:
        """Go on with the row by `tokens`; the source is `text` up to `end`."""
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
