"""A position in a JSON text: its state, the value that is being read, and the values before it."""

import json
import re
from typing import NamedTuple

from ngramspec.foresight.json_text.shapes import Shape
from ngramspec.foresight.json_text.state import At, Scope, State
from ngramspec.foresight.json_text.states import States, is_escaped, unescaped
from ngramspec.foresight.json_text.style import Style

_MOST_WRITTEN = 63

_SCALAR_END = re.compile(r"[,\]} \t\n\r]")


class WrittenValue(NamedTuple):
    """A string or scalar as written, and the name of the member whose value or item it is."""

    name: str | None
    text: str


class Cursor(NamedTuple):
    """A position in a JSON text. Reading further makes another cursor.

    content: the part of a string or scalar read so far, as written. written_values: the latest strings and scalars.
    """

    state: State
    content: str = ""
    written_values: tuple[WrittenValue, ...] = ()

    @property
    def at(self) -> int:
        """What the text ends with."""
        return self.state.at

    @property
    def scope(self) -> Scope | None:
        """The innermost open bracket."""
        return self.state.scope

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the current or next value."""
        return self.state.shapes

    @property
    def name(self) -> str | None:
        """Name of the member whose value is current or next, or whose array contains it."""
        return self.state.name


def start(states: States, style: Style) -> Cursor:
    """The cursor at the beginning of a text."""
    return Cursor(states.start(style))


def read(cursor: Cursor, text: str, states: States) -> Cursor:
    """The cursor after `text`."""
    state, content, written_values = cursor
    while text:
        if state.at == At.STRING:
            head, quote, text = text.partition('"')
            content += head
            if not quote:
                break
            if is_escaped(content):
                content += quote
                continue
            written, value = f'"{content}"', unescaped(content)
        elif state.at == At.SCALAR:
            found = _SCALAR_END.search(text)
            content += text if found is None else text[: found.start()]
            if found is None:
                break
            text = text[found.start() :]
            try:
                written, value = content, json.loads(content)
            except ValueError:
                return Cursor(states.lost(state), content, written_values)
        else:
            state, text = states.after(state, text)
            continue
        written_values = (*written_values[-_MOST_WRITTEN:], WrittenValue(state.name, written))
        state, content = states.ended(state, value), ""
    return Cursor(state, content, written_values)
