"""The probable continuation of a JSON text: punctuation and names from the schema, values from the prompt."""

import re
from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import islice
from math import inf

from ngramspec.foresight.evidence import SURE, Piece
from ngramspec.foresight.json_text.cursor import Cursor, read
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
from ngramspec.foresight.json_text.shapes import Shapes
from ngramspec.foresight.json_text.state import At, Scope, State
from ngramspec.foresight.json_text.states import States, is_escaped
from ngramspec.foresight.json_text.values import Values
from ngramspec.foresight.prompt_values import STRINGS
from ngramspec.foresight.run import Shared

_WORDS = ("true", "false", "null")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_OF_A_LIST = (LISTED, DEFAULT)
_DOUBTFUL = frozenset([CLOSING, BOUNDARY, BLANK, UNKNOWN])
_AFTER_DOUBT = 24
"""Characters that are foreseen after a doubtful piece."""

_OPENING = {"object": "{", "array": "[", "string": '"'}

Rest = tuple[list[Piece], IntEnum | None]
"""What follows at a value; and if only its end is foreseen there, the evidence for that."""


class ForeseenPieces(Shared):
    """Pieces that may follow at a cursor; perhaps none.

    After a guess that is rarely right only a few characters are foreseen: more would be wasted work.
    """

    __slots__ = ("_cursor", "_first", "_states", "_values")

    def __init__(self, cursor: Cursor, states: States, values: Values) -> None:
        """key: the state; and if a value ends there, the evidence for that."""
        self._cursor, self._states, self._values = cursor, states, values
        self.key, state = None, cursor.state
        if _is_structural(state):
            self.key = state
        else:
            self._first, end = _VALUES[state.at](cursor, states.shapes, values)
            if end is not None:
                self.key = state, end
        self.is_shared = self.key is not None

    def __iter__(self) -> Iterator[Piece]:
        """See `Shared`."""
        cursor, states, left, first = self._cursor, self._states, inf, True
        while left > 0:
            state = cursor.state
            if _is_structural(state):
                found, after = state.next or _structure(state, states)
                yield from found
                cursor = Cursor(after, "", cursor.written_values)
            else:
                made = self._first if first else _VALUES[state.at](cursor, states.shapes, self._values)[0]
                self.is_shared &= first
                found = [piece for piece in made if piece.text]
                yield from found
                self.is_shared &= not state.is_chosen  # otherwise the value that ends decides what follows
                cursor = read(cursor, "".join([piece.text for piece in found]), states)
            if not found:
                return
            first = False
            for piece in found:
                left -= len(piece.text)
                if piece.evidence in _DOUBTFUL and left > _AFTER_DOUBT:
                    left = _AFTER_DOUBT


def _is_structural(state: State) -> bool:
    """Whether what comes next depends on the state alone."""
    return state.at in _STRUCTURAL and not (state.at == At.OPEN and state.is_in_array)


def _structure(state: State, states: States) -> tuple[list[Piece], State]:
    """The pieces that follow whatever the values are, and the state after them; both are remembered."""
    found = [piece for piece in _STRUCTURAL[state.at](state, states.shapes) if piece.text]
    after = read(Cursor(state), "".join([piece.text for piece in found]), states).state
    state.next = found, after
    return state.next


def _left(expected: str, gap: str) -> str:
    """The rest of the `expected` blanks after `gap`."""
    return expected.removeprefix(gap)


def _at_value(cursor: Cursor, shapes: Shapes, values: Values) -> Rest:
    return _value(cursor, _gap_before_value(cursor.state), values), None


def _first_item(cursor: Cursor, shapes: Shapes, values: Values) -> Rest:
    state = cursor.state
    return _value(cursor, _left(state.style.after_open(state.depth), state.gap), values), None


def _gap_before_value(state: State) -> str:
    scope, style = state.scope, state.style
    if scope is None:
        return ""
    expected = style.after_colon() if scope.is_object else style.after_comma(scope.depth)
    return _left(expected, state.gap)


