"""What a JSON schema says about a position in a text: which names may come next, which values, of what type.

It serves foresight alone. Its answers are only guesses, and checked elsewhere, so unknown keywords are ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ngramspec.foresight.prompt_values import written

Shape = Mapping[str, Any]
"""A schema without references or alternatives at its top."""

_MOST = 64
"""Most alternatives at a position; further ones are left out."""


class DeclaredNames(NamedTuple):
    """Names of an object: those declared, in the order of the schema; the position of each; those required."""

    declared: tuple[str, ...]
    positions: Mapping[str, int]
    required: frozenset[str]


class Shapes:
    """A schema, and queries about the positions in a text that it describes.

    A position has several shapes if alternatives apply: those of `anyOf` and `oneOf`.
    """

    def __init__(self, schema: Any) -> None:
        """schema: as `json.loads` returns it."""
        self._root = schema
        self._known: dict[int, tuple[Shape, ...]] = {}
        self._names: dict[int, tuple[Shape, DeclaredNames]] = {}
        self._quoted: dict[str, str] = {}
        self.top = self.of(schema)

    def of(self, schema: Any) -> tuple[Shape, ...]:
        """The shapes that a schema allows."""
        known = self._known.get(id(schema))
        if known is None:
            # The root, or an entry kept here, keeps the schema alive, so its id stays unique. A schema that refers to
            # itself adds nothing.
            self._known[id(schema)] = ({},)
            known = self._known[id(schema)] = tuple(islice(self._flat(schema), _MOST))
        return known

    def _flat(self, schema: Any) -> Iterator[Shape]:
        if not isinstance(schema, Mapping):
            yield {}
            return
        if "$ref" in schema:
            yield from self.of(self._referred(schema["$ref"]))
            return
        merged = dict(schema)
        for part in merged.pop("allOf", ()):
            merged = _merged(merged, self.of(part)[0])
        for keyword in ("anyOf", "oneOf"):
            choices = merged.pop(keyword, None)
            if choices:
                for choice in choices:
                    for shape in self.of(choice):
                        yield _merged(merged, shape)
                return
        yield merged

    def _referred(self, reference: Any) -> Any:
        found = self._root
        for part in str(reference).removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, Sequence) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found

    def names(self, shape: Shape) -> DeclaredNames:
        """The names of an object of this shape."""
        found = self._names.get(id(shape))
        if found is None:  # the entry keeps the shape alive, so its id stays unique
            properties, required = shape.get("properties") or {}, shape.get("required", ())
            declared = (*properties, *(name for name in required if name not in properties))
            positions = {name: position for position, name in enumerate(declared)}
            found = self._names[id(shape)] = shape, DeclaredNames(declared, positions, frozenset(required))
        return found[1]

    def quoted(self, name: str) -> str:
        """A declared name as written in JSON."""
        found = self._quoted.get(name)
        if found is None:
            found = self._quoted[name] = written(name)
        return found

    def member(self, shapes: Sequence[Shape], name: str) -> tuple[tuple[Shape, ...], tuple[Shape, ...]]:
        """The object `shapes` that may have `name`, and the shapes of its value."""
        objects: list[Shape] = []
        values: list[Shape] = []
        for shape in shapes:
            properties = shape.get("properties") or {}
            if name in properties:
                found = properties[name]
            else:
                found = shape.get("additionalProperties", True)
                if found is False:
                    continue
            objects.append(shape)
            values += self.of(found)
        return tuple(objects), _distinct(values)

    def item(self, shapes: Sequence[Shape], index: int) -> tuple[Shape, ...]:
        """The shapes of item `index` of the array `shapes`."""
        values: list[Shape] = []
        for shape in shapes:
            first = shape.get("prefixItems") or ()
            values += self.of(first[index] if index < len(first) else shape.get("items", True))
        return _distinct(values)


def objects(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The shapes that an object may have."""
    return tuple(shape for shape in shapes if "object" in types_of(shape))


def arrays(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The shapes that an array may have."""
    return tuple(shape for shape in shapes if "array" in types_of(shape))


ANY = ("object", "array", "string", "number", "boolean", "null")
"""The types of JSON."""


def types_of(shape: Shape) -> tuple[str, ...]:
    """The types of JSON that a value of `shape` may have."""
    named = shape.get("type")
    if named is not None:
        return (named,) if isinstance(named, str) else tuple(named)
    if "properties" in shape:
        return ("object",)
    if "items" in shape or "prefixItems" in shape:
        return ("array",)
    if "pattern" in shape or "format" in shape:
        return ("string",)
    return ANY


def fixed(shapes: Sequence[Shape]) -> list[Any]:
    """The values that the schema lists, if it lists all possible ones; else none."""
    found: list[Any] = []
    for shape in shapes:
        if "const" in shape:
            found.append(shape["const"])
        elif "enum" in shape:
            found += shape["enum"]
        elif types_of(shape) == ("null",):
            found.append(None)
        else:
            return []
    return found


def is_listed(shape: Shape) -> bool:
    """Whether the shape lists its values."""
    return "const" in shape or "enum" in shape


def allows(shape: Shape, value: Any) -> bool:
    """Whether the shape's list of values, if it has one, contains `value`, a string or number that was read."""
    listed = [shape["const"]] if "const" in shape else shape.get("enum")
    return listed is None or any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in listed)


def _distinct(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    found = {id(shape): shape for shape in shapes}
    return tuple(found.values())[:_MOST]


def _merged(first: Shape, second: Shape) -> dict[str, Any]:
    made = {**first, **second}
    if "properties" in first and "properties" in second:
        made["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        made["required"] = [*first["required"], *second["required"]]
    return made
