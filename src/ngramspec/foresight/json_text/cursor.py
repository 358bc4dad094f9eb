"""A position in a JSON text: what is open, which values came before, and how the text is spaced."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ngramspec.foresight.json_text.shapes import Shape, Shapes, allows, arrays, objects
from ngramspec.foresight.json_text.style import PLAIN, Style


class At:
    """What the text read so far ends with. No enum, whose members take ten times as long to look up."""

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


_MOST_SAID = 63


class Scope(NamedTuple):
    """An open object or array.

    shapes: those that it may have. names: of the members so far, the last one perhaps without its value.
    num_before: number of items before the current or next one.
    """

    parent: "Scope | None"
    depth: int
    is_object: bool
    shapes: tuple[Shape, ...]
    names: tuple[str, ...] = ()
    num_before: int = 0


class Said(NamedTuple):
    """A string or scalar as written, and the name of the member whose value or item it is."""

    name: str | None
    text: str


@dataclass(slots=True)
class Cursor:
    """A position in a JSON text. Reading on makes another cursor.

    shapes: of the current or next value. gap: blanks at the end of the text. content: the part of a name, string or
    scalar read so far, as written. said: the latest strings and scalars.
    """

    scope: Scope | None
    at: int
    shapes: tuple[Shape, ...]
    gap: str = ""
    content: str = ""
    style: Style = PLAIN
    said: tuple[Said, ...] = ()

    @property
    def depth(self) -> int:
        """Number of open brackets."""
        return 0 if self.scope is None else self.scope.depth

    @property
    def name(self) -> str | None:
        """Name of the member whose value is current or next, or whose array contains it."""
        scope = self.scope
        while scope is not None and not (scope.is_object and scope.names):
            scope = scope.parent
        return None if scope is None else scope.names[-1]


def start(shapes: Shapes, style: Style) -> Cursor:
    """The cursor before a text of these shapes."""
    return Cursor(None, At.VALUE, shapes.top, style=style)


def read(cursor: Cursor, text: str, shapes: Shapes) -> Cursor:
    """The cursor after `text`."""
    cursor = Cursor(
        cursor.scope, cursor.at, cursor.shapes, cursor.gap, cursor.content, cursor.style, cursor.said
    )  # the steps below change this one
    position, end = 0, len(text)
    while position < end:
        at = cursor.at
        if at is At.NAME or at is At.STRING:
            quote = text.find('"', position)
            if quote != position:
                run = text[position:quote] if quote >= 0 else text[position:]
                cursor.content += run
                position += len(run)
                if quote < 0:
                    break
        _STEPS[at](cursor, text[position], shapes)
        position += 1
    return cursor


def _value(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if character in _BLANKS:
        cursor.gap += character
        return
    _learn_spacing(cursor)
    cursor.gap = cursor.content = ""
    if character == '"':
        cursor.at = At.STRING
    elif character in "{[":
        is_object = character == "{"
        fitting = objects(cursor.shapes) if is_object else arrays(cursor.shapes)
        cursor.scope = Scope(cursor.scope, cursor.depth + 1, is_object, fitting)
        cursor.at = At.OPEN
    elif character in "-0123456789tfn":
        cursor.at, cursor.content = At.SCALAR, character
    else:
        cursor.at = At.LOST


def _open(cursor: Cursor, character: str, shapes: Shapes) -> None:
    scope = cursor.scope
    assert scope is not None
    if character in _BLANKS:
        cursor.gap += character
    elif character == ("}" if scope.is_object else "]"):
        _close(cursor)
    elif scope.is_object:
        _comma(cursor, character, shapes)
    else:
        cursor.shapes = shapes.item(scope.shapes, 0)
        _value(cursor, character, shapes)


def _comma(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if character in _BLANKS:
        cursor.gap += character
    elif character == '"':
        _learn_spacing(cursor)
        cursor.at, cursor.gap, cursor.content = At.NAME, "", ""
    else:
        cursor.at = At.LOST


def _name(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if _is_escaped(cursor.content):  # `read` has gone on to the next quote
        cursor.content += character
        return
    scope = cursor.scope
    name = _unescaped(cursor.content)
    assert scope is not None
    kept, values = shapes.member(scope.shapes, name)
    cursor.scope = Scope(scope.parent, scope.depth, scope.is_object, kept, (*scope.names, name), scope.num_before)
    cursor.at, cursor.shapes, cursor.content = At.COLON, values, ""


def _colon(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if character not in _BLANKS:
        cursor.at, cursor.gap = At.VALUE if character == ":" else At.LOST, ""


def _string(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if _is_escaped(cursor.content):  # `read` has gone on to the next quote
        cursor.content += character
    else:
        _end(cursor, _unescaped(cursor.content), shapes)


def _scalar(cursor: Cursor, character: str, shapes: Shapes) -> None:
    if character not in ",]} \t\n\r":
        cursor.content += character
        return
    try:
        value = json.loads(cursor.content)
    except ValueError:
        cursor.at = At.LOST
        return
    _end(cursor, value, shapes)
    _after(cursor, character, shapes)


def _after(cursor: Cursor, character: str, shapes: Shapes) -> None:
    scope = cursor.scope
    if character in _BLANKS:
        cursor.gap += character
    elif scope is None:
        cursor.at = At.LOST
    elif character == ("}" if scope.is_object else "]"):
        _close(cursor)
    elif character != ",":
        cursor.at = At.LOST
    elif scope.is_object:
        cursor.at, cursor.gap = At.COMMA, ""
    else:
        num_before = scope.num_before + 1
        cursor.scope = Scope(scope.parent, scope.depth, scope.is_object, scope.shapes, scope.names, num_before)
        cursor.at, cursor.gap, cursor.shapes = At.VALUE, "", shapes.item(scope.shapes, num_before)


def _lost(cursor: Cursor, character: str, shapes: Shapes) -> None:
    """The text is not JSON, and stays so."""


_STEPS: tuple[Callable[[Cursor, str, Shapes], None], ...] = (
    _value,
    _open,
    _comma,
    _name,
    _colon,
    _string,
    _scalar,
    _after,
    _lost,
)
"""How each `At` goes on."""
_BLANKS = " \t\n\r"


def _end(cursor: Cursor, value: Any, shapes: Shapes) -> None:
    """A string or scalar is complete: keep the shapes of the object that may contain it."""
    scope = cursor.scope
    if scope is not None and scope.is_object and len(scope.shapes) > 1:
        name = scope.names[-1]
        fitting = tuple(
            shape for shape in scope.shapes if any(allows(each, value) for each in shapes.member([shape], name)[1])
        )
        cursor.scope = scope._replace(shapes=fitting or scope.shapes)
    written = f'"{cursor.content}"' if cursor.at is At.STRING else cursor.content
    cursor.said = (*cursor.said[-_MOST_SAID:], Said(cursor.name, written))
    cursor.at, cursor.gap, cursor.content = At.AFTER, "", ""


def _close(cursor: Cursor) -> None:
    assert cursor.scope is not None
    cursor.scope, cursor.at, cursor.gap, cursor.content = cursor.scope.parent, At.AFTER, "", ""


def _learn_spacing(cursor: Cursor) -> None:
    """Something follows the blanks: learn the style from them."""
    gap, scope, style = cursor.gap, cursor.scope, cursor.style
    if scope is None:
        return
    if cursor.at is At.OPEN:
        if "\n" in gap:
            width = len(gap) - gap.rindex("\n") - 1
            indent = gap[-1:] * (width // scope.depth) if width else ""
            if indent != style.indent:
                cursor.style = style._replace(indent=indent)
        elif style.open != gap or style.indent is not None:
            cursor.style = style._replace(open=gap, indent=None)
    elif cursor.at is At.COMMA or (not scope.is_object and scope.num_before):
        if style.comma != gap and "\n" not in gap:
            cursor.style = style._replace(comma=gap)
    elif style.colon != gap:
        cursor.style = style._replace(colon=gap)


def _is_escaped(content: str) -> bool:
    return (len(content) - len(content.rstrip("\\"))) % 2 == 1


def _unescaped(content: str) -> str:
    if "\\" not in content:
        return content
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content
