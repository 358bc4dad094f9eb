"""Text that is the same but cut into other tokens: where was the end of this text spelled before?

A prompt's ` foo` and an output's `"foo` share no token, but their last bytes. Compared is at the ends of tokens alone:
what follows there is cut as the earlier text was, which needs no tokenizer. Occurrences are found as zlib's deflate
finds them (Gailly and Adler 1995).
"""

from array import array
from collections.abc import Sequence

from ngramspec.drafting.core.plain.suffix_index import NO_MATCH, Match, SuffixIndex
from ngramspec.errors import shortened

LEAST_BYTES = 3
"""A match is of so many bytes at least."""

MAX_BYTES = 32
"""Agreement is counted up to so many bytes; the latest of those that agree in as many wins."""

MAX_SPELLED = 8
"""At most so many occurrences are compared, the latest ones of their last LEAST_BYTES bytes."""


def checked_vocabulary(vocabulary: Sequence[bytes]) -> Sequence[bytes]:
    """`vocabulary`; raises TypeError where it is no sequence of bytes."""
    if not isinstance(vocabulary, Sequence) or not all(isinstance(token, bytes) for token in vocabulary):
        raise TypeError(
            f"vocabulary must be the bytes of each token, got {shortened(vocabulary)}:"
            " give `Vocabulary.of(tokenizer).tokens`"
        )
    return vocabulary


class TokenBytes:
    """A vocabulary, as rows take it.

    tokens: the bytes of each token.
    """

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Raises TypeError unless `vocabulary` is a sequence of bytes."""
        self.tokens = checked_vocabulary(vocabulary)


class SpelledIndex:
    """The positions of a growing text where it was spelled as at its end.

    It reads what is new when it is asked: a row whose tokens match pays nothing for it. Where more than MAX_SPELLED
    share their last bytes, the latest are compared. A token takes 8 bytes beside those of its text, and each three
    bytes that end one an entry in a dictionary.
    """

    def __init__(self, index: SuffixIndex, vocabulary: Sequence[bytes]) -> None:
        """Read the text of `index`; vocabulary: the bytes of each token; an id beyond it has none."""
        self._index, self._vocabulary = index, vocabulary
        self._text = bytearray(MAX_BYTES)  # so nobody needs to look whether it begins there
        # Of each token: where it begins, and the one before it after the same LEAST_BYTES bytes, or -1.
        self._begins = array("i")
        self._previous = array("i")
        self._latest: dict[int, int] = {}

    def find(self) -> Match:
        """The latest of the positions spelled like the end over the most bytes; length: these bytes."""
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
            # Only one that also agrees just before the best agreement can beat it.
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
