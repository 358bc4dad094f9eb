"""JSON schemas, with texts that fit and texts that do not, by `jsonschema`.

Keys come in the order in which a schema declares them, because guards accept that order.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from ngramspec.testing.constraints import Constraint, dumped, fits

NAMES = ("a", "b", "name", "é", "x y")
STRINGS = 'ab é"\\\n😀'
PATTERNS = {
    "^[a-c]{2,4}$": ["ab", "abca"],
    "^x[0-9]+$": ["x0", "x123"],
    "^(yes|no)$": ["yes", "no"],
    '^[^"]*$': ["", "a\\nb"],
}

Node = tuple[dict[str, Any], st.SearchStrategy[Any]]
"""A schema, and the instances that fit it."""


@st.composite
def json_schemas(draw: st.DrawFn, max_depth: int = 2) -> Constraint:
    """A schema, up to three texts of compact JSON that fit it, and up to three that do not."""
    schema, instances = _tree(draw) if draw(st.integers(0, 9)) == 9 else _node(draw, max_depth)
    source = dumped(schema)
    fitting = draw(st.lists(instances.map(dumped), min_size=1, max_size=3, unique=True))
    others = draw(st.lists(st.one_of(_values().map(dumped), instances.flatmap(_spoilt).map(dumped)), max_size=3))
    unfit = dict.fromkeys(text for text in others if fits(source, text) is False)
    return Constraint("schema", source, valid=tuple(fitting), invalid=tuple(unfit))


def _node(draw: st.DrawFn, depth: int) -> Node:
    leaves = [_string, _integer, _number, _pattern, _enum, _simple]
    make: Callable[[st.DrawFn, int], Node] = draw(
        st.sampled_from([*leaves, _object, _object, _array, _any_of] if depth else leaves)
    )
    return make(draw, depth)


def _string(draw: st.DrawFn, _depth: int) -> Node:
    least, more = draw(st.integers(0, 2)), draw(st.integers(0, 6))
    bounds = draw(st.sampled_from([{}, {"minLength": least}, {"minLength": least, "maxLength": least + more}]))
    return {"type": "string", **bounds}, st.text(STRINGS, min_size=least, max_size=least + more)


def _pattern(draw: st.DrawFn, _depth: int) -> Node:
    pattern = draw(st.sampled_from(sorted(PATTERNS)))
    return {"type": "string", "pattern": pattern}, st.sampled_from(PATTERNS[pattern])


def _integer(draw: st.DrawFn, _depth: int) -> Node:
    least, more = draw(st.integers(-20, 20)), draw(st.integers(0, 200))
    bounds = draw(st.sampled_from([{}, {"minimum": least}, {"minimum": least, "maximum": least + more}]))
    return {"type": "integer", **bounds}, st.integers(least, least + more)


def _number(draw: st.DrawFn, _depth: int) -> Node:
    least = draw(st.integers(-20, 20))
    bounds = draw(st.sampled_from([{}, {"minimum": least}, {"minimum": least, "maximum": least + 50}]))
    return {"type": "number", **bounds}, st.integers(0, 200).map(lambda quarters: least + quarters / 4)


def _enum(draw: st.DrawFn, _depth: int) -> Node:
    values = draw(st.lists(_scalars(), min_size=1, max_size=4, unique_by=repr))
    return draw(st.sampled_from([{"enum": values}, {"const": values[0]}])), st.just(values[0])


def _simple(draw: st.DrawFn, _depth: int) -> Node:
    return draw(st.sampled_from([({"type": "boolean"}, st.booleans()), ({"type": "null"}, st.none())]))


def _array(draw: st.DrawFn, depth: int) -> Node:
    items, instances = _node(draw, depth - 1)
    least, more = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    bounds = draw(st.sampled_from([{}, {"minItems": least}, {"minItems": least, "maxItems": least + more}]))
    return {"type": "array", "items": items, **bounds}, st.lists(instances, min_size=least, max_size=least + more)


def _any_of(draw: st.DrawFn, depth: int) -> Node:
    parts = [_node(draw, depth - 1) for _ in range(2)]
    return {"anyOf": [schema for schema, _ in parts]}, st.one_of([instances for _, instances in parts])


def _object(draw: st.DrawFn, depth: int) -> Node:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    properties = {name: _node(draw, depth - 1) for name in names}
    required = [name for name in names if draw(st.booleans())]
    more = draw(st.sampled_from([False, False, None, {"type": "integer"}]))
    schema: dict[str, Any] = {"type": "object", "properties": {name: node[0] for name, node in properties.items()}}
    schema |= {"required": required} if required else {}
    schema |= {} if more is None else {"additionalProperties": more}
    parts = {name: node[1] if name in required else st.one_of(_ABSENT, node[1]) for name, node in properties.items()}
    extra = {} if more is False else {"other": st.one_of(_ABSENT, st.integers(0, 9))}
    return schema, _instances({**parts, **extra})


def _tree(draw: st.DrawFn) -> Node:
    """A schema that refers to itself."""
    leaf, leaves = _node(draw, 0)
    tree = {
        "type": "object",
        "properties": {"value": leaf, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
        "required": ["value"],
        "additionalProperties": False,
    }
    end = _instances({"value": leaves})
    inner = _instances({"value": leaves, "children": st.lists(end, max_size=2)})
    return {"$defs": {"tree": tree}, "$ref": "#/$defs/tree"}, st.one_of(end, inner)


def _scalars() -> st.SearchStrategy[Any]:
    return st.one_of(st.text(STRINGS, max_size=4), st.integers(-99, 99), st.booleans(), st.none())


def _values() -> st.SearchStrategy[Any]:
    return st.one_of(
        _scalars(), st.lists(_scalars(), max_size=2), st.dictionaries(st.sampled_from(NAMES), _scalars(), max_size=2)
    )


@st.composite
def _spoilt(draw: st.DrawFn, instance: Any) -> Any:
    """`instance` with something in it replaced, left out or added."""
    if isinstance(instance, dict) and instance:
        name = draw(st.sampled_from(list(instance)))
        value = draw(st.one_of(_ABSENT, _scalars(), _spoilt(instance[name])))
        return _present({**instance, name: value})
    if isinstance(instance, list):
        return [*instance, draw(_scalars())]
    return draw(_scalars())


class _Absent:
    """Stands for an absent property."""


_ABSENT = st.builds(_Absent)


def _instances(properties: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Objects whose keys come in this order, which `st.fixed_dictionaries` would not keep."""
    return st.tuples(*properties.values()).map(lambda values: _present(dict(zip(properties, values, strict=True))))


def _present(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if not isinstance(value, _Absent)}
