"""Numbers for schemas: equal ones share a number."""

from collections.abc import Callable
from typing import Any

from ngramspec.guards.schemas.node import MANY, NAMED, ONE, Node, Schema

FALSE, TRUE = 0, 1
"""The numbers of the schemas false and true."""


class Numbering:
    """Schemas by number."""

    def __init__(self) -> None:
        self._schemas: list[Schema] = [False, True]
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, tuple[Schema, int]] = {}

    def __getitem__(self, number: int) -> Schema:
        """The schema with `number`: the first of equal ones."""
        return self._schemas[number]

    def of(self, schema: Schema) -> int:
        """The number of `schema`."""
        if isinstance(schema, bool) or not schema:  # an empty schema accepts all
            return FALSE if schema is False else TRUE
        known = self._known.get(id(schema))
        if known is not None and known[0] is schema:
            return known[1]
        key = _key(schema, self.of)
        number = self._numbers.setdefault(key, len(self._schemas))
        if number == len(self._schemas):
            self._schemas.append(schema)
        self._known[id(schema)] = (schema, number)
        return number


def _key(node: Node, number: Callable[[Schema], int]) -> Any:
    return tuple((keyword, _part(keyword, node[keyword], number)) for keyword in sorted(node))


def _part(keyword: str, value: Any, number: Callable[[Schema], int]) -> Any:
    if keyword in ONE:
        return number(value)
    if keyword in MANY:
        return tuple(map(number, value))
    if keyword in NAMED:
        return tuple((name, number(child)) for name, child in value.items())
    return _frozen(value)


def _frozen(value: Any) -> Any:
    """A hashable value that differs wherever the JSON text does, whitespace aside."""
    if isinstance(value, dict):
        return "object", tuple((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_frozen, value))
    return type(value).__name__, value
