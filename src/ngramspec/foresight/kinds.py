"""Kinds of text that can be foreseen: each registers itself, and says which grammars it suits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from ngramspec.errors import shortened
from ngramspec.foresight.evidence import NUM_CODES, Evidence, Piece

JSON_SCHEMA = "JSON schema"
"""The language of `guards.source.Kind.JSON_SCHEMA`; whatever is in another one is no JSON for sure."""


class Grammar(NamedTuple):
    """What a guard is compiled from, as `guards.source.Source` has it: text in a language, and how JSON is spaced.

    salt: whose it is; what is remembered of the grammar under another one is not found.
    """

    language: str
    text: str
    whitespace: str = "flexible"
    salt: str = ""


class Text(Protocol):
    """One row's text: how it is followed, and what comes next. A cursor says how far it was read, and never changes."""

    def start(self) -> Any:
        """The cursor at its beginning."""

    def read(self, cursor: Any, text: str) -> Any:
        """The cursor after `text`."""

    def foresee(self, cursor: Any) -> Iterator[Piece]:
        """What may come at `cursor`, made as it is asked for; nothing where nobody can say."""

    def is_whole(self, cursor: Any) -> bool:
        """Whether the text is whole, unless its last number goes on."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of text.

    suits: whether texts of a grammar are of this kind. Every row asks, so it looks at the grammar alone, and briefly.
    begin: makes the text of a row, by its grammar and its prompt, which is called when the prompt is needed.
    evidence: codes of its own, where those of `Evidence` do not do.
    """

    name: str
    suits: Callable[[Grammar], bool]
    begin: Callable[[Grammar, Callable[[], str]], Text]
    evidence: type[IntEnum] | None = None


_registered: list[Kind] = []


def register(kind: Kind) -> None:
    """Let texts of `kind` be foreseen. Of several kinds that suit a grammar, the one registered last is taken.

    Raises ValueError for codes of evidence that are out of range, or that are not its own.
    """
    taken = {*map(int, Evidence), *(int(code) for other in _registered for code in other.evidence or ())}
    for code in kind.evidence or ():
        if not 0 <= code < NUM_CODES or code in taken:
            raise ValueError(
                f"codes of evidence must be from 0 to {NUM_CODES - 1} and belong to one kind of text, got"
                f" {int(code)} of {shortened(kind.name)}: take one of {sorted({*range(NUM_CODES)} - taken)}"
            )
    _registered.append(kind)


def text_of(grammar: Grammar, prompt: Callable[[], str]) -> Text | None:
    """The text of a row, of the kind that suits its grammar; None where no kind does."""
    kind = next((kind for kind in reversed(_registered) if kind.suits(grammar)), None)
    return None if kind is None else kind.begin(grammar, prompt)
