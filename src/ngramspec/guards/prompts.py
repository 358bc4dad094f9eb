"""What a prompt has begun: the text after its last marker, as a guard would have read it from a model.

A chat template may close the reasoning in the prompt, or open a call there. What follows such a marker is the head of
the answer if, and only if, a guarded text can begin with it. Earlier turns and examples cannot be taken for it: a
special token ends each of them, and none is text to a guard. Nobody has to know the template.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ngramspec.guards.reading import NO_UTF8
from ngramspec.guards.vocabulary import Vocabulary

BLANKS = b" \t\r\n"
"""Templates put them after a marker; where a guarded text cannot begin with them, they are no part of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """The end of a prompt: the bytes of half a token, and the tokens after them."""

    vocabulary: Vocabulary
    head: bytes
    tokens: tuple[int, ...]

    @property
    def text(self) -> bytes:
        """Its bytes; names of special tokens are text here."""
        return self.head + b"".join(self.bytes_of(token) for token in self.tokens)

    def bytes_of(self, token: int) -> bytes:
        """The bytes of a token; what the vocabulary does not know is no text."""
        return self.vocabulary.tokens[token] if 0 <= token < len(self.vocabulary) else NO_UTF8

    def is_special(self, token: int) -> bool:
        """Whether a token is no text."""
        return token in self.vocabulary.special or not 0 <= token < len(self.vocabulary)

    def after_last(self, marker: bytes) -> "Part | None":
        """What comes after the last `marker`; None where there is none."""
        text = self.text
        place = text.rfind(marker)
        return None if place < 0 else self._last(len(text) - place - len(marker))

    def without_blanks(self) -> "Part":
        """The same without blanks at its beginning."""
        text = self.text
        return self._last(len(text.lstrip(BLANKS)))

    def has_turns(self, markers: Iterable[bytes]) -> bool:
        """Whether it holds special tokens, those aside that are part of one of `markers`."""
        names = {self.bytes_of(token) for token in self.tokens if self.is_special(token)}
        return any(all(name not in marker for marker in markers) for name in names)

    def _last(self, num_bytes: int) -> "Part":
        """The last `num_bytes` bytes of it."""
        first = len(self.tokens)
        while first and num_bytes >= (size := len(self.bytes_of(self.tokens[first - 1]))):
            first, num_bytes = first - 1, num_bytes - size
        if not num_bytes:
            return Part(self.vocabulary, b"", self.tokens[first:])
        cut = self.bytes_of(self.tokens[first - 1]) if first else self.head
        return Part(self.vocabulary, cut[-num_bytes:], self.tokens[first:])


def end_of(prompt: Sequence[int], vocabulary: Vocabulary, ends: Collection[int], markers: Iterable[bytes]) -> Part:
    """A prompt without the tokens that fill it up at its end: of those that `ends` and the vocabulary name.

    What is part of one of `markers` stays.
    """
    whole = Part(vocabulary, b"", tuple(int(token) for token in prompt))
    padding = {*ends, *vocabulary.eos_tokens, *vocabulary.padding}
    stays = {token for token in padding if any(whole.bytes_of(token) in marker for marker in markers)}
    length = len(whole.tokens)
    while length and whole.tokens[length - 1] in padding - stays:
        length -= 1
    return Part(vocabulary, b"", whole.tokens[:length])
