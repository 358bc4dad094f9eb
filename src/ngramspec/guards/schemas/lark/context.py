"""What the parts of the compiler share: the grammar in the making, the signs between values, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngramspec.guards.schemas.lark.grammar import Grammar, Rule, Token
from ngramspec.guards.schemas.lark.shapes import Goal, Texts
from ngramspec.guards.schemas.node import Node

if TYPE_CHECKING:
    from ngramspec.guards.schemas.lark.alternatives import Alternatives

OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = (Token(f'"{sign}"') for sign in "{}[]")


class TooLargeError(Exception):
    """The rules of a schema would be more than can be kept."""


@dataclass(frozen=True, slots=True)
class Context:
    """comma, colon: as they are written here. value: the rule for the values that fit a goal. refuse: note that a
    keyword of a schema is not enforced, and why. has_none: whether no string is as described."""

    grammar: Grammar
    ways: Alternatives
    comma: Token
    colon: Token
    value: Callable[[Goal], Rule]
    refuse: Callable[[Node, str, str], None]
    has_none: Callable[[Texts], bool]
