"""The probable next tokens of a row's text."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ngramspec.foresight.kinds import Text
from ngramspec.foresight.run import Run, Spelling


class State(NamedTuple):
    """A row's text after a token. cursor: position in it, None while it is free. rest: bytes of a split character."""

    cursor: Any
    rest: bytes = b""


FREE = State(None)


class Foresight:
    """Follows one row's text, committed and drafted, and foresees what comes next."""

    def __init__(self, text: Text, vocabulary: Spelling, *, is_guarded: bool, begun: bytes = b"") -> None:
        """text: as `text_of` made it. is_guarded: from the beginning. begun: part of the text that is in the prompt."""
        self._text = text
        self._tokens, self._vocabulary = vocabulary.tokens, vocabulary
        self._committed = self._state = FREE
        if is_guarded:
            read, rest = whole(begun)
            self._committed = self._state = State(text.read(text.start(), read), rest)
        # Tokens pushed after `_state`. They are read only when needed: most drafts are as foreseen.
        self._unread: list[int] = []
        self._num_guarded: int | None = None
        self._run: Run | None = None  # foreseen after the pushed tokens

    def push(self, token: int, num_guarded: int | None) -> None:
        """Advance by `token`, until `rewind`.

        num_guarded: guarded bytes at the end of the text, or more if all of it is guarded; None: the text is free.
        """
        if self._run is not None and not self._run.follows(token):
            self._run = None
        self._unread.append(token)
        self._num_guarded = num_guarded

    def commit(self, tokens: Sequence[int], num_guarded: int | None) -> None:
        """Advance by committed `tokens`; num_guarded: as for `push`, after all of them."""
        self._committed = self._after(self._committed, tokens, num_guarded)
        self.rewind()

    def _after(self, state: State, tokens: Sequence[int], num_guarded: int | None) -> State:
        if num_guarded is None:
            return FREE
        cursor, rest = state
        text = b"".join([self._tokens[token] for token in tokens if 0 <= token < len(self._tokens)])
        if cursor is None or num_guarded < len(text):  # the guarded text began within these tokens
            cursor, rest, text = self._text.start(), b"", text[max(0, len(text) - num_guarded) :]
        read, rest = whole(rest + text)
        return State(self._text.read(cursor, read), rest)

    def rewind(self) -> None:
        """Undo all pushes."""
        self._state, self._unread, self._run = self._committed, [], None

    def _now(self) -> State:
        if self._unread:
            self._state = self._after(self._state, self._unread, self._num_guarded)
            self._unread = []
        return self._state

    @property
    def is_whole(self) -> bool:
        """Whether the text is complete, unless its last number continues."""
        cursor = self._now().cursor
        return cursor is not None and self._text.is_whole(cursor)

    def foreseen(self) -> tuple[int, int] | None:
        """The next token, and its evidence code; None if nothing is foreseen."""
        found = None if self._run is None else self._run.next()
        if found is None:
            cursor, rest = self._now()
            if cursor is None or rest:
                return None
            self._run = Run(self._text.foresee(cursor), self._vocabulary)
            found = self._run.next()
        return found


def whole(text: bytes) -> tuple[str, bytes]:
    """The characters of `text`, and the bytes of an incomplete character at its end."""
    for missing in range(min(4, len(text) + 1)):
        head = text[: len(text) - missing]
        try:
            return head.decode(), text[len(text) - missing :]
        except UnicodeDecodeError:
            continue
    return text.decode(errors="replace"), b""
