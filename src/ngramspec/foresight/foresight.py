"""What a row's JSON text will probably say next, as tokens."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

from ngramspec.foresight.cursor import At, Cursor, read, start
from ngramspec.foresight.evidence import CONTINUED, Piece
from ngramspec.foresight.prediction import foresee
from ngramspec.foresight.shapes import Shapes
from ngramspec.foresight.style import COMPACT, Style
from ngramspec.foresight.values import Values

MOST = 80
"""About so many characters are foreseen at a time."""

Run = Sequence[tuple[int, int]]
"""Tokens, and what speaks for each: an `Evidence`, and CONTINUED behind the first token of a piece."""


class Spelling(Protocol):
    """What is asked of a vocabulary."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token."""

    def encode(self, text: str) -> Sequence[int]:
        """Cut `text` into tokens."""


class State(NamedTuple):
    """Where the row is behind a token. cursor: None where the text is free. rest: bytes of half a character."""

    cursor: Cursor | None
    rest: bytes = b""


FREE = State(None)


class JsonForesight:
    """Follows one row's text, committed and drafted, and foresees it."""

    def __init__(
        self,
        shapes: Shapes,
        style: Style,
        prompt: Callable[[], str],
        vocabulary: Spelling,
        *,
        is_guarded: bool,
    ) -> None:
        """shapes: of the text. style: as far as it is fixed. prompt: the row's, asked for when it is needed.

        is_guarded: from the beginning.
        """
        self._shapes, self._style, self._prompt = shapes, style, prompt
        self._tokens, self._vocabulary = vocabulary.tokens, vocabulary
        self._committed = self._state = State(start(shapes, style)) if is_guarded else FREE
        # What was pushed behind `_state`: it is read when it must be, for most drafts are as foreseen.
        self._unread: list[int] = []
        self._num_guarded: int | None = None
        self._run: Run = ()
        self._place = 0  # in the run

    @cached_property
    def _values(self) -> Values:
        return Values(self._prompt())

    def push(self, token: int, num_guarded: int | None) -> None:
        """Go on by `token`, until `rewind`.

        num_guarded: bytes at the end of the text that the guard holds for, or more than there are; None: it is free.
        """
        if self._place < len(self._run) and self._run[self._place][0] == token:
            self._place += 1
        else:
            self._run, self._place = (), 0
        self._unread.append(token)
        self._num_guarded = num_guarded

    def commit(self, tokens: Sequence[int], num_guarded: int | None) -> None:
        """Go on by `tokens` for good; num_guarded: as for `push`, behind all of them."""
        self._committed = self._behind(self._committed, tokens, num_guarded)
        self.rewind()

    def _behind(self, state: State, tokens: Sequence[int], num_guarded: int | None) -> State:
        if num_guarded is None:
            return FREE
        cursor, rest = state
        text = b"".join([self._tokens[token] for token in tokens if 0 <= token < len(self._tokens)])
        if cursor is None or num_guarded < len(text):  # the guard has begun within these tokens
            cursor, rest, text = start(self._shapes, self._style), b"", text[max(0, len(text) - num_guarded) :]
        whole, rest = _whole(rest + text)
        return State(read(cursor, whole, self._shapes), rest)

    def rewind(self) -> None:
        """Take all pushes back."""
        self._state, self._unread = self._committed, []
        self._run, self._place = (), 0

    def _now(self) -> State:
        if self._unread:
            self._state = self._behind(self._state, self._unread, self._num_guarded)
            self._unread = []
        return self._state

    @property
    def is_whole(self) -> bool:
        """Whether the text is whole, unless its last number goes on."""
        cursor = self._now().cursor
        return cursor is not None and cursor.frame is None and cursor.at in (At.AFTER, At.SCALAR)

    def foreseen(self) -> tuple[int, int] | None:
        """The next token, and what speaks for it; None where nobody can say."""
        if self._place >= len(self._run):
            cursor, rest = self._now()
            if cursor is None or rest:
                return None
            self._run, self._place = self._as_tokens(foresee(cursor, self._shapes, self._values, MOST)), 0
        return self._run[self._place] if self._place < len(self._run) else None

    def _as_tokens(self, pieces: Sequence[Piece]) -> Run:
        text = "".join(piece.text for piece in pieces)
        tokens = self._vocabulary.encode(text) if text else ()
        return list(zip(tokens, _evidence(pieces, [len(self._tokens[token]) for token in tokens]), strict=True))


def _evidence(pieces: Sequence[Piece], sizes: Sequence[int]) -> list[int]:
    """What speaks for each token of the pieces' text: of the pieces that begin in it the least sure one."""
    codes = [-1]  # by byte
    for piece in pieces:
        rest = CONTINUED + piece.evidence if piece.evidence else 0
        codes += [int(piece.evidence), *[rest] * (len(piece.text.encode()) - 1)] if piece.text else []
    found, place = [], 1
    for size in sizes:
        within = codes[place : place + size]
        begun = [code for code in within if 0 < code < CONTINUED]
        found.append(max(begun, default=within[0] if within else 0))
        place += size
    return found


def _whole(text: bytes) -> tuple[str, bytes]:
    """The characters of `text`, and the bytes of one that is not whole at its end."""
    for missing in range(min(4, len(text) + 1)):
        head = text[: len(text) - missing]
        try:
            return head.decode(), text[len(text) - missing :]
        except UnicodeDecodeError:
            continue
    return text.decode(errors="replace"), b""


def json_foresight(
    schema: str, prompt: Callable[[], str], vocabulary: Spelling, *, is_compact: bool, is_guarded: bool
) -> JsonForesight:
    """Foresight of a text that fits `schema`, JSON itself; is_compact: without blanks; is_guarded: from the beginning.

    prompt: the row's, asked for when it is needed.
    """
    style = COMPACT if is_compact else Style()
    return JsonForesight(_shapes(schema), style, prompt, vocabulary, is_guarded=is_guarded)


@lru_cache(maxsize=256)
def _shapes(schema: str) -> Shapes:
    return Shapes(json.loads(schema))
