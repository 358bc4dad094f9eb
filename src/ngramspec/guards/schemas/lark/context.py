"""State that the parts of the compiler share: the growing grammar, the signs between values, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.grammar import Grammar, Rule, Token
from ngramspec.guards.schemas.lark.shapes import Goal, Texts
from ngramspec.guards.schemas.node import Node
from ngramspec.guards.source import SEPARATORS, Whitespace

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.alternatives import Alternatives


BLANKS = r"[ \n\r\t]*"


class TooLargeError(Exception):
    """A schema would need too many rules; the error says why, and what to write instead."""

    def __init__(self, reason: str, instead: str) -> None:
        super().__init__(reason)
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs of JSON between values, with the whitespace around them."""

    comma: Token
    colon: Token
    open_object: Token
    close_object: Token
    open_array: Token
    close_array: Token

    @classmethod
    def of(cls, whitespace: Whitespace) -> Signs:
        """The signs as written in JSON with `whitespace`.

        Free whitespace belongs to the sign beside it, so that there is none inside values whose digits are separate
        terminals; Lark's `%ignore` would allow it there.
        """
        if whitespace != "flexible":
            comma, colon = SEPARATORS[whitespace]
            return cls(*(Token(json.dumps(sign)) for sign in (comma, colon, *"{}[]")))
        after = [rf"\{sign}{BLANKS}" for sign in "{["]
        before = [rf"{BLANKS}\{sign}" for sign in "}]"]
        around = [f"{BLANKS}{sign}{BLANKS}" for sign in ",:"]
        signs = (*around, after[0], before[0], after[1], before[1])
        return cls(*(Token(f"/{sign}/") for sign in signs))


@dataclass(frozen=True, slots=True)
class Context:
    """value: makes the rule for the values that fit a goal. refuse: notes that a keyword of a schema is not enforced,
    why, and what to write instead. has_none: whether no string is as described."""

    grammar: Grammar
    ways: Alternatives
    signs: Signs
    value: Callable[[Goal], Rule]
    refuse: Callable[[Node, str, str, str | None], None]
    has_none: Callable[[Texts], bool]
