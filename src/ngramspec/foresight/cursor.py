"""Where in a JSON text a row is: what is open, what was said, and how it is spaced."""

import json
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from ngramspec.foresight.shapes import Shape, Shapes, allows, arrays, objects
from ngramspec.foresight.style import Style


class At(Enum):
    """What stands before the end of the text."""

    VALUE = auto()
    """What a value follows: a colon, a comma of an array, nothing at all."""
    OPEN = auto()
    """A bracket that was opened."""
    COMMA = auto()
    """A comma of an object."""
    NAME = auto()
    """Part of a name."""
    COLON = auto()
    """A name, which a colon follows."""
    STRING = auto()
    """Part of a string."""
    SCALAR = auto()
    """A number, true, false or null, or part of it."""
    AFTER = auto()
    """A value."""
    LOST = auto()
    """Something that is no JSON."""


_MOST_SAID = 63


class Frame(NamedTuple):
    """An object or array that is open.

    shapes: those that it may have. names: of the members until now, the last one perhaps without its value. place: of
    the item that is read or comes next.
    """

    parent: "Frame | None"
    depth: int
    is_object: bool
    shapes: tuple[Shape, ...]
    names: tuple[str, ...] = ()
    place: int = 0


class Said(NamedTuple):
    """A string or scalar, as it is written, and the name of the member that it is the value of, or an item of."""

    name: str | None
    text: str


class Cursor(NamedTuple):
    """A place in a JSON text. It never changes: to read on makes another one.

    shapes: of the value that is read or comes next. gap: blanks at the end of the text. content: what was read of a
    name, string or scalar, as it is written. said: the latest strings and scalars.
    """

    frame: Frame | None
    at: At
    shapes: tuple[Shape, ...]
    gap: str = ""
    content: str = ""
    style: Style = Style()
    said: tuple[Said, ...] = ()

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return 0 if self.frame is None else self.frame.depth

    @property
    def name(self) -> str | None:
        """Of the member whose value is read or comes next, or whose array it is an item of."""
        frame = self.frame
        while frame is not None and not (frame.is_object and frame.names):
            frame = frame.parent
        return None if frame is None else frame.names[-1]


def start(shapes: Shapes, style: Style) -> Cursor:
    """Before a text of these shapes."""
    return Cursor(None, At.VALUE, shapes.top, style=style)


def read(cursor: Cursor, text: str, shapes: Shapes) -> Cursor:
    """Go on by `text`."""
    place = 0
    while place < len(text):
        if cursor.at in _QUOTED:
            end = text.find('"', place)
            run = text[place : end if end >= 0 else len(text)]
            if run:
                cursor = cursor._replace(content=cursor.content + run)
            place += len(run)
            if end < 0:
                break
        cursor = _STEPS[cursor.at](cursor, text[place], shapes)
        place += 1
    return cursor


