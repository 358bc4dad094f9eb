"""A terminal, and the error for a description without one."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class NotSayableError(Exception):
    """A description has no terminal, or none of a size that llguidance compiles in time; the message says why.

    The message completes the sentence "… cannot be enforced, for …".
    """


@dataclass(frozen=True, slots=True)
class Terminal:
    """The right side of a Lark terminal, and the terminals that it refers to.

    text: one line, with `|` outside of parentheses only at the top level; write it after `NAME: `.
    helpers: definitions by name. A name means the same in every terminal, so helpers of several can be merged. Names
    begin with `T_`.
    """

    text: str
    helpers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The terminal in parentheses, as a part of another one."""
        return f"({self.text})"
