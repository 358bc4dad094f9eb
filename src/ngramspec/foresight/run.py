"""The tokens foreseen from one position of a text on, made lazily."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from ngramspec.foresight.evidence import CONTINUED, Piece

LONGEST = 240
"""Most characters that are tokenised at a time."""

_STEP = 32
"""Characters that are made at a time, plus the rest of the last piece: most drafts end soon."""

_UNSURE = 2
"""Tokens at the end of the text that may change when it continues."""


class Spelling(Protocol):
    """The part of a vocabulary that foresight needs."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token."""

    def encode(self, text: str) -> Sequence[int]:
        """Tokenise `text`."""


class Run:
    """Pieces of text that may follow one another, tokenised together."""

    __slots__ = ("_codes", "_found", "_is_whole", "_pieces", "_position", "_spelling", "_text", "_tokens")

    def __init__(self, pieces: Iterator[Piece], spelling: Spelling) -> None:
        """pieces: none of them empty."""
        self._pieces, self._spelling = pieces, spelling
        self._found: list[Piece] = []
        self._text = ""
        self._tokens: list[int] = []
        self._codes: list[int] = []
        self._position = 0
        self._is_whole = False

    def follows(self, token: int) -> bool:
        """Advance by `token` if it is the one that `next` returns; returns whether it is."""
        if self._position < len(self._tokens) and self._tokens[self._position] == token:
            self._position += 1
            return True
        return False

    def next(self) -> tuple[int, int] | None:
        """The next token, and its evidence code, plus CONTINUED after the first token of a piece."""
        while not self._is_whole and self._position + _UNSURE >= len(self._tokens):
            self._go_on()
        position = self._position
        return (self._tokens[position], self._codes[position]) if position < len(self._tokens) else None

    def _go_on(self) -> None:
        aim = min(len(self._text) + _STEP, LONGEST)
        for piece in self._pieces:
            self._found.append(piece)
            self._text += piece.text
            if len(self._text) >= aim:
                break
        else:
            self._is_whole = True
        self._is_whole |= len(self._text) >= LONGEST
        tokens = self._spelling.encode(self._text[:LONGEST]) if self._text else ()
        followed = self._tokens[: self._position]
        if tokens[: self._position] != followed:  # the followed text is now tokenised differently
            self._tokens, self._is_whole = followed, True
            return
        # A byte that is not a token of its own has an id after the vocabulary's, which is never drafted.
        known = self._spelling.tokens
        self._tokens = list(takewhile(lambda token: token < len(known), tokens))
        self._codes = _codes(self._found, [len(known[token]) for token in self._tokens])


def _codes(pieces: Sequence[Piece], sizes: Sequence[int]) -> list[int]:
    """The code of each token of the pieces' text: the least sure one of the pieces that begin in it."""
    begun: list[tuple[int, int]] = []  # the start of each piece, in bytes, and its code
    position = 0
    for piece in pieces:
        if piece.text:
            begun.append((position, int(piece.evidence)))
            position += len(piece.text.encode())
    found = []
    last, position = -1, 0
    for size in sizes:
        position += size
        code = CONTINUED + begun[last][1] if last >= 0 and begun[last][1] else 0
        is_first = last + 1 < len(begun) and begun[last + 1][0] == position - size
        worst = 0
        while last + 1 < len(begun) and begun[last + 1][0] < position:
            last += 1
            worst = max(worst, begun[last][1])
        found.append(worst or (0 if is_first else code))
    return found