def _value(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if character in _BLANKS:
        return cursor._replace(gap=cursor.gap + character)
    cursor = _spaced(cursor)
    if character == '"':
        return cursor._replace(at=At.STRING, gap="", content="")
    if character in "{[":
        is_object = character == "{"
        frame = Frame(
            cursor.frame, cursor.depth + 1, is_object, objects(cursor.shapes) if is_object else arrays(cursor.shapes)
        )
        return cursor._replace(frame=frame, at=At.OPEN, gap="", content="")
    if character in "-0123456789tfn":
        return cursor._replace(at=At.SCALAR, gap="", content=character)
    return cursor._replace(at=At.LOST)


def _open(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if character in _BLANKS:
        return cursor._replace(gap=cursor.gap + character)
    frame = cursor.frame
    assert frame is not None
    if character == ("}" if frame.is_object else "]"):
        return _closed(cursor)
    if frame.is_object:
        return _comma(cursor, character, shapes)
    return _value(cursor._replace(shapes=shapes.item(frame.shapes, 0)), character, shapes)


def _comma(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if character in _BLANKS:
        return cursor._replace(gap=cursor.gap + character)
    if character != '"':
        return cursor._replace(at=At.LOST)
    return _spaced(cursor)._replace(at=At.NAME, gap="", content="")


def _name(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if _is_escaped(cursor.content):  # `read` has gone on to the next quote
        return cursor._replace(content=cursor.content + character)
    frame = cursor.frame
    name = _unescaped(cursor.content)
    assert frame is not None
    kept, values = shapes.member(frame.shapes, name)
    frame = frame._replace(shapes=kept, names=(*frame.names, name))
    return cursor._replace(frame=frame, at=At.COLON, shapes=values, content="")


def _colon(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if character in _BLANKS:
        return cursor
    return cursor._replace(at=At.VALUE if character == ":" else At.LOST, gap="")


def _string(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if _is_escaped(cursor.content):  # `read` has gone on to the next quote
        return cursor._replace(content=cursor.content + character)
    return _ended(cursor, _unescaped(cursor.content), shapes)


def _scalar(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    if character not in ",]} \t\n\r":
        return cursor._replace(content=cursor.content + character)
    try:
        value = json.loads(cursor.content)
    except ValueError:
        return cursor._replace(at=At.LOST)
    return _after(_ended(cursor, value, shapes), character, shapes)


def _after(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    frame = cursor.frame
    if character in _BLANKS:
        return cursor._replace(gap=cursor.gap + character)
    if frame is None:
        return cursor._replace(at=At.LOST)
    if character == ",":
        if frame.is_object:
            return cursor._replace(at=At.COMMA, gap="")
        place = frame.place + 1
        item = shapes.item(frame.shapes, place)
        return cursor._replace(frame=frame._replace(place=place), at=At.VALUE, shapes=item, gap="")
    if character == ("}" if frame.is_object else "]"):
        return _closed(cursor)
    return cursor._replace(at=At.LOST)


def _lost(cursor: Cursor, character: str, shapes: Shapes) -> Cursor:
    return cursor


_STEPS: dict[At, Callable[[Cursor, str, Shapes], Cursor]] = {
    At.VALUE: _value,
    At.OPEN: _open,
    At.COMMA: _comma,
    At.NAME: _name,
    At.COLON: _colon,
    At.STRING: _string,
    At.SCALAR: _scalar,
    At.AFTER: _after,
    At.LOST: _lost,
}
_QUOTED = (At.NAME, At.STRING)
_BLANKS = " \t\n\r"


def _ended(cursor: Cursor, value: Any, shapes: Shapes) -> Cursor:
    """A string or scalar is whole: of the object's shapes those are left that may have it."""
    frame = cursor.frame
    if frame is not None and frame.is_object and len(frame.shapes) > 1:
        name = frame.names[-1]
        fitting = tuple(
            shape for shape in frame.shapes if any(allows(each, value) for each in shapes.member([shape], name)[1])
        )
        frame = frame._replace(shapes=fitting or frame.shapes)
    written = f'"{cursor.content}"' if cursor.at is At.STRING else cursor.content
    said = (*cursor.said[-_MOST_SAID:], Said(cursor.name, written))
    return cursor._replace(frame=frame, at=At.AFTER, gap="", content="", said=said)


def _closed(cursor: Cursor) -> Cursor:
    frame = cursor.frame
    assert frame is not None
    return cursor._replace(frame=frame.parent, at=At.AFTER, gap="", content="")


def _spaced(cursor: Cursor) -> Cursor:
    """Something follows the blanks: what do they say of the style?"""
    gap, frame, style = cursor.gap, cursor.frame, cursor.style
    if frame is None:
        return cursor
    if cursor.at is At.OPEN:
        if "\n" in gap:
            width = len(gap) - gap.rindex("\n") - 1
            style = style._replace(indent=gap[-1:] * (width // frame.depth) if width else "")
        else:
            style = style._replace(open=gap, indent=None)
    elif cursor.at is At.COMMA or (not frame.is_object and frame.place):
        if "\n" not in gap:
            style = style._replace(comma=gap)
    else:
        style = style._replace(colon=gap)
    return cursor if style == cursor.style else cursor._replace(style=style)


def _is_escaped(content: str) -> bool:
    return (len(content) - len(content.rstrip("\\"))) % 2 == 1


def _unescaped(content: str) -> str:
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content
