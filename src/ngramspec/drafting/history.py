"""What earlier requests of a segment answered: one text, bounded, and forgotten from its old end."""

import threading

import numpy as np

from ngramspec.drafting.sketch import Sketches
from ngramspec.drafting.suffix_index import SuffixIndex
from ngramspec.drafting.types import TokenArray

SEPARATOR = np.iinfo(np.int32).max
"""Stands before each answer. No vocabulary has this id, so it is never drafted, but that an answer begins is known."""

MAX_TOKENS = 1 << 18
"""A segment's history holds at most this many tokens, the latest; once full it lets go of its older half."""


class History:
    """The answers of one segment, in the order in which their rows ended.

    index: the text, each answer behind a SEPARATOR. When the history is full, a new index takes its place: rows in
        progress keep the one that they began with.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        """Begin with nothing."""
        self.index = SuffixIndex()
        self._max_tokens = max_tokens
        self._sketches = Sketches()
        self._lock = threading.Lock()

    def add(self, prompt: TokenArray, answer: TokenArray) -> None:
        """Keep `answer` `int32[n]`; the prompt is not kept, only a sketch of it."""
        if not answer.size:
            return
        answer = answer[-self._max_tokens // 2 :]
        with self._lock:
            if len(self.index) + answer.size + 1 > self._max_tokens:
                self._forget_older_half()
            start = len(self.index) + 1
            self.index.extend(np.concatenate((np.array([SEPARATOR], np.int32), answer)))
            self._sketches.add(prompt, start)

    def similar(self, prompt: TokenArray) -> int:
        """Where the answer begins whose prompt is most like this one; -1 where none is like it."""
        with self._lock:
            return self._sketches.most_similar(prompt)

    def _forget_older_half(self) -> None:
        text = self.index.text
        cut = text.size - self._max_tokens // 2
        cut += int(np.argmax(text[cut:] == SEPARATOR))  # an answer is kept whole or not at all
        self.index = SuffixIndex()
        self.index.extend(text[cut:].copy())
        self._sketches.forget(cut)
