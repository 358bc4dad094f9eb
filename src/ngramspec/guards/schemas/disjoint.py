"""Proofs that two schemas have no value in common. False means that no proof was found.

Proofs are attempted for as many pairs as the budget allows (`work.py`), each pair once: a hostile schema has n^5 of
them for n names. Once the budget is used up no proof is found, and what depends on it is refused or written out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ngramspec.guards.schemas.complement import Resolve
from ngramspec.guards.schemas.node import Node, Schema, named
from ngramspec.guards.schemas.values import TYPES, key_of, type_of, types_of, values_of
from ngramspec.guards.schemas.work import Work, current

MAX_DEPTH = 6
"""Depth to which two schemas are compared; deeper they may be endless."""
MAX_PARTS = 100
"""Parts of a schema that are examined; further parts are left out of the proof."""


def are_disjoint(first: Schema, second: Schema, resolve: Resolve) -> bool:
    """Whether no value is valid in both, proved by types, values, bounds, items and required properties."""
    return _Proof(resolve, current()).apart(first, second, 0)


def are_told_apart(ways: Sequence[Schema], resolve: Resolve) -> bool:
    """Whether no value is valid in two of `ways`, from one look at each: by types, by values, and by a tag.

    A tag is a property that all their objects require, each with values of its own; pydantic calls it a discriminator.
    It separates hundreds of alternatives without comparing all pairs.
    """
    parts = [list(parts_of(way, resolve)) for way in ways]
    tag = _tag_of(parts, resolve)
    whole: Counter[str] = Counter()
    listed: Counter[Any] = Counter()
    for way in parts:
        if not way:  # true, or false
            return False
        values = {key_of(value) for each in map(values_of, way) if each is not None for value in each}
        kinds = _types(way)
        if not values and kinds == {"object"} and tag is not None:
            values = {("object", key) for key in _values_of_tag(way, tag, resolve) or ()}
        if values and not any(isinstance(key[1], frozenset) for key in values):  # a listed object may fit a tag too
            listed.update(values)
        else:
            whole.update(kinds)
    kinds_listed = Counter(key[0] for key in listed)
    is_whole_alone = all(count == 1 and not kinds_listed[kind] for kind, count in whole.items())
    return is_whole_alone and all(count == 1 for count in listed.values())


def _tag_of(ways: list[list[Node]], resolve: Resolve) -> str | None:
    """The property that most of `ways` require, with values that can be listed."""
    names: Counter[str] = Counter()
    for way in ways:
        required = dict.fromkeys(name for part in way for name in part.get("required", ()))
        names.update(name for name in islice(required, MAX_PARTS) if _values_of_tag(way, name, resolve))
    return max(names, key=names.__getitem__, default=None)


def _values_of_tag(way: list[Node], name: str, resolve: Resolve) -> set[Any] | None:
    """The values that property `name` can have in `way`, which requires it; None where they cannot be listed."""
    if not any(name in part.get("required", ()) for part in way):
        return None
    for part in way:
        known = part.get("properties", {}).get(name, True)
        for each in parts_of(known, resolve):
            values = values_of(each)
            if values is not None:
                return {key_of(value) for value in values}
    return None


class _Proof:
    def __init__(self, resolve: Resolve, work: Work) -> None:
        self._resolve = resolve
        self._work = work

    def apart(self, first: Schema, second: Schema, depth: int) -> bool:
        """Whether no value is valid in both, within the budget."""
        first, second = self._meant(first), self._meant(second)
        if first is False or second is False:
            return True
        if first is True or second is True or depth > MAX_DEPTH:
            return False
        work = self._work
        pair = (id(first), id(second), depth)
        if pair in work.proofs:
            return work.proofs[pair]
        if work.comparisons <= 0:
            return False
        work.comparisons -= 1
        work.proofs[pair] = False  # while the proof runs, and if it returns to itself
        work.compared.append((first, second))  # kept alive, because proofs are keyed by identity
        work.proofs[pair] = self._sought(first, second, depth)
        return work.proofs[pair]

    def _meant(self, schema: Schema) -> Schema:
        """The target of a schema that is nothing but a reference."""
        for _ in range(MAX_PARTS):
            if isinstance(schema, bool) or list(schema) != ["$ref"]:
                break
            schema = self._resolve(named(schema))
        return schema

    def _sought(self, first: Node, second: Node, depth: int) -> bool:
        ours, theirs = list(parts_of(first, self._resolve)), list(parts_of(second, self._resolve))
        common = _types(ours) & _types(theirs)
        if all(self._differ(json_type, ours, theirs, depth + 1) for json_type in sorted(common)):
            return True
        return any(
            "anyOf" in part and all(self.apart(way, other, depth + 1) for way in part["anyOf"])
            for parts, other in ((ours, second), (theirs, first))
            for part in parts
        )

    def _differ(self, json_type: str, ours: list[Node], theirs: list[Node], depth: int) -> bool:
        """Whether no value of type `json_type` fits both."""
        both = [*ours, *theirs]
        lists = [{key_of(value) for value in values} for values in map(values_of, both) if values is not None]
        if lists and not any(key[0] == json_type for key in set.intersection(*lists)):
            return True
        if json_type == "number":
            return _is_empty_range(both)
        if json_type == "string":
            return _is_empty(both, "minLength", "maxLength")
        if json_type == "array":
            return _is_empty(both, "minItems", "maxItems") or self._some_item_differs(ours, theirs, depth)
        if json_type == "object":
            return _is_empty(both, "minProperties", "maxProperties") or self._some_property_differs(both, depth)
        return False

    def _some_item_differs(self, ours: list[Node], theirs: list[Node], depth: int) -> bool:
        least = max((part.get("minItems", 0) for part in (*ours, *theirs)), default=0)
        return any(
            self.apart(one, other, depth)
            for index in range(min(least, 8))
            for one in _items(ours, index)
            for other in _items(theirs, index)
            if self._work.comparisons > 0
        )

    def _some_property_differs(self, parts: list[Node], depth: int) -> bool:
        """Whether a property that one of them requires cannot fit all; a tag is tried first."""
        required = dict.fromkeys(name for part in parts for name in part.get("required", ()))
        known = {name: [_property(part, name) for part in parts] for name in islice(required, MAX_PARTS)}
        tags = sorted(known, key=lambda name: not any(map(_is_listed, known[name])))
        return any(
            self.apart(one, other, depth)
            for name in tags
            for index, one in enumerate(known[name])
            for other in known[name][index:]
            if (one is not other or one is False) and self._work.comparisons > 0
        )


def parts_of(schema: Schema, resolve: Resolve) -> Iterator[Node]:
    """Schemas that all hold for a value of `schema`: itself, and those that it refers to and combines.

    Each once, and at most MAX_PARTS.
    """
    seen: set[int] = set()
    left = [schema]
    while left and len(seen) < MAX_PARTS:
        part = left.pop()
        if isinstance(part, bool) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        left += reversed(part.get("allOf", ()))
        if "$ref" in part:
            left.append(resolve(named(part)))


def _is_listed(schema: Schema) -> bool:
    return isinstance(schema, Node) and ("const" in schema or "enum" in schema)


def _types(parts: list[Node]) -> set[str]:
    found = set(TYPES)
    for part in parts:
        found &= types_of(part)
        values = values_of(part)
        if values is not None:
            found &= {type_of(value) for value in values}
    return found


def _is_empty(parts: list[Node], least: str, most: str) -> bool:
    lows = [part[least] for part in parts if least in part]
    highs = [part[most] for part in parts if most in part]
    return bool(lows and highs) and max(lows) > min(highs)


def _is_empty_range(parts: list[Node]) -> bool:
    lows = [(part[keyword], keyword == "exclusiveMinimum") for keyword in _LOWS for part in parts if keyword in part]
    highs = [(part[keyword], keyword == "exclusiveMaximum") for keyword in _HIGHS for part in parts if keyword in part]
    if not lows or not highs:
        return False
    low, is_low_out = max(lows)
    high, is_high_out = min(highs, key=lambda bound: (bound[0], not bound[1]))
    return bool(low > high or (low == high and (is_low_out or is_high_out)))


_LOWS, _HIGHS = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")


def _items(parts: list[Node], index: int) -> list[Schema]:
    return [
        part["prefixItems"][index] if index < len(part.get("prefixItems", ())) else part.get("items", True)
        for part in parts
    ]


def _property(part: Node, name: str) -> Any:
    """The schema of property `name` in `part`; true if it may depend on a pattern."""
    if name in part.get("properties", ()):
        return part["properties"][name]
    return True if part.get("patternProperties") else part.get("additionalProperties", True)
