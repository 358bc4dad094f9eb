"""The tokens foreseen from one position of a text on, made lazily."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import islice, takewhile
from typing import NamedTuple, Protocol

from ngramspec.foresight.evidence import CONTINUED, END, Piece

LONGEST = 240
"""Most characters that are tokenised at a time."""

_FIRST = 8
"""Characters that are made at first, plus the rest of the last piece; then three times as many. Most runs end soon.
If pieces are whole words, and expensive, it is one piece at first, and then twice as many characters."""

_UNSURE = 2
"""Tokens at the end of the text that may change when it continues."""

_MOST_SPELLED = 256
"""Most texts whose tokens are kept, for a row and for a grammar."""

Step = tuple[int, int]
"""A foreseen token, and its evidence code, plus CONTINUED after the first token of a piece."""


class Spelling(Protocol):
    """The part of a vocabulary that foresight needs."""

    @property
    def tokens(self) -> Sequence[bytes]:
        """The bytes of each token."""

    def encode(self, text: str) -> Sequence[int]:
        """Tokenise `text`."""


class Shared:
    """Pieces that may follow one another, made lazily, and again for each iteration.

    key: what the pieces up to the first value depend on, in all rows of a grammar; None if a value comes first.
    is_shared: whether the pieces made so far depend on the key alone.
    """

    __slots__ = ("is_shared", "key")
    key: object
    is_shared: bool

    def __iter__(self) -> Iterator[Piece]:
        """Begin with the first piece."""
        raise NotImplementedError


class Head(NamedTuple):
    """How a run begins in all rows of a grammar: what was made of it for its first token."""

    pieces: tuple[Piece, ...]
    length: int
    is_whole: bool
    steps: list[Step]
    num_sure: int


class SharedSpellings:
    """Tokenised texts for all rows of one grammar: those that reveal no values of a row, and how runs begin."""

    def __init__(self, codes: Iterable[IntEnum]) -> None:
        """codes: of the evidence that depends on the grammar alone."""
        self._codes = frozenset(codes)
        self.known: dict[tuple[Piece, ...], list[Step]] = {}
        self.heads: dict[object, Head] = {}

    def keep(self, key: object, head: Head) -> None:
        """Let runs of `key` begin with `head`."""
        if len(self.heads) >= _MOST_SPELLED:
            self.heads.clear()
        self.heads[key] = head

    def suits(self, pieces: Sequence[Piece]) -> bool:
        """Whether the text of `pieces` is kept here."""
        return self._codes.issuperset([piece.evidence for piece in pieces])


class Speller:
    """Spells pieces of one row's text in tokens. A text has few names, so the results are kept."""

    def __init__(self, spelling: Spelling, shared: SharedSpellings | None = None, *, in_words: bool = False) -> None:
        """shared: with other rows of the grammar. in_words: as of the `Text`."""
        self.in_words = in_words
        self._spelling, self.shared = spelling, SharedSpellings(()) if shared is None else shared
        self._own: dict[tuple[Piece, ...], list[Step]] = {}

    def steps(self, pieces: tuple[Piece, ...]) -> list[Step]:
        """The tokens of the first LONGEST characters of the pieces' text, up to one that the vocabulary lacks."""
        known = self.shared.known if self.shared.suits(pieces) else self._own
        found = known.get(pieces)
        if found is None:
            if len(known) >= _MOST_SPELLED:
                known.clear()
            found = known[pieces] = self._spell(pieces)
        return found

    def _spell(self, pieces: Sequence[Piece]) -> list[Step]:
        # A byte that is not a token by itself has an id beyond the vocabulary, which is never drafted.
        text, known = "".join(piece.text for piece in pieces)[:LONGEST], self._spelling.tokens
        tokens = list(self._spelling.encode(text)) if text else []
        if tokens and max(tokens) >= len(known):
            tokens = list(takewhile(lambda token: token < len(known), tokens))
        return list(zip(tokens, _codes(pieces, [len(known[token]) for token in tokens]), strict=True))


_NOTHING = Head((), 0, False, [], 0)


class Run:
    """Pieces of text that may follow one another, tokenised together.

    steps: those made so far. num_sure: how many of them stay as they are when the run is continued.
    """

    __slots__ = ("_found", "_is_whole", "_left", "_length", "_pieces", "_speller", "num_sure", "steps")

    def __init__(self, pieces: Iterable[Piece], speller: Speller, head: Head = _NOTHING) -> None:
        """pieces: none of them empty. head: what is known of the run."""
        self._pieces, self._speller = pieces, speller
        self._found, self._length, self._is_whole, self.steps, self.num_sure = head
        self._left: Iterator[Piece] | None = None  # pieces after `_found`

    @property
    def head(self) -> Head:
        """What was made so far."""
        return Head(self._found, self._length, self._is_whole, self.steps, self.num_sure)

    def reaches(self, position: int) -> bool:
        """Whether there is a step at `position`, once those before it were followed; makes it if necessary."""
        while not self._is_whole and position >= self.num_sure:
            self._go_on(position)
        return position < self.num_sure

    def _go_on(self, num_followed: int) -> None:
        if self._left is None:
            self._left = islice(self._pieces, len(self._found), None)
        in_words = self._speller.in_words
        first, growth = (1, 2) if in_words else (_FIRST, 3)
        aim, more = min(max(growth * self._length, first), LONGEST), list[Piece]()
        for piece in self._left:
            more.append(piece)
            self._length += len(piece.text)
            if self._length >= aim:
                break
        else:
            self._is_whole = True
        self._is_whole |= self._length >= LONGEST
        self._found = (*self._found, *more)
        steps, followed = self._speller.steps(self._found), self.steps[:num_followed]
        if not followed or [token for token, _ in steps[:num_followed]] == [token for token, _ in followed]:
            self.steps = steps
        else:  # the text that was followed is tokenised differently now
            self.steps, self._is_whole = followed, True
        is_sure = self._is_whole or (in_words and self._found[-1].text[-1].isalnum())
        self.num_sure = len(self.steps) if is_sure else max(0, len(self.steps) - _UNSURE)


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
    head = speller.shared.heads.get(pieces.key) if isinstance(pieces, Shared) else None
    if head is not None:
        return Run(pieces, speller, head)
    run = Run(pieces, speller)
    if not run.reaches(0):
        return None
    if isinstance(pieces, Shared) and pieces.is_shared:
        speller.shared.keep(pieces.key, run.head)
    return run


def _codes(pieces: Sequence[Piece], sizes: Sequence[int]) -> list[int]:
    """The code of each token of the pieces' text: the least sure of the pieces that begin in it."""
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
