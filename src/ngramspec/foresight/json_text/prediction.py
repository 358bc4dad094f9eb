"""The probable continuation of a JSON text: punctuation and names from the schema, values from the prompt."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import islice
from math import inf

from ngramspec.foresight.evidence import SURE, Piece
from ngramspec.foresight.json_text.cursor import At, Cursor, Scope, read
from ngramspec.foresight.json_text.evidence import (
    BLANK,
    BOUNDARY,
    CLOSING,
    DEFAULT,
    LAST,
    LISTED,
    OPTION,
    ORDER,
    TYPE,
    UNKNOWN,
)
from ngramspec.foresight.json_text.shapes import ANY, Shape, Shapes, types_of
from ngramspec.foresight.json_text.values import Values

_WORDS = ("true", "false", "null")
_OF_A_LIST = (LISTED, DEFAULT)
_DOUBTFUL = frozenset([CLOSING, BOUNDARY, BLANK, UNKNOWN])
_AFTER_DOUBT = 24
"""Characters that are foreseen after a doubtful piece."""

_OPENING = {"object": "{", "array": "[", "string": '"'}


def foresee(cursor: Cursor, shapes: Shapes, values: Values) -> Iterator[Piece]:
    """Pieces that may follow at `cursor`; none if nothing is foreseen.

    After a guess that is rarely right only a few characters are foreseen: more would be wasted work.
    """
    left: float = inf
    while left > 0:
        found = [piece for piece in _NEXT[cursor.at](cursor, shapes, values) if piece.text]
        if not found:
            return
        yield from found
        cursor = read(cursor, "".join([piece.text for piece in found]), shapes)
        for piece in found:
            left -= len(piece.text)
            if piece.evidence in _DOUBTFUL and left > _AFTER_DOUBT:
                left = _AFTER_DOUBT


def _left(expected: str, gap: str) -> str:
    """The rest of the `expected` blanks after `gap`."""
    return expected.removeprefix(gap)


def _at_value(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    return _value(cursor, _gap_before_value(cursor), cursor.shapes, values)


def _gap_before_value(cursor: Cursor) -> str:
    scope, style = cursor.scope, cursor.style
    if scope is None:
        return ""
    expected = style.after_colon() if scope.is_object else style.after_comma(scope.depth)
    return _left(expected, cursor.gap)


def _value(cursor: Cursor, gap: str, shapes: tuple[Shape, ...], values: Values) -> list[Piece]:
    types = values.types(shapes)
    guess = values.guess(cursor, shapes)
    if guess is not None:
        return _guessed(guess, gap, is_text=types == {"string"} or guess.evidence in _OF_A_LIST)
    opening = _OPENING.get(_first_type(shapes), "")
    if len(types) == 1:
        return [Piece(gap + opening, SURE)]
    return [Piece(gap, SURE), Piece(opening, TYPE)]


def _guessed(guess: Piece, gap: str, *, is_text: bool) -> list[Piece]:
    """is_text: the value is certainly a string."""
    if guess.evidence is SURE:
        return [Piece(gap + guess.text, guess.evidence)]
    if not guess.text.startswith('"'):
        return [Piece(gap, SURE), guess]
    begin = [Piece(gap + '"', SURE)] if is_text else [Piece(gap, SURE), Piece('"', TYPE)]
    if not guess.text.endswith('"'):  # the value continues in an unknown way
        return [*begin, Piece(guess.text[1:], guess.evidence)]
    return [*begin, Piece(guess.text[1:-1], guess.evidence), Piece('"', SURE)]


def _first_type(shapes: tuple[Shape, ...]) -> str:
    """The most probable type of a value: string if the schema names none, and null last."""
    found = [each for shape in shapes for each in (("string",) if types_of(shape) == ANY else types_of(shape))]
    return next((each for each in found if each != "null"), "null")


def _inside(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    """After an opening bracket, or a comma of an object."""
    scope, style = cursor.scope, cursor.style
    assert scope is not None
    if cursor.at is At.COMMA:
        gap = _left(style.after_comma(scope.depth), cursor.gap)
        name, evidence = next_name(scope, shapes, must=True)
        return [] if name is None else [Piece(f'{gap}"', SURE), Piece(f"{shapes.quoted(name)[1:]}:", evidence)]
    if scope.is_object:
        name, evidence = next_name(scope, shapes)
        if name is None:
            return [Piece("}", evidence)]
        return [Piece(f"{_left(style.after_open(scope.depth), cursor.gap)}{shapes.quoted(name)}:", evidence)]
    gap = _left(style.after_open(scope.depth), cursor.gap)
    return _value(cursor, gap, shapes.item(scope.shapes, 0), values)


def _rest_of_name(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    scope, begun = cursor.scope, cursor.content
    assert scope is not None
    if not scope.shapes:
        return []
    likeliest, evidence = next_name(scope, shapes, must=True)
    fitting = [
        name
        for name in shapes.names(scope.shapes[0]).declared
        if name not in scope.names and shapes.quoted(name)[1:].startswith(begun)
    ]
    if not fitting:
        return []
    if begun:
        evidence = SURE if len(fitting) == 1 else ORDER
    name = likeliest if likeliest in fitting else fitting[0]
    return [Piece(shapes.quoted(name)[1 + len(begun) :] + ":", evidence)]


def _rest_of_string(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    if not cursor.content:
        guess = values.guess(cursor, cursor.shapes)
        if guess is None or not guess.text.startswith('"'):
            return []
        return [Piece(guess.text[1:], guess.evidence)]
    guess = values.completion(cursor)
    if guess is not None:
        return [Piece(guess.text[1 + len(cursor.content) :], guess.evidence)]
    if cursor.content.endswith(","):  # a string does not end there
        return []
    closing = Piece('"', values.end_of(cursor.content))
    scope = cursor.scope
    if scope is None or (scope.is_object and len(scope.shapes) > 1):  # the value tells which of the shapes it is
        return [closing]
    before, style, pieces = values.tail
    if before is not scope or style is not cursor.style:  # else it was asked about the same string
        pieces = _after(cursor, shapes)
        values.tail = scope, cursor.style, pieces
    return [closing, *pieces]


def _rest_of_scalar(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    for word in _WORDS:
        if word.startswith(cursor.content) and word != cursor.content:
            return [Piece(word[len(cursor.content) :], SURE)]
    if cursor.content not in _WORDS and not cursor.content[-1].isdigit():  # a number does not end with a sign or point
        return []
    return _after(cursor, shapes, values.end_of(cursor.content))


def _after_value(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    return _after(cursor, shapes)


def _after(cursor: Cursor, shapes: Shapes, end: IntEnum = SURE) -> list[Piece]:
    scope, style = cursor.scope, cursor.style
    if scope is None:
        return []
    if not scope.is_object:
        fewest = max((shape.get("minItems", 0) for shape in scope.shapes), default=0)
        if scope.num_before + 1 < fewest:
            return [Piece(",", end)]
        return [Piece(_left(style.before_close(scope.depth), cursor.gap) + "]", max(end, LAST))]
    name, evidence = next_name(scope, shapes)
    if name is None:
        return [Piece(_left(style.before_close(scope.depth), cursor.gap) + "}", max(end, evidence))]
    return [Piece(f",{style.after_comma(scope.depth)}{shapes.quoted(name)}:", max(end, evidence))]


def _colon(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    return [Piece(":", SURE)]


def _nothing(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    return []


_NEXT: tuple[Callable[[Cursor, Shapes, Values], list[Piece]], ...] = (
    _at_value,
    _inside,
    _inside,
    _rest_of_name,
    _colon,
    _rest_of_string,
    _rest_of_scalar,
    _after_value,
    _nothing,
)
"""What comes next at each `At`."""


def next_name(scope: Scope, shapes: Shapes, *, must: bool = False) -> tuple[str | None, IntEnum]:
    """The next name in an object, None if the object ends; must: it does not end."""
    if not scope.shapes:
        return None, CLOSING
    shape = scope.shapes[0]
    declared, positions, required = shapes.names(shape)
    last = positions.get(scope.names[-1], -1) + 1 if scope.names else 0
    first = None
    for name in islice(declared, last, None):
        if name not in scope.names:
            first = name if first is None else first
            if name in required:
                return name, SURE if name is first else ORDER
    if first is not None and (must or not required):
        return first, OPTION
    may_go_on = first is not None or shape.get("additionalProperties", True) is not False
    return None, CLOSING if may_go_on else SURE
