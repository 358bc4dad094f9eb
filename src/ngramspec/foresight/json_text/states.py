"""The states of the texts of one schema, and how a text leads from one to the next. Values are read elsewhere.

Texts share their states: each state is made once, and so are the steps between states, and what is foreseen there.
"""

import json
from collections.abc import Callable
from typing import Any

from ngramspec.foresight.json_text.expected_value import ExpectedValue, expected
from ngramspec.foresight.json_text.shapes import Shape, Shapes, allows, arrays, is_listed, objects
from ngramspec.foresight.json_text.state import At, Scope, State, learnt
from ngramspec.foresight.json_text.style import Style

_MOST_KEPT = 2048
"""Most states, and texts between them, that are kept for a schema."""

_BLANKS = " \t\n\r"


class States:
    """The states of the texts of one schema."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self._states: dict[tuple[Any, ...], State] = {}
        self._opened: dict[bool, Scope] = {}
        self._expected: dict[tuple[int, ...], ExpectedValue] = {}  # by the shapes, which live as long as the schema
        self._num_kept = 0

    def start(self, style: Style) -> State:
        """The state at the beginning of a text."""
        return self._state(None, At.VALUE, style)

    def after(self, state: State, text: str) -> tuple[State, str]:
        """The state after the first characters of `text`, up to a string or scalar, and the remaining characters."""
        found = state.after.get(text)
        if found is not None:
            return found, ""
        found, rest = state, text
        while rest and found.at not in (At.STRING, At.SCALAR):
            after_quote = rest.find('"') + 1  # names and strings separately: what is between them is often the same
            head = rest[:after_quote] if after_quote else rest
            found, position = self._after_part(found, head)
            rest = rest[position:]
        if not rest:
            self._remember(state, text, found)
        return found, rest

    def _after_part(self, state: State, text: str) -> tuple[State, int]:
        found = state.after.get(text)
        if found is not None:
            return found, len(text)
        found, position = self._read(state, text)
        if position == len(text):
            self._remember(state, text, found)
        return found, position

    def _remember(self, state: State, text: str, after: State) -> None:
        """text: without a value, which would belong to one row."""
        if text not in state.after:
            self._keep()
            state.after[text] = after

    def ended(self, state: State, value: Any) -> State:
        """The state after the string or scalar `value`."""
        scope = state.scope
        if scope is not None and state.is_chosen:
            scope = self._fitting(scope, value)
        return self._state(scope, At.AFTER, state.style)

    def _fitting(self, scope: Scope, value: Any) -> Scope:
        """`scope` of the shapes that allow `value`; of all, if none does."""
        if scope.deciding is None:
            of_each = [(shape, self.shapes.member([shape], scope.names[-1])[1]) for shape in scope.shapes]
            scope.deciding = of_each if any(is_listed(each) for _, values in of_each for each in values) else []
        fitting = tuple([shape for shape, values in scope.deciding if any(allows(each, value) for each in values)])
        if not fitting or len(fitting) == len(scope.shapes):
            return scope
        key = tuple(map(id, fitting))
        made = scope.made.get(key)
        if made is None:
            made = scope.made[key] = Scope(
                scope.parent, scope.depth, True, fitting, scope.values, scope.name, scope.names
            )
        return made

    def lost(self, state: State) -> State:
        """The state after something that is not JSON."""
        return self._state(state.scope, At.LOST, state.style)

    def _read(self, state: State, text: str) -> tuple[State, int]:
        position, end = 0, len(text)
        while position < end and state.at not in (At.STRING, At.SCALAR, At.LOST):
            if state.at == At.NAME:
                quote = text.find('"', position)
                content = state.content + text[position : quote if quote >= 0 else end]
                position = quote + 1 if quote >= 0 else end
                if quote < 0 or is_escaped(content):
                    content += '"' if quote >= 0 else ""
                    state = self._state(state.scope, At.NAME, state.style, content=content)
                else:
                    state = self._named(state, unescaped(content))
            else:
                state = _STEPS[state.at](self, state, text[position])
                position += state.at != At.SCALAR  # which begins with its first character
        return state, end if state.at == At.LOST else position

    def _state(self, scope: Scope | None, at: int, style: Style, gap: str = "", content: str = "") -> State:
        key = scope, at, style, gap, content
        found = self._states.get(key)
        if found is None:
            self._keep()
            values, name = (self.shapes.top, None) if scope is None else (scope.values, scope.name)
            found = self._states[key] = State(scope, at, values, gap, style, content, name, self._expect(values))
        return found

    def _expect(self, values: tuple[Shape, ...]) -> ExpectedValue:
        key = tuple(map(id, values))
        found = self._expected.get(key)
        if found is None:
            found = self._expected[key] = expected(values)
        return found

    def _keep(self) -> None:
        if self._num_kept == _MOST_KEPT:  # rows that are in these states keep them
            self._states, self._opened, self._expected, self._num_kept = {}, {}, {}, 0
        self._num_kept += 1

    def _named(self, state: State, name: str) -> State:
        scope = state.scope
        assert scope is not None
        made = scope.made.get(name)
        if made is None:
            kept, values = self.shapes.member(scope.shapes, name)
            made = scope.made[name] = Scope(scope.parent, scope.depth, True, kept, values, name, (*scope.names, name))
        return self._state(made, At.COLON, state.style)

    def _value(self, state: State, character: str) -> State:
        if character in _BLANKS:
            return self._state(state.scope, state.at, state.style, state.gap + character)
        style = learnt(state)
        if character == '"':
            return self._state(state.scope, At.STRING, style)
        if character in "{[":
            return self._state(self._bracket(state, character), At.OPEN, style)
        return self._state(state.scope, At.SCALAR if character in "-0123456789tfn" else At.LOST, style)

    def _bracket(self, state: State, character: str) -> Scope:
        """The scope that a bracket opens."""
        known = self._opened if state.scope is None else state.scope.made
        is_object = character == "{"
        made = known.get(is_object)
        if made is None:
            fitting = objects(state.shapes) if is_object else arrays(state.shapes)
            values = state.shapes if is_object else self.shapes.item(fitting, 0)
            made = known[is_object] = Scope(state.scope, state.depth + 1, is_object, fitting, values, state.name)
        return made

    def _open(self, state: State, character: str) -> State:
        scope = state.scope
        assert scope is not None
        if character in _BLANKS:
            return self._state(scope, At.OPEN, state.style, state.gap + character)
        if character == ("}" if scope.is_object else "]"):
            return self._state(scope.parent, At.AFTER, state.style)
        return self._comma(state, character) if scope.is_object else self._value(state, character)

    def _comma(self, state: State, character: str) -> State:
        if character in _BLANKS:
            return self._state(state.scope, state.at, state.style, state.gap + character)
        return self._state(state.scope, At.NAME if character == '"' else At.LOST, learnt(state))

    def _colon(self, state: State, character: str) -> State:
        if character in _BLANKS:
            return state
        return self._state(state.scope, At.VALUE if character == ":" else At.LOST, state.style)

    def _after(self, state: State, character: str) -> State:
        scope = state.scope
        if character in _BLANKS:
            return self._state(scope, At.AFTER, state.style, state.gap + character)
        if scope is None:
            return self._state(None, At.LOST, state.style)
        if character == ("}" if scope.is_object else "]"):
            return self._state(scope.parent, At.AFTER, state.style)
        if character != ",":
            return self._state(scope, At.LOST, state.style)
        return self._state(scope, At.COMMA, state.style) if scope.is_object else self._next_item(scope, state.style)

    def _next_item(self, scope: Scope, style: Style) -> State:
        made = scope.made.get(",")
        if made is None:
            num_before = scope.num_before + 1
            values = self.shapes.item(scope.shapes, num_before)
            made = scope.made[","] = Scope(
                scope.parent, scope.depth, False, scope.shapes, values, scope.name, num_before=num_before
            )
        return self._state(made, At.VALUE, style)


_STEPS: dict[int, Callable[[States, State, str], State]] = {
    At.VALUE: States._value,
    At.OPEN: States._open,
    At.COMMA: States._comma,
    At.COLON: States._colon,
    At.AFTER: States._after,
}
"""How the text continues after each `At`."""


def is_escaped(content: str) -> bool:
    """Whether the character after `content` is escaped."""
    return (len(content) - len(content.rstrip("\\"))) % 2 == 1


def unescaped(content: str) -> str:
    """A name or string, from what is written between its quotes."""
    if "\\" not in content:
        return content
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content
