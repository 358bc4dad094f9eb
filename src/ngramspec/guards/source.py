"""What a guard is compiled from: a text of a kind."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Backend = Literal["llguidance", "xgrammar"]
"""Who compiles: llguidance by default, xgrammar by name."""

Whitespace = Literal["flexible", "spaced", "compact"]
"""Between the tokens of a JSON text: any amount (a model may then go on with it for ever); one space after each colon
and comma; or none."""

SEPARATORS = {"spaced": (", ", ": "), "compact": (",", ":")}
"""Between members, and between a name and its value, where that is settled."""


class Kind(StrEnum):
    """What kind of text a grammar is."""

    JSON_SCHEMA = "JSON schema"
    REGEX = "regex"
    LARK = "Lark grammar"
    GBNF = "GBNF grammar"


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and what is asked of whoever compiles it; two that are equal give the same guard.

    lenient: what the backend cannot enforce is left out, with a warning. whitespace, lenient: for JSON schemas.
    """

    kind: Kind
    text: str
    whitespace: Whitespace = "flexible"
    lenient: bool = False


def is_gbnf(text: str) -> bool:
    """Whether a line of `text` begins with a name and `::=`, which may come some blank lines later."""
    end = text.find("::=")
    while end >= 0:
        name_end = len(text[:end].rstrip()) if text[end - 1 : end].isspace() else end
        start = name_end
        while start and (text[start - 1].isalnum() or text[start - 1] in "_-"):
            start -= 1
        line = text.rfind("\n", 0, start) + 1
        if start < name_end and not text[line:start].strip():
            return True
        end = text.find("::=", end + 3)
    return False
