"""`Source`: what a guard is compiled from, a text in a language."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Backend = Literal["llguidance", "xgrammar"]
"""The grammar engine: llguidance by default, xgrammar by name."""

Whitespace = Literal["flexible", "spaced", "compact"]
"""Whitespace between the tokens of a JSON text: any amount (a model may then write it for ever); one space after each
colon and comma; or none."""

SEPARATORS = {"spaced": (", ", ": "), "compact": (",", ":")}
"""Separators between members, and between a name and its value, where they are fixed."""


class Language(StrEnum):
    """The language in which a guard is written."""

    JSON_SCHEMA = "JSON schema"
    REGEX = "regex"
    LARK = "Lark grammar"
    GBNF = "GBNF grammar"


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and the options of its compilation; equal sources give the same guard.

    lenient: leave out what the backend cannot enforce, with a warning. whitespace, lenient: for JSON schemas.
    salt: the tenant's; nothing compiled or remembered from a source is shared across salts.
    """

    language: Language
    text: str
    whitespace: Whitespace = "flexible"
    lenient: bool = False
    salt: str = ""


def is_gbnf(text: str) -> bool:
    """Whether a line of `text` begins with a name and `::=`, which may come some blank lines later.

    Takes time linear in the length of any text.
    """
    pieces = text.split("::=")
    return any(_ends_as_rule(piece, is_first=index == 0) for index, piece in enumerate(pieces[:-1]))


def _ends_as_rule(piece: str, is_first: bool) -> bool:
    """Whether `piece` ends with a name that begins its line; is_first: `piece` itself begins a line."""
    named = piece.rstrip()
    start = len(named)
    while start and (named[start - 1].isalnum() or named[start - 1] in "_-"):
        start -= 1
    before = named[:start]
    text_end = len(before.rstrip())
    return start < len(named) and ("\n" in before[text_end:] or (is_first and not text_end))
