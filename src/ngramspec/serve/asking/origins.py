"""Where accepted draft tokens stand elsewhere: what they may have been drafted from."""

from collections import deque
from collections.abc import Iterable, Sequence

from ngramspec.serve.wire.drafts import Origin

LONGEST = 8
"""Tokens before a drafted one that are compared."""

MOST = 64
"""Positions of a pair of tokens that are compared, the last ones: a prompt may be one pair, repeated."""


class Origins:
    """Finds the text in which a drafted token stands after the same tokens as in the answer.

    A drafter does not say what it has drafted from, so this is found afterwards: the text with the longest common
    context, of at least one token. What stands in none of them comes from earlier answers or was forced by the form.
    """

    def __init__(self, prompt: Sequence[int], prediction: Sequence[int] | None, *, has_form: bool) -> None:
        """has_form: whether the answer is guarded."""
        self._answer = _Text("answer", prompt[-1:])
        self._texts = [_Text("prediction", prediction or ()), _Text("prompt", prompt), self._answer]
        self._context = list(prompt[-LONGEST:])
        self._elsewhere: Origin = "form or history" if has_form else "history"

    def read(self, tokens: Sequence[int], num_accepted: int) -> list[Origin | None]:
        """Of the answer's next tokens, the first `num_accepted` of which were drafted; None for the others."""
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


class _Text:
    """A text in which tokens are looked up by the one before them."""

    def __init__(self, name: Origin, tokens: Iterable[int]) -> None:
        self.name = name
        self._tokens: list[int] = []
        self._ends: dict[tuple[int, int], deque[int]] = {}
        for token in tokens:
            self.append(token)

    def append(self, token: int) -> None:
        if self._tokens:
            ends = self._ends.setdefault((self._tokens[-1], token), deque(maxlen=MOST))
            ends.append(len(self._tokens))
        self._tokens.append(token)

    def longest(self, context: Sequence[int], token: int) -> int:
        """The most tokens at the end of `context` that stand before `token` here."""
        ends = self._ends.get((context[-1], token), ()) if context else ()
        return max((self._common(context, end) for end in ends), default=0)

    def _common(self, context: Sequence[int], end: int) -> int:
        length = 0
        while length < min(len(context), end) and context[-1 - length] == self._tokens[end - 1 - length]:
            length += 1
        return length
