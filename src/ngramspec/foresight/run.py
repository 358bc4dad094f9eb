"""What is foreseen from one position of a text on, as tokens: made as far as it is asked for."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from ngramspec.foresight.evidence import CONTINUED, Piece

LONGEST = 240
"""So many characters are cut into tokens at a time, at the most."""

_STEP = 32
"""So many characters are made at a time, and the piece that is begun then: most drafts end soon."""

_UNSURE = 2
"""So many tokens at the end may be others when the text goes on."""


class Spelling(Protocol):
    """What is asked of a vocabulary."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token."""

    def encode(self, text: str) -> Sequence[int]:
        """Cut `text` into tokens."""


class Run:
    """Pieces of text that may come one after the other, cut into tokens together."""

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
        """Go on by `token`, where it is what `next` says; returns whether it is."""
        if self._position < len(self._tokens) and self._tokens[self._position] == token:
            self._position += 1
            return True
        return False

    def next(self) -> tuple[int, int] | None:
        """The next token, and the code of its evidence, plus CONTINUED after the first token of a piece."""
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
        if tokens[: self._position] != followed:  # what was followed would have been cut otherwise
            self._tokens, self._is_whole = followed, True
            return
        # A byte that no token is alone has an id after the vocabulary's own, which never comes.
        known = self._spelling.tokens
        self._tokens = list(takewhile(lambda token: token < len(known), tokens))
        self._codes = _codes(self._found, [len(known[token]) for token in self._tokens])


def _codes(pieces: Sequence[Piece], sizes: Sequence[int]) -> list[int]:
    """The codes for each token of the pieces' text: of the pieces that begin in it the least sure one."""
    begun: list[tuple[int, int]] = []  # where each piece begins, in bytes, and its code
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
