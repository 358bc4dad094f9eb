"""The texts that accepted draft tokens may have been drafted from."""

from collections.abc import Sequence

import numpy as np

from ngramspec.serve.wire.drafts import Origin

LONGEST = 8
"""Tokens before a drafted one that are compared."""

MOST = 64
"""Only the last occurrences of a pair of tokens are compared: a prompt may be one pair, repeated."""


class OriginText:
    """Tokens in which drafted ones are looked up by the one before them.

    There is no index: few requests ask for origins, and one scan of a prompt of a hundred thousand tokens takes a few
    tenths of a millisecond.
    """

    def __init__(self, name: Origin, tokens: Sequence[int]) -> None:
        self.name = name
        self._tokens, self._length = np.array(tokens, np.int32), len(tokens)

    def append(self, token: int) -> None:
        """Add a token at the end."""
        if self._length == len(self._tokens):
            self._tokens = np.resize(self._tokens, 2 * self._length + 1)
        self._tokens[self._length] = token
        self._length += 1

    def longest(self, context: Sequence[int], token: int) -> int:
        """The most tokens at the end of `context` that come before `token` here."""
        tokens = self._tokens[: self._length]
        is_here = (tokens[1:] == token) & (tokens[:-1] == context[-1])
        return max((self._common(context, end) for end in (np.flatnonzero(is_here)[-MOST:] + 1).tolist()), default=0)

    def _common(self, context: Sequence[int], end: int) -> int:
        length = 0
        while length < min(len(context), end) and context[-1 - length] == self._tokens[end - 1 - length]:
            length += 1
        return length


def texts_of(prompt: Sequence[int], prediction: Sequence[int] | None) -> list[OriginText]:
    """The texts that all answers to a prompt may be drafted from."""
    return [OriginText("prediction", prediction or ()), OriginText("prompt", prompt)]


class Origins:
    """Finds the text in which a drafted token follows the same tokens as in the answer.

    A drafter does not report what it drafted from, so that is found afterwards: the text with the longest common
    context, of at least one token. A token found in none of them comes from earlier answers or was forced by the form.
    """

    def __init__(self, texts: Sequence[OriginText], prompt: Sequence[int], *, has_form: bool) -> None:
        """texts: from `texts_of`, shared by all answers and not changed. has_form: whether the answer is guarded."""
        self._context = list(prompt[-LONGEST:])
        self._answer = OriginText("answer", prompt[-1:])
        self._texts = [*texts, self._answer]
        self._elsewhere: Origin = "form or history" if has_form else "history"

    def read(self, tokens: Sequence[int], num_accepted: int) -> list[Origin | None]:
        """Origins of the answer's next tokens. The first `num_accepted` were drafted; None for the others."""
        found: list[Origin | None] = []
        for number, token in enumerate(tokens):
            found.append(self._of(token) if number < num_accepted else None)
            self._answer.append(token)
            self._context = [*self._context, token][-LONGEST:]
        return found

    def _of(self, token: int) -> Origin:
        lengths = [text.longest(self._context, token) for text in self._texts]
        best = max(lengths)
        return self._texts[lengths.index(best)].name if best else self._elsewhere
