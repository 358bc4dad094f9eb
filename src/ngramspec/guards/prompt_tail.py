"""The part of an answer that is in the prompt: the text after its last marker, read as if the model had written it.

A chat template may close the reasoning in the prompt, or open a call there. The text after that marker is the head of
the answer if and only if a guarded text can begin with it. Earlier turns and examples are not mistaken for it, because
a special token ends each of them. No template has to be known.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from ngramspec.guards.vocabulary import Vocabulary

BLANKS = b" \t\r\n"
"""Templates put these after a marker; they are skipped if a guarded text cannot begin with them."""


@dataclass(frozen=True)
class PromptTail:
    """The end of a prompt: the bytes of half a token, and tokens of the vocabulary after them."""

    vocabulary: Vocabulary
    head: bytes
    tokens: tuple[int, ...]

    @cached_property
    def text(self) -> bytes:
        """Its bytes; names of special tokens are text here."""
        return self.head + b"".join(map(self.vocabulary.tokens.__getitem__, self.tokens))

    def after_last(self, marker: bytes) -> "PromptTail | None":
        """The part after the last `marker`; None if there is no marker."""
        text = self.text
        start = text.rfind(marker)
        return None if start < 0 else self._last(len(text) - start - len(marker))

    def without_blanks(self) -> "PromptTail":
        """The same without leading blanks."""
        text = self.text
        return self._last(len(text.lstrip(BLANKS)))

    def _last(self, num_bytes: int) -> "PromptTail":
        """The last `num_bytes` bytes of it."""
        first = len(self.tokens)
        while first and num_bytes >= (size := len(self.vocabulary.tokens[self.tokens[first - 1]])):
            first, num_bytes = first - 1, num_bytes - size
        if not num_bytes:
            return PromptTail(self.vocabulary, b"", self.tokens[first:])
        cut = self.vocabulary.tokens[self.tokens[first - 1]] if first else self.head
        return PromptTail(self.vocabulary, cut[-num_bytes:], self.tokens[first:])


def last_turn(prompt: Sequence[int], vocabulary: Vocabulary, padding: Set[int], within: Set[int]) -> PromptTail:
    """The part of a prompt after its last special token, other than those of `within`, which belong to markers.

    padding: tokens that are dropped from the prompt's end.
    """
    tokens = tuple(map(int, prompt))
    stop = len(tokens)
    while stop and tokens[stop - 1] in padding and tokens[stop - 1] not in within:
        stop -= 1
    start, special, size = stop, vocabulary.special, len(vocabulary)
    while start and ((token := tokens[start - 1]) in within or (token not in special and 0 <= token < size)):
        start -= 1
    return PromptTail(vocabulary, b"", tokens[start:stop])
