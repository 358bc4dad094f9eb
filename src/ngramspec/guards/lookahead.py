"""`Lookahead`: tokens tried out on a matcher."""

from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards.types import BackendError, BitmaskArray, is_set, num_words

if TYPE_CHECKING:
    from ngramspec.guards.matcher import Matcher

T = TypeVar("T")

_MOST_PENDING = 32
"""Most pushed tokens that the matcher has not taken yet. They are checked again with each later one: checking 32 takes
llguidance as long as taking 3."""


class Lookahead:
    """Tokens tried out on a matcher: they are pushed, and all are undone when the `with` block ends.

    `push` checks the bytes of a token, which is cheap. The bitmask, which `allowed` reads and the target obeys, may be
    stricter: llguidance masks all but the usual tokenisation of a forced text. So a token may pass `push` and not be
    `allowed`; in a draft it is merely rejected.

    A backend may check tokens far faster than it takes them. So pushed tokens are first pending: checked, but taken
    only when a later question needs it. If the backend then meets a limit of its own, it cannot answer.
    """

    def __init__(self, matcher: "Matcher") -> None:
        self._matcher = matcher
        self._taken: list[int] = []
        self._pending: list[int] = []
        self._is_open = False

    def __enter__(self) -> Self:
        """Reserve the matcher. Not a `contextmanager`, which takes several times as long, in each pass of a row."""
        self._matcher._begin_turn()
        self._is_open = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Undo all pushes."""
        self._is_open = False
        try:
            self._matcher._undo(self._taken)
        except BaseException as found:
            self._matcher._end_turn(found)
            raise
        self._matcher._end_turn(error)

    def push(self, token: int) -> bool:
        """Advance by `token` if the grammar allows its bytes; returns whether it does."""
        return self.push_all([token]) == 1

    def push_all(self, tokens: list[int]) -> int:
        """Advance by the longest head of `tokens` whose bytes the grammar allows; returns its length."""
        self._check()
        matcher, pending = self._matcher, self._pending
        try:
            may_wait = matcher.checks_fast and len(pending) < _MOST_PENDING and not matcher.ended
            if may_wait and matcher._is_text(tokens):
                num_pushed = matcher._num_possible(pending, tokens)
                pending += tokens[:num_pushed]
            else:
                self._take()
                num_pushed = matcher._steps(tokens)
                self._taken += tokens[:num_pushed]
        except BackendError:  # some of them may have been taken before it failed
            self._restart()
            return sum(1 for _ in takewhile(self.push, tokens)) if len(tokens) > 1 else 0
        return num_pushed

    def pop(self, num_tokens: int = 1) -> None:
        """Undo the last `num_tokens` pushes."""
        self._check()
        num_pending = min(num_tokens, len(self._pending))
        del self._pending[len(self._pending) - num_pending :]
        if num_pending == num_tokens:
            return
        kept = len(self._taken) - (num_tokens - num_pending)
        popped, self._taken = self._taken[kept:], self._taken[:kept]
        self._matcher._undo(popped, self._taken)

    @property
    def num_guarded(self) -> int | None:
        """As `Matcher.num_guarded`."""
        self._check()
        return self._matcher.num_guarded  # constant where tokens may be pending: in matchers without markers

    def allowed(self, token: int) -> bool:
        """Whether the bitmask allows `token` here; costs as much as a row of `Matcher.fill`."""
        row = self.mask()
        return row is not None and 0 <= token < len(self._matcher.vocabulary) and is_set(row, token)

    def mask(self) -> BitmaskArray | None:
        """The bitmask here, `int32[W]`; None if the backend cannot tell."""

        def ask() -> BitmaskArray | None:
            self._take()
            row = np.zeros(num_words(len(self._matcher.vocabulary)), np.int32)
            self._matcher._fill_row(row)
            return row

        return self._asked(ask, otherwise=None)

    def accepting(self) -> bool:
        """Whether the text is complete after the pushed tokens; False if the backend cannot tell."""
        return self._asked(self._is_complete, otherwise=False)

    def forced(self) -> bytes:
        """Bytes that must come next; empty if there is a choice, the row may end, or the backend cannot tell."""

        def ask() -> bytes:
            if self._is_complete():
                return b""
            self._take()
            return self._matcher._forced()

        return self._asked(ask, otherwise=b"")

    def _is_complete(self) -> bool:
        return self._matcher.ended or self._matcher._accepts_after(self._pending)

    def _asked(self, ask: Callable[[], T], otherwise: T) -> T:
        """The backend's answer; `otherwise` if it fails, after which it is restarted."""
        self._check()
        try:
            return ask()
        except BackendError:
            self._restart()
            return otherwise

    def _take(self) -> None:
        """Let the matcher take the pending tokens."""
        if self._pending:
            num_taken = self._matcher._steps(self._pending)
            if num_taken < len(self._pending):
                raise BackendError(f"token {self._pending[num_taken]} refused, which had been allowed before")
            self._taken += self._pending
            self._pending = []

    def _restart(self) -> None:
        """Restore the backend to its state before the pending tokens, on which it may have failed."""
        self._matcher._rebuild(self._taken)

    def _check(self) -> None:
        if not self._is_open:
            raise GuardError(
                "a lookahead must be used inside its `with` block, got a call outside it: open another one"
            )
