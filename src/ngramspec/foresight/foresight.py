"""What a row's text will probably say next, as tokens."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.run import Run, Spelling


class Text(Protocol):
    """A kind of text: how it is followed, and what comes next in it. A place in it never changes."""

    def start(self) -> Any:
        """The place before it."""

    def read(self, place: Any, text: str) -> Any:
        """The place behind `text`."""

    def foresee(self, place: Any) -> Iterator[Piece]:
        """What may come behind `place`, made as it is asked for; nothing where nobody can say."""

    def is_whole(self, place: Any) -> bool:
        """Whether the text is whole, unless its last number goes on."""


class State(NamedTuple):
    """Where the row is behind a token. place: None where the text is free. rest: bytes of half a character."""

    place: Any
    rest: bytes = b""


FREE = State(None)


class Foresight:
    """Follows one row's text, committed and drafted, and foresees it."""

    def __init__(self, text: Text, vocabulary: Spelling, *, is_guarded: bool, begun: bytes = b"") -> None:
        """text: its kind. is_guarded: from the beginning. begun: what of it the prompt has said."""
        self._text = text
        self._tokens, self._vocabulary = vocabulary.tokens, vocabulary
        self._committed = self._state = FREE
        if is_guarded:
            read, rest = whole(begun)
            self._committed = self._state = State(text.read(text.start(), read), rest)
        # What was pushed behind `_state`: it is read when it must be, for most drafts are as foreseen.
        self._unread: list[int] = []
        self._num_guarded: int | None = None
        self._run: Run | None = None  # what is foreseen behind what was pushed

    def push(self, token: int, num_guarded: int | None) -> None:
        """Go on by `token`, until `rewind`.

        num_guarded: bytes at the end of the text that the guard holds for, or more than there are; None: it is free.
        """
        if self._run is not None and not self._run.follows(token):
            self._run = None
        self._unread.append(token)
        self._num_guarded = num_guarded

    def commit(self, tokens: Sequence[int], num_guarded: int | None) -> None:
        """Go on by `tokens` for good; num_guarded: as for `push`, behind all of them."""
        self._committed = self._behind(self._committed, tokens, num_guarded)
        self.rewind()

    def _behind(self, state: State, tokens: Sequence[int], num_guarded: int | None) -> State:
        if num_guarded is None:
            return FREE
        place, rest = state
        text = b"".join([self._tokens[token] for token in tokens if 0 <= token < len(self._tokens)])
        if place is None or num_guarded < len(text):  # the guard has begun within these tokens
            place, rest, text = self._text.start(), b"", text[max(0, len(text) - num_guarded) :]
        read, rest = whole(rest + text)
        return State(self._text.read(place, read), rest)

    def rewind(self) -> None:
        """Take all pushes back."""
        self._state, self._unread, self._run = self._committed, [], None

    def _now(self) -> State:
        if self._unread:
            self._state = self._behind(self._state, self._unread, self._num_guarded)
            self._unread = []
        return self._state

    @property
    def is_whole(self) -> bool:
        """Whether the text is whole, unless its last number goes on."""
        place = self._now().place
        return place is not None and self._text.is_whole(place)

    def foreseen(self) -> tuple[int, int] | None:
        """The next token, and what speaks for it; None where nobody can say."""
        found = None if self._run is None else self._run.next()
        if found is None:
            place, rest = self._now()
            if place is None or rest:
                return None
            self._run = Run(self._text.foresee(place), self._vocabulary)
            found = self._run.next()
        return found


def whole(text: bytes) -> tuple[str, bytes]:
    """The characters of `text`, and the bytes of one that is not whole at its end."""
    for missing in range(min(4, len(text) + 1)):
        head = text[: len(text) - missing]
        try:
            return head.decode(), text[len(text) - missing :]
        except UnicodeDecodeError:
            continue
    return text.decode(errors="replace"), b""
