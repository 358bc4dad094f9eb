"""Identifies the rows of a batch by their tokens alone: an engine's worker moves rows, and does not name them."""

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from ngramspec.drafting import TokenArray

MOST_AWAY = 64
"""Most rows that have left the batch and are kept in case they come back."""

PATIENCE = 8
"""Passes for which such a row is kept."""


@dataclass(slots=True, eq=False)
class SeenRow:
    """A row that has been seen.

    key: identifies it here. size: of its text, the head of `_tokens`. left_at: the first pass without it.
    """

    key: int
    size: int = 0
    left_at: int = 0
    _tokens: TokenArray = field(default_factory=lambda: np.empty(0, np.int32))

    def begins(self, text: TokenArray) -> bool:
        """Whether `text` `int32[n]` begins with the text seen so far."""
        return self.size <= text.size and np.array_equal(self._tokens[: self.size], text[: self.size])

    def take(self, text: TokenArray) -> TokenArray:
        """Take in `text`, which it begins; returns a copy of the new tokens."""
        start, self.size = self.size, text.size
        if text.size > self._tokens.size:
            grown = np.empty(2 * text.size, np.int32)
            grown[:start] = self._tokens[:start]
            self._tokens = grown
        self._tokens[start : text.size] = text[start:]
        return text[start:].copy()


class SameRows:
    """The rows of a batch, from pass to pass. `over` names those that will not come back."""

    def __init__(self) -> None:
        """No rows."""
        self.over: list[int] = []
        self._at: dict[int, SeenRow] = {}
        self._away: OrderedDict[int, SeenRow] = OrderedDict()
        self._keys = count()
        self._now = 0

    def begin(self, num_rows: int) -> None:
        """Begin with the batch of a new pass, which has `num_rows`."""
        self._now += 1
        for position in [position for position in self._at if position >= num_rows]:
            self._leave(position)
        while self._away and (len(self._away) > MOST_AWAY or self._is_late(next(iter(self._away.values())))):
            key, _ = self._away.popitem(last=False)
            self.over.append(key)

    def at(self, position: int, text: TokenArray) -> SeenRow:
        """The row at `position`, whose text is `text` `int32[n]`; a new row, of size 0, if no known one begins it.

        To be called in the order of positions, once for each in a pass.
        """
        row = self._at.get(position)
        if row is not None and row.begins(text):
            return row
        if row is not None:
            self._leave(position)
        row = self._moved(text, position) or SeenRow(next(self._keys))
        self._at[position] = row
        return row

    def _moved(self, text: TokenArray, position: int) -> SeenRow | None:
        """The row with the longest text that `text` begins with: among rows that left, or else at later positions.

        If two rows have the same text, this may be the other one: that is then new here, and its text is read again.
        """
        away = [(row.size, -1, row) for row in self._away.values() if row.begins(text)]
        others = [
            (row.size, later, row)
            for later, row in self._at.items()
            if later > position and row.size and row.begins(text)
        ]
        if not away and not others:
            return None
        _, had, row = max(away or others, key=lambda found: found[0])
        if had < 0:
            del self._away[row.key]
        else:
            del self._at[had]
        return row

    def _leave(self, position: int) -> None:
        row = self._at.pop(position)
        row.left_at = self._now
        self._away[row.key] = row

    def _is_late(self, row: SeenRow) -> bool:
        return self._now - row.left_at > PATIENCE
