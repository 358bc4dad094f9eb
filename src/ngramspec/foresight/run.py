"""The tokens foreseen from one position of a text on, made lazily."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import takewhile
from typing import Protocol

from ngramspec.foresight.evidence import CONTINUED, END, Piece

LONGEST = 240
"""Most characters that are tokenised at a time."""

_FIRST = 8
"""Characters that are made at first, plus the rest of the last piece; then three times as many. Most runs end soon."""

_UNSURE = 2
"""Tokens at the end of the text that may change when it continues."""

_MOST_SPELLED = 256
"""Texts whose tokens are kept, for a row and for a grammar."""

Step = tuple[int, int]
"""A foreseen token, and its evidence code, plus CONTINUED after the first token of a piece."""


class Spelling(Protocol):
    """The part of a vocabulary that foresight needs."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token."""

    def encode(self, text: str) -> Sequence[int]:
        """Tokenise `text`."""


class Spelled:
    """Texts that are spelled, for all rows of one grammar: those that say nothing of a row's values."""

    def __init__(self, codes: Iterable[IntEnum]) -> None:
        """codes: of the evidence that depends on the grammar alone."""
        self._codes = frozenset(codes)
        self.known: dict[tuple[Piece, ...], list[Step]] = {}

    def suits(self, pieces: Sequence[Piece]) -> bool:
        """Whether the text of `pieces` is kept here."""
        return self._codes.issuperset([piece.evidence for piece in pieces])


class Speller:
    """Spells pieces of one row's text in tokens. A text has few names, so what was spelled is kept."""

    def __init__(self, spelling: Spelling, shared: Spelled | None = None) -> None:
        """shared: with other rows of the grammar."""
        self._spelling, self._shared = spelling, Spelled(()) if shared is None else shared
        self._own: dict[tuple[Piece, ...], list[Step]] = {}

    def steps(self, pieces: Sequence[Piece]) -> list[Step]:
        """The tokens of the first LONGEST characters of the pieces' text, up to one that the vocabulary lacks."""
        known, key = self._shared.known if self._shared.suits(pieces) else self._own, tuple(pieces)
        found = known.get(key)
        if found is None:
            if len(known) >= _MOST_SPELLED:
                known.clear()
            found = known[key] = self._spell(pieces)
        return found

    def _spell(self, pieces: Sequence[Piece]) -> list[Step]:
        # A byte that is not a token of its own has an id after the vocabulary's, which is never drafted.
        text, known = "".join(piece.text for piece in pieces)[:LONGEST], self._spelling.tokens
        tokens = list(self._spelling.encode(text)) if text else []
        if tokens and max(tokens) >= len(known):
            tokens = list(takewhile(lambda token: token < len(known), tokens))
        return list(zip(tokens, _codes(pieces, [len(known[token]) for token in tokens]), strict=True))


class Run:
    """Pieces of text that may follow one another, tokenised together.

    steps: those made so far. num_sure: how many of them stay as they are when the run is continued.
    """

    __slots__ = ("_found", "_is_whole", "_length", "_pieces", "_speller", "num_sure", "steps")

    def __init__(self, pieces: Iterator[Piece], speller: Speller) -> None:
        """pieces: none of them empty."""
        self.steps: list[Step] = []
        self.num_sure = 0
        self._pieces, self._speller = pieces, speller
        self._found: list[Piece] = []
        self._length = 0
        self._is_whole = False

    def reaches(self, position: int) -> bool:
        """Whether there is a step `position`, after those before it were followed; makes it if need be."""
        while not self._is_whole and position >= self.num_sure:
            self._go_on(position)
        return position < self.num_sure

    def _go_on(self, num_followed: int) -> None:
        aim = min(max(3 * self._length, _FIRST), LONGEST)
        for piece in self._pieces:
            self._found.append(piece)
            self._length += len(piece.text)
            if self._length >= aim:
                break
        else:
            self._is_whole = True
        self._is_whole |= self._length >= LONGEST
        steps, followed = self._speller.steps(self._found), self.steps[:num_followed]
        if not followed or [token for token, _ in steps[:num_followed]] == [token for token, _ in followed]:
            self.steps = steps
        else:  # the followed text is now tokenised differently
            self.steps, self._is_whole = followed, True
        self.num_sure = len(self.steps) if self._is_whole else max(0, len(self.steps) - _UNSURE)


class End:
    """A run of one token that is not text, and ends it."""

    num_sure = 1

    def __init__(self, token: int) -> None:
        self.steps: list[Step] = [(token, int(END))]

    def reaches(self, position: int) -> bool:
        """As `Run.reaches`."""
        return position == 0


def spelled(pieces: Iterable[Piece], speller: Speller) -> Run | None:
    """The run of `pieces`, none of them empty; None if it has no token."""
    run = Run(iter(pieces), speller)
    return run if run.reaches(0) else None


def _codes(pieces: Sequence[Piece], sizes: Sequence[int]) -> list[int]:
    """The code of each token of the pieces' text: the least sure one of the pieces that begin in it."""
    starts, position = [], 0  # of the pieces, in bytes
    for piece in pieces:
        starts.append(position)
        position += len(piece.text.encode())
    starts.append(position + 1)
    found: list[int] = []
    start = num_begun = code = 0  # code: of a token that is within the last piece that has begun
    for size in sizes:
        end = start + size
        if end > starts[num_begun]:  # another piece begins in this token
            worst, before = 0, code if starts[num_begun] > start else 0
            while starts[num_begun] < end:
                code = int(pieces[num_begun].evidence)
                worst = max(worst, code)
                num_begun += 1
            code = code and CONTINUED + code
            found.append(worst or before)
        else:
            found.append(code)
        start = end
    return found
