"""Incremental text from tokens: complete characters only, which together are the text of all tokens."""

from collections.abc import Sequence
from typing import Any

REPLACEMENT = "\ufffd"
"""Written by decoders for bytes that are not, or not yet, a character."""

MOST_HELD = 32
"""Tokens that are held without a complete character before it is checked which of their text cannot change any more."""

KEPT = 8
"""Tokens at the end that are always decoded together with what follows them."""

MOST_IN_CHARACTER = 4
"""Tokens, or bytes, of the longest character."""


def text_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of all `tokens`, without special ones: the result of `tokenizer.decode` for a complete answer."""
    text: str = tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


class Detokenizer:
    """Decodes the tokens of one answer piece by piece.

    A piece is the difference of two decodings that begin at the same earlier token. So what a decoder does at the
    beginning of a text (drop a blank, join a word) happens in both. The idea is from text-generation-inference.
    """

    def __init__(self, tokenizer: Any) -> None:
        """tokenizer: a tokenizer of transformers."""
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start, self._end = 0, 0  # the tokens that were decoded last

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that `tokens` complete; text whose last character may be incomplete is held back."""
        self._tokens += tokens
        return self._piece(is_last=False)

    def finish(self) -> str:
        """The rest of the text; bytes that never became a character are replaced."""
        return self._piece(is_last=True)

    def _piece(self, *, is_last: bool) -> str:
        before = text_of(self._tokenizer, self._tokens[self._start : self._end])
        now = text_of(self._tokenizer, self._tokens[self._start :])
        if is_last or (len(now) > len(before) and not now.endswith(REPLACEMENT)):
            self._start, self._end = self._end, len(self._tokens)
            return now[len(before) :]
        return self._settled(before, now) if len(self._tokens) >= self._end + MOST_HELD else ""

    def _settled(self, before: str, now: str) -> str:
        """The held text that cannot change any more: an answer may consist of incomplete characters only.

        Without this, each further token would decode all of them again. The text is cut where both sides decode to the
        same text alone as together, so no character spans the cut. An empty text after the cut proves nothing.
        """
        last = len(self._tokens) - KEPT
        for cut in range(last, last - MOST_IN_CHARACTER, -1):
            head = text_of(self._tokenizer, self._tokens[self._start : cut])
            tail = text_of(self._tokenizer, self._tokens[cut:])
            if head + tail == now and (tail or not head.endswith(REPLACEMENT)):
                self._start = self._end = cut
                return head[len(before) :]
        return ""
