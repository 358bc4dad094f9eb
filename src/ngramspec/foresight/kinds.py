"""Kinds of text that can be foreseen; each registers itself, and says which grammars it suits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from ngramspec.errors import shortened
from ngramspec.foresight.evidence import NUM_CODES, Evidence, Piece

JSON_SCHEMA = "JSON schema"
"""The value of `guards.source.Language.JSON_SCHEMA`; text under a grammar in another language need not be JSON."""


class Grammar(NamedTuple):
    """The source of a guard, as in `guards.source.Source`: text in a language, and the whitespace of JSON.

    salt: the tenant's; nothing remembered of the grammar is shared across salts.
    """

    language: str
    text: str
    whitespace: str = "flexible"
    salt: str = ""


class Text(Protocol):
    """One row's text: how it is followed, and what comes next. A cursor is an immutable position in it.

    A text may also have `spelled(vocabulary) -> Spelled`: where rows of its grammar keep their tokenised texts. And it
    may have `in_words`: whether no token crosses the end of a piece that ends with a letter or digit, as if pieces are
    whole words. A run then need not look beyond that piece: where pieces are expensive, it makes one after another.
    """

    def start(self) -> Any:
        """The cursor at the beginning of the text."""

    def read(self, cursor: Any, text: str) -> Any:
        """The cursor after `text`."""

    def foresee(self, cursor: Any) -> Iterable[Piece]:
        """Pieces that may follow at `cursor`, made lazily; none if nothing is foreseen.

        They may be `run.Shared`, if rows of the grammar have their beginning in common.
        """

    def is_whole(self, cursor: Any) -> bool:
        """Whether the text is complete, unless its last number continues."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of text.

    suits: whether texts of a grammar are of this kind. It is called for every row, so it must be cheap.
    begin: makes the text of a row from its grammar and a function that returns its prompt.
    evidence: codes of its own, in addition to `Evidence`.
    """

    name: str
    suits: Callable[[Grammar], bool]
    begin: Callable[[Grammar, Callable[[], str]], Text]
    evidence: type[IntEnum] | None = None


_registered: list[Kind] = []


def register(kind: Kind) -> None:
    """Foresee texts of `kind` from now on. Of several kinds that suit a grammar, the one registered last is used.

    Raises ValueError for evidence codes that are out of range, or used by another kind.
    """
    taken = {*map(int, Evidence), *(int(code) for other in _registered for code in other.evidence or ())}
    for code in kind.evidence or ():
        if not 0 <= code < NUM_CODES or code in taken:
            raise ValueError(
                f"codes of evidence must be from 0 to {NUM_CODES - 1} and belong to one kind of text, got"
                f" {int(code)} of {shortened(kind.name)}: use one of {sorted({*range(NUM_CODES)} - taken)}"
            )
    _registered.append(kind)


def text_of(grammar: Grammar, prompt: Callable[[], str]) -> Text | None:
    """The text of a row, of the kind that suits its grammar; None if no kind does."""
    kind = next((kind for kind in reversed(_registered) if kind.suits(grammar)), None)
    return None if kind is None else kind.begin(grammar, prompt)
