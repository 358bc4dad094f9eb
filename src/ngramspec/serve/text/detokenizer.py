"""Text from tokens, as they come: only complete characters, and together the text of all tokens."""

from collections.abc import Sequence
from typing import Any

REPLACEMENT = "\ufffd"
"""What a decoder writes for bytes that are not, or not yet, a character."""


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
        if not is_last and (len(now) <= len(before) or now.endswith(REPLACEMENT)):
            return ""
        self._start, self._end = self._end, len(self._tokens)
        return now[len(before) :]
