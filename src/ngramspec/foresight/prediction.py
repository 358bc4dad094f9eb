"""What a JSON text will probably say next: punctuation and names by the schema, values by the prompt."""

from collections.abc import Iterator
from math import inf

from ngramspec.foresight.cursor import At, Cursor, Frame, read
from ngramspec.foresight.evidence import Evidence, Piece
from ngramspec.foresight.shapes import ANY, Shape, Shapes, names, types, written
from ngramspec.foresight.values import Values

_WORDS = ("true", "false", "null")
_OF_A_LIST = (Evidence.LISTED, Evidence.DEFAULT)
_DOUBTFUL = frozenset([Evidence.CLOSING, Evidence.BOUNDARY, Evidence.BLANK, Evidence.UNKNOWN])
_BEHIND_DOUBT = 24
"""Characters that are foreseen behind what is doubtful."""

_OPENING = {"object": "{", "array": "[", "string": '"'}


def foresee(cursor: Cursor, shapes: Shapes, values: Values) -> Iterator[Piece]:
    """What may come behind `cursor`; nothing where nobody can say.

    Behind a guess that is seldom right only a little is foreseen: it would be made in vain.
    """
    left: float = inf
    while left > 0:
        found = [piece for piece in _next(cursor, shapes, values) if piece.text]
        if not found:
            return
        yield from found
        for piece in found:
            cursor = read(cursor, piece.text, shapes)
            left -= len(piece.text)
            left = min(left, _BEHIND_DOUBT) if piece.evidence in _DOUBTFUL else left


