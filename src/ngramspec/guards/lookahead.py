"""`Lookahead`: tokens tried out on a matcher."""

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards.types import BackendError, is_set, num_words

if TYPE_CHECKING:
    from ngramspec.guards.matcher import Matcher

T = TypeVar("T")


class Lookahead:
    """Tokens tried out on a matcher: they are pushed, and all are undone when the `with` block ends.

    `push` checks the bytes of a token, which is cheap. The bitmask, which `allowed` reads and the target obeys, may be
    stricter: llguidance masks all but the usual tokenisation of a forced text. So a token may pass `push` and not be
    `allowed`; in a draft it is merely rejected.
    """

    def __init__(self, matcher: "Matcher") -> None:
        self._matcher = matcher
        self._pushed: list[int] = []
        self._is_over = False

    def push(self, token: int) -> bool:
        """Advance by `token` if the grammar allows its bytes; returns whether it does."""
        self._check()
        try:
            accepted = self._matcher._step(token)
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return False
        if accepted:
            self._pushed.append(token)
        return accepted

    def push_all(self, tokens: list[int]) -> int:
        """Advance by the longest head of `tokens` whose bytes the grammar allows; returns its length.

        Costs a third of as many calls of `push`.
        """
        self._check()
        try:
            num_pushed = self._matcher._steps(tokens)
        except BackendError:  # some of them may have been pushed before it failed
            self._matcher._rebuild(self._pushed)
            return sum(1 for _ in takewhile(self.push, tokens))
        self._pushed += tokens[:num_pushed]
        return num_pushed

    def pop(self, num_tokens: int = 1) -> None:
        """Undo the last `num_tokens` pushes."""
        self._check()
        kept = len(self._pushed) - num_tokens
        popped, self._pushed = self._pushed[kept:], self._pushed[:kept]
        self._matcher._undo(popped, self._pushed)

    @property
    def num_guarded(self) -> int | None:
        """As `Matcher.num_guarded`."""
        self._check()
        return self._matcher.num_guarded

    def allowed(self, token: int) -> bool:
        """Whether the bitmask allows `token` here; costs as much as a row of `Matcher.fill`."""

        def ask() -> bool:
            row = np.zeros(num_words(len(self._matcher.vocabulary)), np.int32)
            self._matcher._fill_row(row)
            return 0 <= token < len(self._matcher.vocabulary) and is_set(row, token)

        return self._asked(ask, otherwise=False)

    def accepting(self) -> bool:
        """Whether the text is complete after the pushed tokens; False if the backend cannot tell."""
        return self._asked(lambda: self._matcher.ended or self._matcher._accepting(), otherwise=False)

    def forced(self) -> bytes:
        """Bytes that must come next; empty if there is a choice, the row may end, or the backend cannot tell."""
        matcher = self._matcher
        return self._asked(lambda: b"" if matcher.ended or matcher._accepting() else matcher._forced(), otherwise=b"")

    def _asked(self, ask: Callable[[], T], otherwise: T) -> T:
        """The backend's answer; `otherwise` if it fails, after which it is restarted."""
        self._check()
        try:
            return ask()
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return otherwise

    def _check(self) -> None:
        if self._is_over:
            raise GuardError("a lookahead serves inside its `with` block, got a call after it: open another one")

    def _end(self) -> None:
        self._is_over = True
        self._matcher._undo(self._pushed)