def _value(cursor: Cursor, gap: str, values: Values) -> list[Piece]:
    types, first, _, _ = cursor.state.expected
    guess = values.guess(cursor)
    if guess is not None:
        return _guessed(guess, gap, is_text=types == STRINGS or guess.evidence in _OF_A_LIST)
    opening = _OPENING.get(first, "")
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


def _inside(state: State, shapes: Shapes) -> list[Piece]:
    """After the opening bracket, or a comma, of an object."""
    scope, style = state.scope, state.style
    assert scope is not None
    name, evidence = next_name(scope, shapes, must=state.at == At.COMMA)
    if state.at == At.COMMA:
        gap = _left(style.after_comma(scope.depth), state.gap)
        return [] if name is None else [Piece(f'{gap}"', SURE), Piece(f"{shapes.quoted(name)[1:]}:", evidence)]
    if name is None:
        return [Piece("}", evidence)]
    return [Piece(f"{_left(style.after_open(scope.depth), state.gap)}{shapes.quoted(name)}:", evidence)]


def _rest_of_name(state: State, shapes: Shapes) -> list[Piece]:
    scope, begun = state.scope, state.content
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


def _rest_of_string(cursor: Cursor, shapes: Shapes, values: Values) -> Rest:
    state, content = cursor.state, cursor.content
    if not content:
        guess = values.guess(cursor)
        if guess is None or not guess.text.startswith('"'):
            return [], None
        return [Piece(guess.text[1:], guess.evidence)], None
    guess = values.completion(cursor)
    if guess is not None:
        return [Piece(guess.text[1 + len(content) :], guess.evidence)], None
    if content[-1] == "," or is_escaped(content):  # a string does not end there
        return [], None
    evidence = values.end_of(content)
    found = state.ends.get(evidence)
    if found is None:
        found = state.ends[evidence] = _end_of_string(state, shapes, evidence)
    return found, evidence


def _end_of_string(state: State, shapes: Shapes, evidence: IntEnum) -> list[Piece]:
    closing = Piece('"', evidence)
    if state.scope is None or state.is_chosen:
        return [closing]
    return [closing, *_after(state, shapes)]


def _rest_of_scalar(cursor: Cursor, shapes: Shapes, values: Values) -> Rest:
    state, content = cursor.state, cursor.content
    for word in _WORDS:
        if word.startswith(content) and word != content:
            return [Piece(word[len(content) :], SURE)], None
    if content not in _WORDS and not _NUMBER.fullmatch(content):  # a number does not end with a sign or point
        return [], None
    evidence = values.end_of(content)
    found = state.ends.get(evidence)
    if found is None:
        found = state.ends[evidence] = _after(state, shapes, evidence)
    return found, evidence


def _after(state: State, shapes: Shapes, end: IntEnum = SURE) -> list[Piece]:
    scope, style = state.scope, state.style
    if scope is None:
        return []
    if not scope.is_object:
        fewest = max((shape.get("minItems", 0) for shape in scope.shapes), default=0)
        if scope.num_before + 1 < fewest:
            return [Piece(",", end)]
        return [Piece(_left(style.before_close(scope.depth), state.gap) + "]", max(end, LAST))]
    name, evidence = next_name(scope, shapes)
    if name is None:
        return [Piece(_left(style.before_close(scope.depth), state.gap) + "}", max(end, evidence))]
    return [Piece(f",{style.after_comma(scope.depth)}{shapes.quoted(name)}:", max(end, evidence))]


def _colon(state: State, shapes: Shapes) -> list[Piece]:
    return [Piece(":", SURE)]


def _nothing(state: State, shapes: Shapes) -> list[Piece]:
    return []


_STRUCTURAL: dict[int, Callable[[State, Shapes], list[Piece]]] = {
    At.OPEN: _inside,
    At.COMMA: _inside,
    At.NAME: _rest_of_name,
    At.COLON: _colon,
    At.AFTER: _after,
    At.LOST: _nothing,
}
_VALUES: dict[int, Callable[[Cursor, Shapes, Values], Rest]] = {
    At.VALUE: _at_value,
    At.OPEN: _first_item,
    At.STRING: _rest_of_string,
    At.SCALAR: _rest_of_scalar,
}
"""What comes next at each `At`: where it depends on the state alone, and where on the values of the row."""


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
