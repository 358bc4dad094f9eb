"""The constraints of a schema's keywords on values of one type, each with its complement."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from ngramspec.guards.schemas.lark.shapes import (
    ANYTHING,
    UNITS,
    Constants,
    Contains,
    Goal,
    Items,
    Members,
    Names,
    Numbers,
    SchemaKeyword,
    Shape,
    Texts,
    exact,
)  # fmt: skip
from ngramspec.guards.schemas.node import Node, Schema
from ngramspec.guards.schemas.values import key_of, type_of

MOST = ("maxLength", "maxItems", "maxProperties", "maxContains")
ENDLESS = 1 << 31
"""More characters, items or members than any text has; llguidance does not count this far."""

Demand = tuple[list[Shape], list[Shape]]
"""Shapes whose union is a constraint, and shapes whose union is its complement."""

ToGoal = Callable[[Schema, bool], Goal]
"""Makes the goal that a value fits a schema, or does not."""


def demands(node: Node, json_type: str, goal: ToGoal) -> Iterator[Demand]:
    """The direct constraints of `node` on values of type `json_type`: all keywords but those that combine schemas."""
    node = node.with_({}, without=tuple(keyword for keyword in MOST if node.get(keyword, 0) >= ENDLESS))
    if "type" in node:
        yield from _of_type(node["type"], json_type)
    if json_type in ("null", "boolean", "number", "string"):
        for keyword in ("const", "enum"):
            if keyword in node:
                yield _of_values([node["const"]] if keyword == "const" else node["enum"], json_type)
    of_type = {"number": _of_number, "string": _of_string, "array": _of_array, "object": _of_object}
    if json_type in of_type:
        yield from of_type[json_type](node, goal)


def _of_type(declared: str | list[str], json_type: str) -> Iterator[Demand]:
    names = [declared] if isinstance(declared, str) else declared
    if json_type in names:
        return
    if json_type == "number" and "integer" in names:
        yield [Numbers(whole=True)], [Numbers(whole=False)]
    else:
        yield [], [UNITS[json_type]]


def _of_values(values: list[Any], json_type: str) -> Demand:
    listed = list({key_of(value): value for value in values if type_of(value) == json_type}.values())
    if not listed:
        return [], [UNITS[json_type]]
    if json_type == "string":
        return [Texts(values=tuple(listed))], [Texts(excluded=frozenset(listed))]
    if json_type == "number":
        numbers = frozenset(map(exact, listed))
        return [Numbers(values=numbers)], [Numbers(excluded=numbers)]
    constants = UNITS[json_type]
    assert isinstance(constants, Constants)
    others = tuple(value for value in constants.values if value not in listed)
    return [Constants(tuple(listed))], [Constants(others)] if others else []


def _of_number(node: Node, goal: ToGoal) -> Iterator[Demand]:
    for keyword, is_low, is_strict in (
        ("minimum", True, False), ("exclusiveMinimum", True, True),
        ("maximum", False, False), ("exclusiveMaximum", False, True),
    ):  # fmt: skip
        if keyword in node:
            bound, other = (exact(node[keyword]), is_strict), (exact(node[keyword]), not is_strict)
            yield (
                ([Numbers(low=bound)], [Numbers(high=other)])
                if is_low
                else ([Numbers(high=bound)], [Numbers(low=other)])
            )
    if "multipleOf" in node:
        step = frozenset([exact(node["multipleOf"])])
        yield [Numbers(steps=step)], [Numbers(between=step)]


def _of_string(node: Node, goal: ToGoal) -> Iterator[Demand]:
    if "minLength" in node and node["minLength"] > 0:
        yield [Texts(least=node["minLength"])], [Texts(most=node["minLength"] - 1)]
    if "maxLength" in node:
        yield [Texts(most=node["maxLength"])], [Texts(least=node["maxLength"] + 1)]
    tests: tuple[Literal["pattern", "format"], ...] = ("pattern", "format")
    for keyword in tests:
        if keyword in node:
            test = frozenset([(keyword, node[keyword])])
            yield [Texts(passed=test)], [Texts(failed=test)]


def _of_array(node: Node, goal: ToGoal) -> Iterator[Demand]:
    prefix = node.get("prefixItems", [])
    if prefix:
        wanted = Items(prefix=tuple(goal(child, True) for child in prefix))
        yield (
            [wanted],
            [
                Items(prefix=(*[ANYTHING] * index, goal(child, False)), least=index + 1)
                for index, child in enumerate(prefix)
            ],
        )
    if "items" in node:
        wanted = Items(prefix=(ANYTHING,) * len(prefix), rest=goal(node["items"], True))
        broken = Contains(goal(node["items"], False), start=len(prefix))
        yield [wanted], [Items(contains=frozenset([broken]), least=len(prefix) + 1)]
    if "minItems" in node and node["minItems"] > 0:
        yield [Items(least=node["minItems"])], [Items(most=node["minItems"] - 1)]
    if "maxItems" in node:
        yield [Items(most=node["maxItems"])], [Items(least=node["maxItems"] + 1)]
    if "contains" in node and (node.get("minContains", 1) or "maxContains" in node):
        yield _of_contains(node, goal(node["contains"], True))
    if node.get("uniqueItems"):
        keyword = node, "uniqueItems"
        yield [Items(unique=True, unique_keyword=keyword)], [Items(unique=False, least=2, unique_keyword=keyword)]


def _of_contains(node: Node, goal: Goal) -> Demand:
    least, most = node.get("minContains", 1), node.get("maxContains")

    def found(low: int, high: int | None) -> Items:
        return Items(contains=frozenset([Contains(goal, 0, low, high)]), least=low)

    opposites: list[Shape] = [found(0, least - 1)] if least else []
    if most is None:
        return [found(least, None)], opposites
    return [found(least, most)] if least <= most else [], [*opposites, found(most + 1, None)]


def _of_object(node: Node, goal: ToGoal) -> Iterator[Demand]:
    for name, child in node.get("properties", {}).items():
        yield _of_rule(Names(frozenset([name])), child, goal, (node, "properties"))
    for name in node.get("required", ()):
        yield [Members(required=(name,))], [Members.without(name)]
    for pattern, child in node.get("patternProperties", {}).items():
        names = Names(patterns=frozenset([pattern]))
        yield _of_rule(names, child, goal, (node, "patternProperties"))
    if "additionalProperties" in node:
        known = frozenset(node.get("properties", ())), frozenset(node.get("patternProperties", ()))
        names = Names(*known, is_others=True)
        yield _of_rule(names, node["additionalProperties"], goal, (node, "additionalProperties"))
    if node.get("propertyNames", True) is not True:
        names = Names(goals=frozenset([goal(node["propertyNames"], True)]), is_others=True)
        yield _of_rule(names, False, goal, (node, "propertyNames"))
    if "minProperties" in node and node["minProperties"] > 0:
        least = node["minProperties"]
        yield [Members(least=least, least_keyword=(node, "minProperties"))], [Members(most=least - 1)]
    if "maxProperties" in node:
        most = node["maxProperties"]
        yield [Members(most=most)], [Members(least=most + 1, least_keyword=(node, "maxProperties"))]


def _of_rule(names: Names, child: Schema, goal: ToGoal, keyword: SchemaKeyword) -> Demand:
    """All members with names in a set fit; complement: one of them does not."""
    wanted, broken = goal(child, True), goal(child, False)
    if child is True:
        return [Members(rules=((names, wanted),))], []
    only = names.only
    if only is not None:
        return [Members(rules=((names, wanted),))], [Members(rules=((names, broken),), required=(only,))]
    return [Members(rules=((names, wanted),))], [Members(some=frozenset([(names, broken)]), some_keyword=keyword)]
