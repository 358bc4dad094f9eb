"""Finds where the end of a text occurred before, without a rescan, however long the text is.

Matches of one to four tokens are looked up exactly. The earlier occurrences of the last four tokens form a chain,
latest first, and a longer match is found by walking it, as in zlib's deflate (Gailly and Adler 1995).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ngramspec.drafting.core.plain.likely import LikelyNumbers, checked_shape, read
from ngramspec.drafting.core.plain.positions import Positions, grouped, latest
from ngramspec.drafting.types import TokenArray

MAX_MATCH = 64
"""Agreement is counted up to this many tokens; among the occurrences that agree in as many or more, the latest wins."""

MAX_COMPARED = 256
"""At most this many occurrences, the latest ones, are compared beyond their four tokens."""

MAX_FOUND = 32
"""As MAX_COMPARED, for `SuffixIndex.find`, which is called several times per draft."""

SEPARATOR = np.iinfo(np.int32).max
"""Precedes each text of a history. No vocabulary has this id, so it is never drafted, but beginnings of answers can be
matched."""

BULK = 256
"""From this many tokens on, if they are at least a quarter of the text before them, `extend` is vectorised."""


class Match(NamedTuple):
    """An earlier occurrence of the end of the text.

    length: tokens that agree, 1 to MAX_MATCH; 0 if there is none.
    start: the position after it, from which a continuation is copied.
    """

    length: int
    start: int


NO_MATCH = Match(0, 0)


class SuffixIndex:
    """A growing text, and the positions where its end occurred before.

    A lookup returns the latest longest match, which depends on the text only, not on how it was split into `extend`
    calls. It is exact if the last four tokens occurred at most MAX_COMPARED times before, and otherwise exact among the
    latest MAX_COMPARED of these occurrences. So no text makes a lookup compare more than MAX_COMPARED times MAX_MATCH
    tokens. Token ids may be any int32 >= 0.
    """

    def __init__(self) -> None:
        """Start with no text."""
        self._size = 0
        # Map an n-gram to the position of its last token, at its latest occurrence. Keys are exact, not hashed: they
        # combine two numbers of 31 bits. A pair of tokens is named by the position where it was first seen, so a pair
        # and a token make a triple, and two pairs make four tokens. Nothing can be copied from the end of the text
        # itself, so a position is indexed only when a token follows it.
        self._latest_token = Positions()
        self._pair_names = Positions()
        self._latest_triple = Positions()
        self._latest_four = Positions()
        # What the last lookup found at the end of the text: its position, where its token was, the name of its pair,
        # and where its four tokens were. That position is the first to be indexed when the text grows, and need not
        # be looked up again.
        self._known: tuple[int, int | None, int | None, int | None] = (-1, None, None, None)
        # Columns by position: the text; the name of the pair that ends there; where the token, the pair and the four
        # tokens that end there ended before. By name: the latest position of the pair. Arrays for bulk, views for
        # single numbers.
        self._columns = np.empty((6, 0), np.int32)
        self._reserve(256)
        self._likely: dict[int, LikelyNumbers] = {}

    def __len__(self) -> int:
        """Number of tokens."""
        return self._size

    @property
    def text(self) -> TokenArray:
        """The text `int32[n]`: a copy."""
        return self.read(0, self._size)

    def read(self, start: int, end: int) -> TokenArray:
        """The text from position `start` up to `end`, `int32[n]`: a copy. Positions as in a slice."""
        return self._text[: self._size][start:end].copy()

    def extend(self, tokens: TokenArray) -> None:
        """Append `tokens` `int32[n]`."""
        if not tokens.size:
            return
        is_bulk = tokens.size >= max(BULK, self._size // 4)
        lowest = int(tokens.min()) if is_bulk else min(tokens.tolist())
        if lowest < 0:
            raise ValueError(f"token ids must be >= 0, got {lowest}")
        start, end = self._size, self._size + tokens.size
        if end > self._columns.shape[1]:
            self._reserve(max(end, self._columns.shape[1] * 3 // 2))
        self._text[start:end] = tokens
        self._size = end
        if is_bulk:
            self._index_anew(end - 1)
        else:
            self._index_each(max(start - 1, 0), end - 1)

    def note(self, start: int, likely: TokenArray) -> None:
        """Note the model's likeliest tokens after each position from `start` on, `int32[n, NUM_LIKELY]` (likely.py).

        Positions beyond the text are ignored.
        """
        checked_shape(likely, len(likely))
        for position, numbers in enumerate(likely.tolist(), start):
            some = read(numbers)
            if some and 0 <= position < self._size:
                self._likely[position] = some

    def likely_after(self, position: int) -> LikelyNumbers:
        """What was noted for one position."""
        return self._likely.get(position, ())

    @property
    def num_noted(self) -> int:
        """Number of positions for which something was noted."""
        return len(self._likely)

    @property
    def tokens(self) -> "memoryview[int]":
        """The text and room after it, for reading single tokens quickly; valid until the next `extend`."""
        return self._text_view

    def find(self, tail: Sequence[int]) -> Match:
        """As `latest_longest_match`, for another text with the last tokens `tail`; agreement ends where it begins.

        The latest MAX_FOUND occurrences of its last four tokens are compared.
        """
        known = len(tail)
        if not known:
            return NO_MATCH
        token = tail[-1]
        names = self._pair_names
        pair = names.get(tail[-2] << 31 | token) if known > 1 else None
        if pair is None:
            earlier = self._latest_token.get(token)
            return NO_MATCH if earlier is None else Match(1, earlier + 1)
        before = names.get(tail[-3] << 31 | tail[-2]) if known > 2 else None
        earlier = None if before is None else self._latest_triple.get(before << 31 | token)
        if earlier is None:
            return Match(2, self._latest_pair_view[pair] + 1)
        before = names.get(tail[-4] << 31 | tail[-3]) if known > 3 else None
        four = None if before is None else self._latest_four.get(before << 31 | pair)
        return Match(3, earlier + 1) if four is None else self._longest(four, tail)

    def latest(self, tail: Sequence[int]) -> tuple[int, int, int]:
        """The last positions where another text's last token, last two and last four ended; -1 for none, or if shorter.

        tail: the last tokens of that text, at least four of them if it has that many. From each of these positions,
        `earlier` leads to the previous ones.
        """
        known, names = len(tail), self._pair_names
        token = self._latest_token.get(tail[-1]) if known else None
        if token is None:
            return -1, -1, -1
        pair = names.get(tail[-2] << 31 | tail[-1]) if known > 1 else None
        if pair is None:
            return token, -1, -1
        before = names.get(tail[-4] << 31 | tail[-3]) if known > 3 else None
        four = None if before is None else self._latest_four.get(before << 31 | pair)
        return token, self._latest_pair_view[pair], -1 if four is None else four

    def earlier(self, length: int) -> "memoryview[int]":
        """By position of a token: that of the previous occurrence, or -1; valid until the next `extend`.

        length: of the occurrence that ends there; four for four or more, two for two or three, one for one.
        """
        if length > 3:
            return self._previous_four_view
        return self._previous_pair_view if length > 1 else self._previous_token_view

    def _longest(self, earlier: int, tail: Sequence[int]) -> Match:
        text, previous = self._text_view, self._previous_four_view
        known, length, found = min(len(tail), MAX_FOUND), 4, earlier
        for _ in range(MAX_FOUND):
            if earlier < length or length == known:
                break
            if text[earlier - length] == tail[-1 - length]:
                agreeing, limit = 4, min(known, earlier + 1)
                while agreeing < limit and text[earlier - agreeing] == tail[-1 - agreeing]:
                    agreeing += 1
                if agreeing > length:
                    length, found = agreeing, earlier
            earlier = previous[earlier]
        return Match(length, found + 1)

    def latest_longest_match(self, max_compared: int | None = None) -> Match:
        """The latest of the earlier occurrences that agree over the most tokens; it may overlap the end of the text.

        max_compared: instead of MAX_COMPARED.
        """
        last = self._size - 1
        if last < 1:
            return NO_MATCH
        token = self._text_view[last]
        earlier = self._latest_token.get(token)
        self._known = last, earlier, None, None
        if earlier is None:
            return NO_MATCH
        seen = earlier
        pair = self._pair_names.get(self._text_view[last - 1] << 31 | token)
        if pair is None:
            return Match(1, earlier + 1)
        self._known = last, seen, pair, None
        earlier = self._latest_triple.get(self._pair_at_view[last - 1] << 31 | token) if last > 1 else None
        if earlier is None:
            return Match(2, self._latest_pair_view[pair] + 1)
        four = self._latest_four.get(self._pair_at_view[last - 2] << 31 | pair) if last > 2 else None
        self._known = last, seen, pair, four
        return Match(3, earlier + 1) if four is None else self._walk(four, last, max_compared or MAX_COMPARED)

    def _walk(self, earlier: int, last: int, max_compared: int) -> Match:
        text, previous = self._text_view, self._previous_four_view
        length, found = 4, earlier
        for _ in range(max_compared):
            if earlier < length:  # too near the beginning to beat the best so far, like all before it
                break
            # Only an occurrence that also agrees just before the best agreement can beat it: mostly one comparison.
            if text[earlier - length] == text[last - length]:
                agreeing = self._num_agreeing(earlier, last)
                if agreeing > length:
                    length, found = agreeing, earlier
                if length == MAX_MATCH:
                    break
            earlier = previous[earlier]
        return Match(length, found + 1)

    def _num_agreeing(self, earlier: int, last: int) -> int:
        text, limit = self._text_view, min(MAX_MATCH, earlier + 1)
        # In a long copy all tokens agree, which one comparison shows.
        if self._text[earlier + 1 - limit : earlier + 1].tobytes() == self._text[last + 1 - limit : last + 1].tobytes():
            return limit
        length = 4
        while length < limit and text[earlier - length] == text[last - length]:
            length += 1
        return length

    def _index_each(self, start: int, end: int) -> None:
        text, pair_at, latest_pair = self._text_view, self._pair_at_view, self._latest_pair_view
        names, triples, fours = self._pair_names, self._latest_triple.recent, self._latest_four
        looked_up, known_token, known_pair, known_four = self._known
        for position in range(start, end):
            is_known = position == looked_up
            token = text[position]
            before = known_token if is_known else self._latest_token.get(token)
            self._previous_token_view[position] = -1 if before is None else before
            self._latest_token.recent[token] = position
            if position < 1:
                continue
            key = text[position - 1] << 31 | token
            # If a token is new, so is the pair, and then the four.
            pair = known_pair if is_known else None if before is None else names.get(key)
            is_new = pair is None
            if pair is None:
                names.recent[key] = pair = position
                latest_pair[pair] = -1
            pair_at[position] = pair
            self._previous_pair_view[position] = latest_pair[pair]
            latest_pair[pair] = position
            if position < 2:
                continue
            triples[pair_at[position - 1] << 31 | token] = position
            if position < 3:
                continue
            key = pair_at[position - 2] << 31 | pair
            before = known_four if is_known else None if is_new else fours.get(key)
            self._previous_four_view[position] = -1 if before is None else before
            fours.recent[key] = position

    def _index_anew(self, end: int) -> None:
        """Index all positions before `end`, vectorised. At least a fifth of them are new, so this is not a rescan."""
        text = self._text[:end].astype(np.int64)
        keys, positions, begins = grouped(text, 0)
        self._latest_token = Positions(*latest(keys, positions, begins))
        self._previous_token[positions] = _before(positions, begins)

        keys, positions, begins = grouped(text[:-1] << 31 | text[1:], 1)
        names = positions[begins]
        self._pair_names = Positions(keys[begins], names)
        self._pair_at[positions] = names[np.cumsum(begins) - 1]
        self._latest_pair[names] = latest(keys, positions, begins)[1]
        self._previous_pair[positions] = _before(positions, begins)

        pair_at = self._pair_at[:end].astype(np.int64)
        self._latest_triple = Positions(*latest(*grouped(pair_at[1:-1] << 31 | text[2:], 2)))

        keys, positions, begins = grouped(pair_at[1:-2] << 31 | pair_at[3:], 3)
        self._latest_four = Positions(*latest(keys, positions, begins))
        self._previous_four[positions] = _before(positions, begins)

    def _reserve(self, capacity: int) -> None:
        columns = np.full((6, capacity), -1, np.int32)
        columns[:, : self._size] = self._columns[:, : self._size]
        self._columns = columns
        rows: list[TokenArray] = list(columns)
        self._text, self._pair_at, self._latest_pair = rows[:3]
        self._previous_token, self._previous_pair, self._previous_four = rows[3:]
        views: list[memoryview[int]] = [row.data for row in rows]
        self._text_view, self._pair_at_view, self._latest_pair_view = views[:3]
        self._previous_token_view, self._previous_pair_view, self._previous_four_view = views[3:]


def _before(positions: TokenArray, begins: npt.NDArray[np.bool_]) -> TokenArray:
    """For each of the positions from `grouped`: the previous one with the same key, or -1."""
    before = np.roll(positions, 1)
    before[begins] = -1
    return before
