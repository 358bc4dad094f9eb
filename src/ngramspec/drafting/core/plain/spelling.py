"""Finds text that is the same in other tokens: where was the end of this text spelled before?

A prompt's ` foo` and an output's `"foo` share no token, but their last bytes. Texts are compared only at the ends of
tokens: what follows there is already tokenised, so no tokenizer is needed. Occurrences are found as in zlib's deflate
(Gailly and Adler 1995).
"""

from array import array
from collections.abc import Sequence

from ngramspec.drafting.core.plain.suffix_index import NO_MATCH, Match, SuffixIndex
from ngramspec.errors import shortened

LEAST_BYTES = 3
"""Shortest match, in bytes."""

MAX_BYTES = 32
"""Agreement is counted up to this many bytes; the latest of the occurrences that agree in as many wins."""

MAX_SPELLED = 8
"""Most occurrences that are compared, the latest ones of the last LEAST_BYTES bytes."""


def checked_vocabulary(vocabulary: Sequence[bytes]) -> Sequence[bytes]:
    """`vocabulary`; raises TypeError unless it is a sequence of bytes."""
    if not isinstance(vocabulary, Sequence) or not all(isinstance(token, bytes) for token in vocabulary):
        raise TypeError(
            f"vocabulary must be the bytes of each token, got {shortened(vocabulary)}:"
            " give `Vocabulary.of(tokenizer).tokens`"
        )
    return vocabulary


class TokenBytes:
    """A vocabulary in the form that rows take.

    tokens: the bytes of each token.
    """

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Raises TypeError unless `vocabulary` is a sequence of bytes."""
        self.tokens = checked_vocabulary(vocabulary)


class SpelledIndex:
    """The positions of a growing text where it was spelled like its end.

    It reads new text only at a lookup: a row whose tokens match pays nothing for it. If more than MAX_SPELLED
    occurrences share their last bytes, the latest are compared. A token takes 8 bytes besides its text, and each
    distinct three bytes at the end of a token take an entry in a dictionary.
    """

    def __init__(self, index: SuffixIndex, vocabulary: Sequence[bytes]) -> None:
        """Read the text of `index`; vocabulary: the bytes of each token; ids beyond it have none."""
        self._index, self._vocabulary = index, vocabulary
        self._text = bytearray(MAX_BYTES)  # padding, so that no comparison must check for the beginning
        # For each token: where it begins, and the previous token after the same LEAST_BYTES bytes, or -1.
        self._begins = array("i")
        self._previous = array("i")
        self._latest: dict[int, int] = {}

    def find(self) -> Match:
        """The latest position that is spelled like the end over the most bytes; length: that number of bytes."""
        self._read()
        text, begins, previous = self._text, self._begins, self._previous
        end = len(text)
        position = self._latest.get(text[end - 1] | text[end - 2] << 8 | text[end - 3] << 16, -1)
        if position < 0:
            return NO_MATCH
        tail = int.from_bytes(text[end - MAX_BYTES :], "big")
        length, found = LEAST_BYTES - 1, position
        for _ in range(MAX_SPELLED):
            if position < 0 or length == MAX_BYTES:
                break
            begin = begins[position]
            # Only an occurrence that also agrees just before the best agreement can beat it.
            if text[begin - 1 - length] == text[end - 1 - length]:
                differing = tail ^ int.from_bytes(text[begin - MAX_BYTES : begin], "big")
                agreeing = (differing & -differing).bit_length() - 1 >> 3 if differing else MAX_BYTES
                if agreeing > length:
                    length, found = agreeing, position
            position = previous[position]
        return Match(length, found)

    def _read(self) -> None:
        vocabulary, text = self._vocabulary, self._text
        begins, previous, latest = self._begins, self._previous, self._latest
        position, size = len(begins), len(vocabulary)
        for token in self._index.read(position, len(self._index)).tolist():
            end = len(text)
            key = text[end - 1] | text[end - 2] << 8 | text[end - 3] << 16
            begins.append(end)
            previous.append(latest.get(key, -1))
            latest[key] = position
            position += 1
            text += vocabulary[token] if token < size else b""