def _next(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    match cursor.at:
        case At.VALUE:
            return _value(cursor, _gap_before_value(cursor), cursor.shapes, values)
        case At.OPEN | At.COMMA:
            return _inside(cursor, shapes, values)
        case At.NAME:
            return _rest_of_name(cursor)
        case At.COLON:
            return [Piece(":", Evidence.SURE)]
        case At.STRING:
            return _rest_of_string(cursor, values)
        case At.SCALAR:
            return _rest_of_scalar(cursor, values)
        case At.AFTER:
            return _behind_value(cursor)
    return []


def _left(expected: str, gap: str) -> str:
    """What is left of the blanks that are expected, where `gap` is there already."""
    return expected.removeprefix(gap)


def _gap_before_value(cursor: Cursor) -> str:
    frame, style = cursor.frame, cursor.style
    if frame is None:
        return ""
    expected = style.behind_colon() if frame.is_object else style.behind_comma(frame.depth)
    return _left(expected, cursor.gap)


def _value(cursor: Cursor, gap: str, shapes: tuple[Shape, ...], values: Values) -> list[Piece]:
    kinds = {kind for shape in shapes for kind in types(shape)}
    guess = values.guess(cursor, shapes)
    if guess is not None:
        return _guessed(guess, gap, is_text=kinds == {"string"} or guess.evidence in _OF_A_LIST)
    opening = _OPENING.get(_first_type(shapes), "")
    if len(kinds) == 1:
        return [Piece(gap + opening, Evidence.SURE)]
    return [Piece(gap, Evidence.SURE), Piece(opening, Evidence.TYPE)]


def _guessed(guess: Piece, gap: str, *, is_text: bool) -> list[Piece]:
    """is_text: what comes is surely one."""
    if guess.evidence is Evidence.SURE:
        return [Piece(gap + guess.text, guess.evidence)]
    if not guess.text.startswith('"'):
        return [Piece(gap, Evidence.SURE), guess]
    begin = [Piece(gap + '"', Evidence.SURE)] if is_text else [Piece(gap, Evidence.SURE), Piece('"', Evidence.TYPE)]
    if not guess.text.endswith('"'):  # more follows, which nobody knows
        return [*begin, Piece(guess.text[1:], guess.evidence)]
    return [*begin, Piece(guess.text[1:-1], guess.evidence), Piece('"', Evidence.SURE)]


def _first_type(shapes: tuple[Shape, ...]) -> str:
    """The one that a value most probably has: a text where the schema says nothing, and null last."""
    found = [kind for shape in shapes for kind in (("string",) if types(shape) == ANY else types(shape))]
    return next((kind for kind in found if kind != "null"), "null")


def _inside(cursor: Cursor, shapes: Shapes, values: Values) -> list[Piece]:
    """Behind an opening bracket, or a comma of an object."""
    frame, style = cursor.frame, cursor.style
    assert frame is not None
    if cursor.at is At.COMMA:
        gap = _left(style.behind_comma(frame.depth), cursor.gap)
        name, evidence = next_name(frame, must=True)
        return [] if name is None else [Piece(f'{gap}"', Evidence.SURE), Piece(f"{written(name)[1:]}:", evidence)]
    if frame.is_object:
        name, evidence = next_name(frame)
        if name is None:
            return [Piece("}", evidence)]
        return [Piece(f"{_left(style.behind_open(frame.depth), cursor.gap)}{written(name)}:", evidence)]
    gap = _left(style.behind_open(frame.depth), cursor.gap)
    return _value(cursor, gap, shapes.item(frame.shapes, 0), values)


def _rest_of_name(cursor: Cursor) -> list[Piece]:
    frame, begun = cursor.frame, cursor.content
    assert frame is not None
    if not frame.shapes:
        return []
    likeliest, evidence = next_name(frame, must=True)
    fitting = [
        name for name in names(frame.shapes[0]) if name not in frame.names and written(name)[1:].startswith(begun)
    ]
    if not fitting:
        return []
    if begun:
        evidence = Evidence.SURE if len(fitting) == 1 else Evidence.ORDER
    name = likeliest if likeliest in fitting else fitting[0]
    return [Piece(written(name)[1 + len(begun) :] + ":", evidence)]


def _rest_of_string(cursor: Cursor, values: Values) -> list[Piece]:
    if not cursor.content:
        guess = values.guess(cursor, cursor.shapes)
        if guess is None or not guess.text.startswith('"'):
            return []
        return [Piece(guess.text[1:], guess.evidence)]
    guess = values.completion(cursor)
    if guess is not None:
        return [Piece(guess.text[1 + len(cursor.content) :], guess.evidence)]
    if cursor.content.endswith(","):  # a text does not end there
        return []
    return [Piece('"', values.end_of(cursor.content))]


def _rest_of_scalar(cursor: Cursor, values: Values) -> list[Piece]:
    for word in _WORDS:
        if word.startswith(cursor.content) and word != cursor.content:
            return [Piece(word[len(cursor.content) :], Evidence.SURE)]
    if cursor.content not in _WORDS and not cursor.content[-1].isdigit():  # a number does not end with a sign or point
        return []
    return _behind_value(cursor, values.end_of(cursor.content))


def _behind_value(cursor: Cursor, end: Evidence = Evidence.SURE) -> list[Piece]:
    frame, style = cursor.frame, cursor.style
    if frame is None:
        return []
    if not frame.is_object and frame.place + 1 < max((shape.get("minItems", 0) for shape in frame.shapes), default=0):
        return [Piece(",", end)]
    if not frame.is_object:
        evidence = Evidence.LAST
        return [Piece(_left(style.before_close(frame.depth), cursor.gap) + "]", max(end, evidence))]
    name, evidence = next_name(frame)
    if name is None:
        return [Piece(_left(style.before_close(frame.depth), cursor.gap) + "}", max(end, evidence))]
    return [Piece(f",{style.behind_comma(frame.depth)}{written(name)}:", max(end, evidence))]


def next_name(frame: Frame, *, must: bool = False) -> tuple[str | None, Evidence]:
    """The name that comes next in an object, None where it ends; must: it does not end."""
    if not frame.shapes:
        return None, Evidence.CLOSING
    shape = frame.shapes[0]
    declared = names(shape)
    last = declared.index(frame.names[-1]) + 1 if frame.names and frame.names[-1] in declared else 0
    said = set(frame.names)
    left = [name for name in declared[last:] if name not in said]
    required = set(shape.get("required", ()))
    needed = next((name for name in left if name in required), None)
    if needed is not None:
        return needed, Evidence.SURE if needed == left[0] else Evidence.ORDER
    if left and (must or not required):
        return left[0], Evidence.OPTION
    return None, Evidence.CLOSING if left or shape.get("additionalProperties", True) is not False else Evidence.SURE
