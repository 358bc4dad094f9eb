"""Compiles schemas in normal form to the text of a Lark grammar."""

import json
from collections.abc import Callable, Iterator
from typing import cast, get_args

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.lark import digits, equality, keywords, leaves, objects
from ngramspec.guards.schemas.lark.alternatives import Alternatives, TooManyError
from ngramspec.guards.schemas.lark.context import Context, Signs, TooLargeError
from ngramspec.guards.schemas.lark.evaluated import Keyword, NotKnownError, closing
from ngramspec.guards.schemas.lark.grammar import Body, Grammar, Rule, Token
from ngramspec.guards.schemas.lark.shapes import ANYTHING, UNITS, Constants, Goal, Items, Members, Numbers, Shape, Texts
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.terminals import InexpressibleError, Terminal
from ngramspec.guards.source import Whitespace

KINDS = {
    "multipleOf": ("number",), "minimum": ("number",), "maximum": ("number",), "exclusiveMinimum": ("number",),
    "exclusiveMaximum": ("number",), "pattern": ("string",), "format": ("string",), "patternProperties": ("object",),
    "unevaluatedProperties": ("object",), "unevaluatedItems": ("array",),
}  # fmt: skip
"""JSON types that a keyword constrains, if not all."""
COMBINING = ("oneOf", "not", "if", "anyOf", "allOf", "dependentSchemas", "dependentRequired", "enum", "const")
INSIDE = ("patternProperties", "properties", "contains", "items", "pattern", "format", "multipleOf")
UNEVALUATED: dict[str, Keyword] = {name: name for name in get_args(Keyword)}

BRANCHING = "the digits are read one by one, and other numbers may come at the same position"
ALONE = "move it out of all alternatives, or give it bounds that leave at most 200 multiples"

MAX_CHECKED = 200
"""Most descriptions of strings that are checked for emptiness; each takes a millisecond or more."""

Refuse = Callable[[Node, str, str, str | None], None]
"""Notes that a keyword of a schema is not enforced, why, and what to write instead."""
Reason = Callable[[Node, str], str | None]
"""Why a keyword of a schema cannot be enforced at all; None if it can."""


def grammar_of(
    root: Schema, definitions: dict[str, Schema], whitespace: Whitespace, reason: Reason, refuse: Refuse
) -> str:
    """The Lark grammar, for llguidance, of the values that fit `root`.

    Refused keywords are left out, so that every fitting value is allowed. Raises GuardError if no value fits.
    """
    compiler = _Compiler(definitions, whitespace, reason, refuse)
    return compiler.text(root)


