"""Text from tokens, as they come: only complete characters, and together the text of all tokens."""

from collections.abc import Sequence
from typing import Any

REPLACEMENT = "\ufffd"
"""What a decoder writes for bytes that are not, or not yet, a character."""

MOST_HELD = 32
"""Tokens that complete no character, after which it is seen what of them cannot change any more."""

KEPT = 8
"""Tokens at the end that are decoded together with what follows them, in any case."""

MOST_IN_CHARACTER = 4
"""Tokens, or bytes, of the longest character."""


def text_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of all `tokens`, without special ones: what `tokenizer.decode` says of a whole answer."""
    text: str = tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


class Detokenizer:
    """Decodes the tokens of one answer piece by piece.

    A piece is the difference of two decodings that begin at the same earlier token, so that what a decoder does at the
    beginning of a text (drop a blank, join a word) happens in both. The idea is that of text-generation-inference.
    """

    def __init__(self, tokenizer: Any) -> None:
        """tokenizer: a tokenizer of transformers."""
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start, self._end = 0, 0  # of the tokens that were decoded last

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that `tokens` complete; text whose last character may go on is kept back."""
        self._tokens += tokens
        return self._piece(is_last=False)

    def finish(self) -> str:
        """What is left: bytes that never became a character are replaced."""
        return self._piece(is_last=True)

    def _piece(self, *, is_last: bool) -> str:
        before = text_of(self._tokenizer, self._tokens[self._start : self._end])
        now = text_of(self._tokenizer, self._tokens[self._start :])
        if is_last or (len(now) > len(before) and not now.endswith(REPLACEMENT)):
            self._start, self._end = self._end, len(self._tokens)
            return now[len(before) :]
        return self._settled(before, now) if len(self._tokens) >= self._end + MOST_HELD else ""

    def _settled(self, before: str, now: str) -> str:
        """What of the text that is held cannot change: an answer may have no other characters than half ones.

        Without this, all of its tokens would be decoded again with each further one. The text is cut where its two
        sides are decoded alone as they are together, so no character goes across. No text after the cut proves nothing.
        """
        last = len(self._tokens) - KEPT
        for cut in range(last, last - MOST_IN_CHARACTER, -1):
            head = text_of(self._tokenizer, self._tokens[self._start : cut])
            tail = text_of(self._tokenizer, self._tokens[cut:])
            if head + tail == now and (tail or not head.endswith(REPLACEMENT)):
                self._start = self._end = cut
                return head[len(before) :]
        return ""
