"""Markers in a text of tokens: progress within one, and the tokens that could complete one."""

from bisect import bisect_left
from collections.abc import Collection, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ngramspec.guards.types import BitmaskArray, num_words, set_bits
from ngramspec.guards.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]


class Marker:
    """A string to wait for, of at least one byte. Progress is the length of its head with which the text ends.

    This is the automaton of Knuth, Morris and Pratt (1977).
    """

    def __init__(self, text: bytes, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self._borders = _borders(text)

    def step(self, progress: int, byte: int) -> int:
        """Progress after one more byte; `len(text)` means that the marker is complete."""
        while progress and self.text[progress] != byte:
            progress = self._borders[progress]
        return progress + (self.text[progress] == byte)

    @cached_property
    def _inside(self) -> set[int]:
        """Tokens that contain the whole marker and something after it, wherever it begins."""
        return {token for token, text in enumerate(self.vocabulary.tokens) if text.find(self.text, 0, -1) >= 0}

    def progress_at(self, text: bytes) -> int:
        """Progress at the end of `text`, which does not contain the whole marker."""
        heads = (length for length in range(len(self.text) - 1, 0, -1) if text.endswith(self.text[:length]))
        return next(heads, 0)

    def next_token(self, progress: int, banned: Collection[int]) -> int:
        """The next token of the marker as the tokenizer tokenises it: special tokens by name, none of `banned`.

        An id beyond the vocabulary means that the marker cannot be spelled.
        """
        rest = self.text[progress:]
        names = {
            name: token
            for token in sorted(self.vocabulary.special - set(banned), reverse=True)
            if (name := self.vocabulary.tokens[token]) and name in rest
        }
        found = max((name for name in names if rest.startswith(name)), key=len, default=b"")
        if found:
            return names[found]
        return self.vocabulary.encode_bytes(rest[: min(map(rest.find, names), default=len(rest))])[0]

    def crossing(self, progress: int) -> set[int]:
        """Tokens that may complete the marker and continue after it; a superset of those that do."""
        found = set(self._inside)
        while True:
            rest = self.text[progress:]
            found.update(token for text, token in starting_with(self.vocabulary, rest) if len(text) > len(rest))
            if not progress:
                return found
            progress = self._borders[progress]


class EndMarker:
    """A string that may come wherever the text that it ends is complete."""

    def __init__(self, text: bytes, start: Marker, vocabulary: Vocabulary) -> None:
        """start: the marker that begins the next guarded text."""
        self.text = text
        self.start = start
        self.vocabulary = vocabulary
        self._inside: dict[int, Ids] = {}
        self._crossing: dict[int, tuple[Ids, list[int]]] = {}

    def inside(self, progress: int) -> Ids:
        """Tokens `int64[n]` that continue the marker, at most to its end."""
        if progress not in self._inside:
            self._inside[progress] = np.array(sorted(heads_of(self.vocabulary, self.text[progress:])), np.int64)
        return self._inside[progress]

    def crossing(self, progress: int) -> tuple[Ids, list[int]]:
        """Tokens that complete the marker and continue after it: in free text, or possibly in a next start marker."""
        if progress not in self._crossing:
            rest = self.text[progress:]
            found = [(text, token) for text, token in starting_with(self.vocabulary, rest) if len(text) > len(rest)]
            free = [token for text, token in found if self.start.text not in text]
            entering = [token for text, token in found if self.start.text in text]
            self._crossing[progress] = np.array(free, np.int64), entering
        return self._crossing[progress]

    @cached_property
    def arriving(self) -> "HeadTree":
        """Tokens that begin with other text and may continue into the marker, by that other text."""
        root, first = HeadTree(), self.text[:1]
        for token, text in enumerate(self.vocabulary.tokens):
            start = text.find(first, 1)
            while start > 0 and token not in self.vocabulary.special:
                if self.text.startswith(text[start : start + len(self.text)]):
                    root.add(text[:start], token)
                start = text.find(first, start + 1)
        return root


class HeadTree:
    """A tree over the bytes that precede an end marker in some token."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.branches: dict[int, HeadTree] = {}

    def add(self, head: bytes, token: int) -> None:
        """Note that `token` begins with `head` and continues into the marker."""
        node = self
        for byte in head:
            node = node.branches.setdefault(byte, HeadTree())
        node.tokens.append(token)


def starting_with(vocabulary: Vocabulary, head: bytes) -> Iterator[tuple[bytes, int]]:
    """The tokens whose bytes begin with `head`, in order."""
    ordered = vocabulary.ordered
    for index in range(bisect_left(ordered, (head, -1)), len(ordered)):
        if not ordered[index][0].startswith(head):
            return
        yield ordered[index]


def equal_to(vocabulary: Vocabulary, text: bytes) -> Iterator[tuple[bytes, int]]:
    """The tokens whose bytes are `text`; there may be several."""
    for found, token in starting_with(vocabulary, text):
        if found != text:
            return
        yield found, token


def heads_of(vocabulary: Vocabulary, text: bytes) -> list[int]:
    """The tokens whose bytes are a head of `text`, or all of it."""
    heads = (text[:length] for length in range(1, len(text) + 1))
    return [token for head in heads for _, token in equal_to(vocabulary, head)]


def everything(vocabulary: Vocabulary) -> BitmaskArray:
    """The bitmask `int32[W]` that allows every token."""
    row = np.full(num_words(len(vocabulary)), -1, np.int32)
    extra = len(vocabulary) % 32
    if extra:
        set_bits(row, np.arange(len(vocabulary), row.size * 32), allowed=False)
    return row


def _borders(text: bytes) -> list[int]:
    """For each length of a head, the length of its longest proper head that is also its tail."""
    borders = [0, 0]
    length = 0
    for byte in text[1:]:
        while length and text[length] != byte:
            length = borders[length]
        length += text[length] == byte
        borders.append(length)
    return borders
