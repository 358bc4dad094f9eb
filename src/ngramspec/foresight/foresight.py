"""The probable next tokens of a row's text."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ngramspec.foresight.kinds import Text
from ngramspec.foresight.run import Run, Speller, Spelling, spelled


class State(NamedTuple):
    """A row's text after a token. cursor: position in it, None while it is free. rest: bytes of a split character."""

    cursor: Any
    rest: bytes = b""


FREE = State(None)


class Foresight:
    """Follows one row's text, committed and drafted, and foresees what comes next.

    `num_guarded`, below: guarded bytes at the end of the text, or more if all of it is guarded; None: the text is free.
    """

    def __init__(self, text: Text, vocabulary: Spelling, *, is_guarded: bool, begun: bytes = b"") -> None:
        """text: as `text_of` made it. is_guarded: from the beginning. begun: part of the text that is in the prompt."""
        self._text = text
        shared = text.spelled(vocabulary) if hasattr(text, "spelled") else None
        self._tokens, self.speller = (
            vocabulary.tokens,
            Speller(vocabulary, shared, in_words=getattr(text, "in_words", False)),
        )
        self._committed = FREE
        if is_guarded:
            read, rest = whole(begun)
            self._committed = State(text.read(text.start(), read), rest)
        # Committed tokens that were not read yet: most texts are as foreseen.
        self._unread: list[int] = []
        self._num_guarded: int | None = None
        self._ahead, self._read_ahead = self._committed, list[int]()  # the state after these drafted tokens

    def commit(self, tokens: list[int], num_guarded: int | None) -> None:
        """Advance by committed `tokens`; num_guarded: after all of them."""
        num_ahead = len(self._read_ahead)
        if num_ahead and self._read_ahead == tokens[:num_ahead]:  # read when they were drafted
            self._committed, tokens = self._ahead, tokens[num_ahead:]
        self._unread += tokens
        self._num_guarded = num_guarded
        self.rewind()

    def rewind(self) -> None:
        """Discard what was drafted."""
        self._read_ahead = []

    def run(self, drafted: Sequence[int], num_guarded: int | None) -> Run | None:
        """What is foreseen after the committed and the `drafted` tokens; None if nothing is.

        drafted: the tokens of the last call since `rewind` or `commit`, and more. num_guarded: after all of them.
        """
        cursor, rest = self._after(drafted, num_guarded)
        return None if cursor is None or rest else spelled(self._text.foresee(cursor), self.speller)

    def is_whole(self, drafted: Sequence[int], num_guarded: int | None) -> bool:
        """Whether the text is complete after the `drafted` tokens, as for `run`, unless its last number continues."""
        cursor = self._after(drafted, num_guarded).cursor
        return cursor is not None and self._text.is_whole(cursor)

    def _after(self, drafted: Sequence[int], num_guarded: int | None) -> State:
        if self._unread:
            self._committed, self._unread = self._read(self._committed, self._unread, self._num_guarded), []
        num_ahead = len(self._read_ahead)
        if num_ahead == 0:
            self._ahead = self._committed
        if len(drafted) > num_ahead:
            self._ahead = self._read(self._ahead, drafted[num_ahead:], num_guarded)
            self._read_ahead = [*drafted]
        return self._ahead

    def _read(self, state: State, tokens: Sequence[int], num_guarded: int | None) -> State:
        if num_guarded is None:
            return FREE
        cursor, rest = state
        text = b"".join([self._tokens[token] for token in tokens if 0 <= token < len(self._tokens)])
        if cursor is None or num_guarded < len(text):  # the guarded text began within these tokens
            cursor, rest, text = self._text.start(), b"", text[max(0, len(text) - num_guarded) :]
        read, rest = whole(rest + text)
        return State(self._text.read(cursor, read), rest)


def whole(text: bytes) -> tuple[str, bytes]:
    """The characters of `text`, and the bytes of an incomplete character at its end."""
    try:
        return text.decode(), b""
    except UnicodeDecodeError:
        pass
    for missing in range(1, min(4, len(text) + 1)):
        head = text[: len(text) - missing]
        try:
            return head.decode(), text[len(text) - missing :]
        except UnicodeDecodeError:
            continue
    return text.decode(errors="replace"), b""