class _Compiler:
    def __init__(self, definitions: dict[str, Schema], whitespace: Whitespace, reason: Reason, refuse: Refuse) -> None:
        self._reason = reason
        self._refuse = refuse
        self._refused: set[tuple[int, str]] = set()
        self._inexpressible: dict[int, tuple[str, ...]] = {}
        self._kept: list[Node] = []
        self._grammar = Grammar()
        self._resolve = definitions.__getitem__
        self._ways = Alternatives(self._resolve, self._demands, leaves.holds, self._has_surely_none, self._closing)
        self._context = Context(
            self._grammar,
            self._ways,
            Signs.of(whitespace),
            value=self._value,
            refuse=self._refused_once,
            has_none=self._has_none,
        )
        self._checked: dict[Texts, bool] = {}
        self._rules: dict[Goal, Rule] = {}
        self._waiting: list[Goal] = []
        self._by_digits: list[Goal] = []
        self._is_branching = False

    def text(self, root: Schema) -> str:
        rule = self._value(self._ways.goal(root))
        self._close_rules()
        for goal in self._by_digits if self._is_branching else ():
            self._refuse_goal(goal, INSIDE + COMBINING, BRANCHING, ALONE)
            self._grammar.close(self._rules[goal], [(self._value(ANYTHING),)])
        self._close_rules()
        text = self._grammar.text(rule)
        if text is None:
            raise GuardError("a schema must leave something to generate, got one that no value fits")
        return text

    def _close_rules(self) -> None:
        while self._waiting:
            goal = self._waiting.pop()
            self._grammar.close(self._rules[goal], self._bodies(goal))

    def _value(self, goal: Goal) -> Rule:
        """The rule for the values that fit `goal`; its bodies are added later, because it may refer to itself."""
        if goal not in self._rules:
            self._rules[goal] = self._grammar.open()
            self._waiting.append(goal)
        return self._rules[goal]

    def _bodies(self, goal: Goal) -> list[Body]:
        try:
            return [body for json_type in UNITS for body in self._of_type_name(goal, json_type)]
        except (TooManyError, TooLargeError) as error:
            self._refuse_goal(goal, COMBINING + INSIDE, str(error), error.instead)
        except InexpressibleError as error:
            self._refuse_goal(goal, INSIDE + COMBINING, str(error), None)
        return [(self._value(ANYTHING),)]

    def _of_type_name(self, goal: Goal, json_type: str) -> Iterator[Body]:
        if json_type == "number":
            yield from self._numbers(goal)
            return
        shapes = self._ways.of(goal, json_type)
        self._is_branching |= json_type in ("array", "object") and (len(shapes) > 1 or any(map(_is_branching, shapes)))
        for shape in shapes:
            yield from self._of_shape(shape)

    def _of_shape(self, shape: Shape) -> Iterator[Body]:
        match shape:
            case Constants():
                yield from ((Token(json.dumps(json.dumps(value))),) for value in shape.values)
            case Texts():
                yield from ((self._grammar.token(terminal),) for terminal in self._strings(shape))
            case Items():
                yield from equality.bodies_of(shape, self._context)
            case Members():
                yield from objects.bodies_of(shape, self._context)

    def _numbers(self, goal: Goal) -> Iterator[Body]:
        """The numerals that fit `goal`: all as terminals, else all digit by digit."""
        parts = [part for shape in self._ways.of(goal, "number") for part in leaves.around(cast(Numbers, shape))]
        try:
            yield from [(self._grammar.token(found),) for part in parts for found in leaves.of_numbers(part)]
        except InexpressibleError:
            by_digits = [digits.bodies_of(part, self._grammar) for part in parts]
            if None in by_digits:
                if all(found is None for found in by_digits):
                    raise
                raise InexpressibleError(f"of a step {BRANCHING}") from None
            self._by_digits.append(goal)
            yield from (body for bodies in by_digits for body in bodies or ())

    def _demands(self, node: Node, json_type: str) -> list[keywords.Demand]:
        left_out = self._left_out(node)
        rest = node.with_({}, without=left_out) if left_out else node
        found = list(keywords.demands(rest, json_type, self._ways.goal))
        if any(json_type in KINDS.get(keyword, UNITS) for keyword in left_out):
            found.append(([UNITS[json_type]], [UNITS[json_type]]))  # it may hold or not
        return found

    def _left_out(self, node: Node) -> tuple[str, ...]:
        if id(node) not in self._inexpressible:
            reasons = {keyword: self._why_not(node, keyword) for keyword in node}
            for keyword, reason in reasons.items():
                if reason is not None:
                    self._refused_once(node, keyword, reason)
            self._inexpressible[id(node)] = tuple(keyword for keyword, reason in reasons.items() if reason is not None)
            self._kept.append(node)
        return self._inexpressible[id(node)]

    def _why_not(self, node: Node, keyword: str) -> str | None:
        try:
            if keyword in UNEVALUATED:
                closing(node, UNEVALUATED[keyword], self._resolve)
        except NotKnownError as error:
            return str(error)
        return self._reason(node, keyword)

    def _closing(self, node: Node, keyword: Keyword) -> Schema:
        """The schema that `keyword` requires; true if it is left out."""
        return True if keyword in self._left_out(node) else closing(node, keyword, self._resolve)

    def _refuse_goal(self, goal: Goal, order: tuple[str, ...], reason: str, instead: str | None) -> None:
        node = self._ways.node(goal)
        assert node is not None
        keyword = next((keyword for keyword in order if keyword in node), next(iter(node)))
        self._refused_once(node, keyword, reason, instead)

    def _refused_once(self, node: Node, keyword: str, reason: str, instead: str | None = None) -> None:
        if (id(node), keyword) not in self._refused:
            self._refused.add((id(node), keyword))
            self._refuse(node, keyword, reason, instead)

    def _strings(self, shape: Texts) -> Iterator[Terminal]:
        if shape.values is not None:
            yield from map(leaves.quoted, shape.values)
            return
        found = None if self._has_none(shape) else leaves.of_texts(shape)
        if found is not None:
            yield found

    def _has_none(self, described: Texts) -> bool:
        """Whether no string is as described. Formats alone, and lengths alone, always have some."""
        shape = leaves.simplified(described)
        if shape is None:
            return True
        tests = shape.passed | shape.failed
        if not tests or (len(tests) == 1 and shape == Texts(passed=tests) and min(tests)[0] == "format"):
            return False
        if shape not in self._checked:
            if len(self._checked) >= MAX_CHECKED:
                reason = f"more than {MAX_CHECKED} combinations of patterns would be tried"
                raise TooLargeError(
                    reason, "write fewer patterns beside one another, or ones that begin or end differently"
                )
            self._checked[shape] = leaves.is_empty(shape)
        return self._checked[shape]

    def _has_surely_none(self, shape: Texts) -> bool:
        """Whether certainly no string is as described; False if that cannot be decided."""
        try:
            return self._has_none(shape)
        except (TooLargeError, InexpressibleError):
            return False


def _is_branching(shape: Shape) -> bool:
    """Whether values of several goals may come at one position of an array or object."""
    if isinstance(shape, Items):
        return bool(shape.contains) or shape.unique is not None
    return isinstance(shape, Members) and bool(shape.some or shape.clauses)
