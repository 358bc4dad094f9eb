"""JSON schemas with any keywords beside and inside one another, and JSON values that may fit or not.

They are made from a seed, because Hypothesis by itself draws mostly trivial ones; `jsonschema` decides what fits.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import strategies as st

from ngramspec.testing.constraints import Constraint, dumped, fits

NAMES = ("a", "b", "ab", "c", "é", 'q"', "\na")
PATTERNS = ("^a", "b$", "^[ab]*$", "c", "^(?!ab)")
TYPES = ("null", "boolean", "object", "array", "number", "string", "integer")
SCALARS = (None, True, False, 0, 1, 2, 3, -1, 0.5, 2.5, 1e-3, 2**53 + 1, "", "a", "b", "ab", "abc", "c", 'q"', "\né")
BOUNDS = (-1, 0, 1, 2, 0.5, 1.5, 0.001, 2**53)
REFERENCES = ("#/$defs/one", "#/$defs/two", "#/$defs/three")
MAX_SPELLINGS = 5000
NUM_TEXTS = 12


def combined_schema(chance: Random) -> dict[str, Any]:
    """A schema with definitions that it may refer to; one of them refers to itself."""
    definitions = {
        "one": _apart(chance),
        "two": {"type": "object", "properties": {"a": {"$ref": "#/$defs/two"}}, "required": ["b"]},
        "three": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/three"}, {"type": "integer"}]}},
    }
    return {**_keywords(chance, 3), "$defs": definitions}


def combined_schemas() -> st.SearchStrategy[Constraint]:
    """Combined schemas, each with compact JSON that fits and JSON that does not, by `jsonschema`."""
    return st.integers(0, (1 << 32) - 1).map(lambda seed: combined_constraint(Random(seed)))


def combined_constraint(chance: Random) -> Constraint:
    """A constraint with a combined schema."""
    source = dumped(combined_schema(chance))
    texts = dict.fromkeys(dumped(json_value(chance)) for _ in range(NUM_TEXTS))
    verdicts = {text: fits(source, text) for text in texts}
    valid, invalid = (tuple(text for text, fit in verdicts.items() if fit is said) for said in (True, False))
    return Constraint("schema", source, valid=valid, invalid=invalid)


def json_value(chance: Random, depth: int = 2) -> Any:
    """A small JSON value."""
    kind = chance.random()
    if not depth or kind < 0.4:
        return chance.choice(SCALARS)
    if kind < 0.65:
        return [json_value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    names = chance.sample(NAMES, chance.randint(0, 4 if depth > 1 else 2))
    return {name: json_value(chance, depth - 1) for name in names}


def spellings(value: Any) -> list[str]:
    """`value` as JSON with the keys of its objects in each order, because a guard accepts only one; and 1 for 1.0."""
    return [json.dumps(ordered, ensure_ascii=False) for ordered in itertools.islice(_orders(value), MAX_SPELLINGS)]


def _orders(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from map(list, itertools.product(*(list(_orders(item)) for item in value)))
    elif isinstance(value, dict):
        for names in itertools.permutations(value):
            for items in itertools.product(*(list(_orders(value[name])) for name in names)):
                yield dict(zip(names, items, strict=True))
    else:
        yield int(value) if isinstance(value, float) and value.is_integer() else value


def _apart(chance: Random) -> Any:
    """A schema that does not refer to those that may refer to it."""
    schema = _schema(chance, 2)
    return True if REFERENCES[0] in json.dumps(schema) else schema


def _schema(chance: Random, depth: int) -> Any:
    if depth and chance.random() > 0.25:
        return _keywords(chance, depth)
    leaves: list[Callable[[], Any]] = [
        lambda: chance.random() < 0.5,
        lambda: {"type": chance.choice(TYPES)},
        lambda: {"enum": [chance.choice(SCALARS) for _ in range(chance.randint(1, 3))]},
        lambda: {"const": json_value(chance, 1)},
        lambda: {"type": "string", "pattern": chance.choice(PATTERNS)},
        lambda: {"minimum": chance.choice(BOUNDS)},
        lambda: {"$ref": chance.choice(REFERENCES)},
    ]
    return chance.choice(leaves)()


def _keywords(chance: Random, depth: int) -> dict[str, Any]:
    keywords = chance.sample(sorted(_VALUES), chance.randint(1, 4))
    return {keyword: _VALUES[keyword](chance, depth - 1) for keyword in keywords}


Make = Callable[[Random, int], Any]


def _each(names: tuple[str, ...], most: int) -> Make:
    """A schema for each of some names."""
    return lambda chance, depth: {
        name: _schema(chance, depth) for name in chance.sample(names, chance.randint(1, most))
    }


def _some(names: tuple[str, ...]) -> Make:
    return lambda chance, _: chance.sample(names, chance.randint(1, 2))


def _list(chance: Random, depth: int) -> Any:
    return [_schema(chance, depth) for _ in range(chance.randint(1, 3))]


def _count(chance: Random, _: int) -> Any:
    return chance.randint(0, 3)


def _one_of(values: tuple[Any, ...]) -> Make:
    return lambda chance, _: chance.choice(values)


_VALUES: dict[str, Make] = {
    "type": lambda chance, _: chance.choice([chance.choice(TYPES), chance.sample(TYPES, 3)]),
    "const": lambda chance, _: json_value(chance),
    "enum": lambda chance, _: [json_value(chance) for _ in range(chance.randint(1, 4))],
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _one_of(BOUNDS)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _count),
    **dict.fromkeys(("minContains", "maxContains"), _count),
    "multipleOf": _one_of((1, 2, 0.5, 3)),
    "pattern": _one_of(PATTERNS),
    "uniqueItems": _one_of((True,)),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _list),
    **dict.fromkeys(("not", "if", "then", "else", "items", "contains", "additionalProperties"), _schema),
    **dict.fromkeys(("propertyNames", "unevaluatedProperties", "unevaluatedItems"), _schema),
    "properties": _each(NAMES, 3),
    "patternProperties": _each(PATTERNS, 2),
    "dependentSchemas": _each(NAMES, 1),
    "required": _some(NAMES),
    "dependentRequired": lambda chance, _: {chance.choice(NAMES): chance.sample(NAMES, 1)},
    "$ref": _one_of(REFERENCES),
}
"""For each keyword, a maker of meaningful values."""
