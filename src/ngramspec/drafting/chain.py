"""A draft in the making: where each source is, behind what has been drafted so far."""

from collections.abc import Sequence

from ngramspec.drafting.copies import Copy
from ngramspec.drafting.history import SEPARATOR
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.survival import NO_STATE, Four, state

_TAIL = 32
"""Matches are looked up to this length, and grow as they are copied."""

_SURE = 16
"""While so many tokens agree, a copy in progress is a match like any other, neither looked up nor weighed twice."""


class Chain:
    """Two matches, of the row's text with itself and of its answer with the history, and two copies in progress.

    drafted: the tokens so far.
    """

    __slots__ = (
        "_answer",
        "_history",
        "_index",
        "_own",
        "_own_copy",
        "_own_length",
        "_past",
        "_past_copy",
        "_past_length",
        "_past_size",
        "_past_text",
        "_size",
        "_tail",
        "_text",
        "drafted",
    )

    def __init__(self, index: SuffixIndex, history: SuffixIndex, answer: Sequence[int], own: Copy, past: Copy) -> None:
        """Begin behind the text of `index`, and `answer`, its part that the history is searched for.

        own, past: the copies in progress, which a longer match takes over.
        """
        self.drafted: list[int] = []
        self._index, self._history = index, history
        # The history may grow meanwhile: its size first, for a text that is read later has room for as many tokens.
        self._size, self._past_size = len(index), len(history)
        self._text, self._past_text = index.tokens, history.tokens
        self._tail: list[int] = index.text[-_TAIL:].tolist()
        self._answer = list(answer[-_TAIL:])
        self._own, self._own_length = _begin(own, index, self._tail)
        self._past, self._past_length = _begin(past, history, self._answer)
        self._own_copy = Copy(own.start, own.length, own.misses)
        self._past_copy = Copy(past.start, past.length, past.misses)

    @property
    def match_length(self) -> int:
        """Tokens of the longer match, drafted ones included."""
        return max(self._own_length, self._past_length)

    def offers(self) -> tuple[Four, Four]:
        """What each source would copy next, -1 for nothing, and the state of its match."""
        own = past = own_copy = past_copy = -1
        own_state = past_state = own_copy_state = past_copy_state = NO_STATE
        length, start = self._own_length, self._own
        if length:
            if start < self._size:
                own = self._text[start]
                own_state = state(length, self._index.agreement(start, length))
            else:  # the copy has reached what was drafted, and goes on with it: a period
                own = self.drafted[start - self._size]
                own_state = state(length, 0)
        length, start = self._past_length, self._past
        if length and start < self._past_size and self._past_text[start] != SEPARATOR:
            past = self._past_text[start]
            past_state = state(length, self._history.agreement(start, length))
        if self._own_length < _SURE and self._past_length < _SURE:
            copy = self._own_copy
            if 0 <= copy.start < self._size:
                own_copy = self._text[copy.start]
                own_copy_state = state(copy.length, min(copy.misses, 3))
            copy = self._past_copy
            if 0 <= copy.start < self._past_size and self._past_text[copy.start] != SEPARATOR:
                past_copy = self._past_text[copy.start]
                past_copy_state = state(copy.length, min(copy.misses, 3))
        return (own, past, own_copy, past_copy), (own_state, past_state, own_copy_state, past_copy_state)

    def follow(self, token: int, offered: Four) -> None:
        """Draft `token`; a match that offered another one is looked up anew."""
        self.drafted.append(token)
        self._tail.append(token)
        self._answer.append(token)
        own, past, _, _ = offered
        if own == token:
            self._own += 1
            self._own_length += 1
        elif own >= 0:
            self._own_length, self._own = self._index.find(self._tail)
        if past == token:
            self._past += 1
            self._past_length += 1
        elif past >= 0:
            self._past_length, self._past = self._history.find(self._answer)
        if self._own_length < _SURE and self._past_length < _SURE:
            self._own_copy.advance(token, self._text, self._size)
            self._past_copy.advance(token, self._past_text, self._past_size)


def _begin(copy: Copy, index: SuffixIndex, tail: list[int]) -> tuple[int, int]:
    if copy.start >= 0 and copy.length >= _SURE:
        return copy.start, copy.length
    match = index.find(tail)
    copy.anchor(match)
    return match.start, match.length
