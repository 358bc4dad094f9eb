"""The structure of a JSON text at a position: what is open, how it is spaced, and how it continues.

A state holds all that does not depend on the values of a row.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ngramspec.foresight.evidence import Piece
from ngramspec.foresight.json_text.expected_value import ExpectedValue
from ngramspec.foresight.json_text.shapes import Shape
from ngramspec.foresight.json_text.style import Style


class At:
    """What the text read so far ends with. Not an enum, whose members take ten times as long to look up."""

    VALUE = 0
    """A colon, a comma of an array, or nothing at all: a value follows."""
    OPEN = 1
    """An opening bracket."""
    COMMA = 2
    """A comma of an object."""
    NAME = 3
    """Part of a name."""
    COLON = 4
    """A complete name: a colon follows."""
    STRING = 5
    """Part of a string."""
    SCALAR = 6
    """A number, true, false or null, or part of it."""
    AFTER = 7
    """A value."""
    LOST = 8
    """Something that is not JSON."""


@dataclass(slots=True, eq=False)
class Scope:
    """An open object or array, before one of its values.

    shapes: those that it may have. names: of the members so far, the last one perhaps without its value.
    num_before: number of items before the current or next one. values: the shapes of the current or next value. name:
    of the member whose value is current or next, or whose array contains it.
    """

    parent: "Scope | None"
    depth: int
    is_object: bool
    shapes: tuple[Shape, ...]
    values: tuple[Shape, ...]
    name: str | None
    names: tuple[str, ...] = ()
    num_before: int = 0
    made: "dict[Any, Scope]" = field(default_factory=dict)
    """The scopes that were made from this one: by a name, a comma, whether its value is an object, or its shapes."""
    deciding: "list[tuple[Shape, tuple[Shape, ...]]] | None" = None
    """Each of several shapes of an object, and its shapes of the current value; empty if none lists its values."""


@dataclass(slots=True, eq=False)
class State:
    """A position in the structure.

    shapes: of the current or next value. gap: blanks at the end of the text. content: the part of a name read so far.
    name: of the member whose value is current or next, or whose array contains it. expected: as that value.
    """

    scope: Scope | None
    at: int
    shapes: tuple[Shape, ...]
    gap: str
    style: Style
    content: str
    name: str | None
    expected: ExpectedValue
    after: "dict[str, State]" = field(default_factory=dict)
    """The state after a text without values."""
    next: "tuple[list[Piece], State] | None" = None
    """The pieces that may follow, none of them empty, and the state after them, once they are made."""
    ends: dict[IntEnum, list[Piece]] = field(default_factory=dict)
    """The pieces that may follow a string or scalar, by the evidence that it ends."""

    @property
    def depth(self) -> int:
        """Number of open brackets."""
        return 0 if self.scope is None else self.scope.depth

    @property
    def is_chosen(self) -> bool:
        """Whether the current value decides which of several shapes the object has."""
        return self.scope is not None and self.scope.is_object and len(self.scope.shapes) > 1

    @property
    def is_in_array(self) -> bool:
        """Whether the innermost open bracket is that of an array."""
        return self.scope is not None and not self.scope.is_object


def learnt(state: State) -> Style:
    """The style, learnt from the blanks before what follows now."""
    gap, scope, style = state.gap, state.scope, state.style
    if scope is None:
        return style
    if state.at == At.OPEN:
        if "\n" not in gap:
            return style._replace(open=gap, indent=None)
        width = len(gap) - gap.rindex("\n") - 1
        return style._replace(indent=gap[-1:] * (width // scope.depth) if width else "")
    if state.at == At.COMMA or (not scope.is_object and scope.num_before):
        return style if "\n" in gap else style._replace(comma=gap)
    return style._replace(colon=gap)
