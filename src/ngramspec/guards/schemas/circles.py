"""References that lead in a circle at the same value: a schema that is nothing but itself."""

from collections.abc import Iterator

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.node import Node, Schema, children, named

IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords whose schemas hold for the value itself."""


def check_circles(root: Schema, definitions: dict[str, Schema]) -> None:
    """Raise GuardError where a schema is itself, or a combination of itself and others, at the same value.

    Each definition is walked once, and none inside of another: a hostile schema may have ten thousand in a chain.
    """
    references = {name: list(_references(schema)) for name, schema in {"": root, **definitions}.items()}
    done: set[str] = set()
    for start, nodes in references.items():
        path: dict[str, Iterator[Node]] = {} if start in done else {start: iter(nodes)}
        while path:
            name = next(reversed(path))
            node = next(path[name], None)
            if node is None:
                done.add(name)
                del path[name]
            elif named(node) in path:
                raise GuardError(
                    f"a reference must lead to a schema, got a circle at {node.pointer('$ref')}: put something between,"
                    " such as a property"
                )
            elif named(node) not in done:
                path[named(node)] = iter(references[named(node)])


def _references(schema: Schema) -> Iterator[Node]:
    """The schemas with a reference that hold for the same value as `schema`."""
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, Node):
            if "$ref" in node:
                yield node
            left += [child for keyword, child in children(node) if keyword in IN_PLACE]
