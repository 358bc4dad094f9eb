"""`Lookahead`: a matcher on trial."""

from typing import TYPE_CHECKING

import numpy as np

from ngramspec.errors import GuardError
from ngramspec.guards.types import BackendError, is_set, num_words

if TYPE_CHECKING:
    from ngramspec.guards.matcher import Matcher


class Lookahead:
    """A matcher on trial: tokens are pushed, and all are taken back when the `with` block ends.

    `push` asks whether the bytes of a token may come, which is cheap. The bitmask, which `allowed` reads and the target
    obeys, may be stricter: llguidance masks all but the usual tokenisation of a text that must come. So a token may
    pass `push` and not be `allowed`; in a draft it is merely rejected.
    """

    def __init__(self, matcher: "Matcher") -> None:
        self._matcher = matcher
        self._pushed: list[int] = []
        self._is_over = False

    def push(self, token: int) -> bool:
        """Go on with `token` where the grammar allows its bytes; returns whether it does."""
        self._check()
        try:
            accepted = self._matcher._step(token)
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return False
        if accepted:
            self._pushed.append(token)
        return accepted

    def pop(self) -> None:
        """Take the last push back."""
        self._check()
        self._pushed.pop()
        if self._matcher.ended:
            self._matcher.ended = False
            return
        try:
            self._matcher._pop(1)
        except BackendError:
            self._matcher._rebuild(self._pushed)

    @property
    def num_guarded(self) -> int | None:
        """As `Matcher.num_guarded`."""
        self._check()
        return self._matcher.num_guarded

    def allowed(self, token: int) -> bool:
        """Whether the bitmask allows `token` here; as dear as a row of `Matcher.fill`."""
        self._check()
        row = np.zeros(num_words(len(self._matcher.vocabulary)), np.int32)
        try:
            self._matcher._fill_row(row)
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return False
        return 0 <= token < len(self._matcher.vocabulary) and is_set(row, token)

    def accepting(self) -> bool:
        """Whether the text is whole behind what was pushed; False where nobody can say."""
        self._check()
        try:
            return self._matcher.ended or self._matcher._accepting()
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return False

    def forced(self) -> bytes:
        """Bytes that must come next; empty where there is a choice, or the row may end, or nobody can say."""
        self._check()
        try:
            return b"" if self._matcher.ended or self._matcher._accepting() else self._matcher._forced()
        except BackendError:
            self._matcher._rebuild(self._pushed)
            return b""

    def _check(self) -> None:
        if self._is_over:
            raise GuardError("a lookahead serves inside its `with` block, got a call behind it: open another one")

    def _end(self) -> None:
        self._is_over = True
        self._matcher._undo(self._pushed)
