"""References that apply to the same value: they must not form a cycle, nor pass through too many definitions."""

from collections.abc import Iterator

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.node import Node, Schema, children, named

IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords whose schemas apply to the value itself."""
MAX_LINKS = 50
"""Longest chain of references at one value; combining them recurses link by link."""


def check_references(root: Schema, definitions: dict[str, Schema]) -> None:
    """Raise GuardError if a schema refers to itself at the same value, directly or in a combination, or if references
    pass through more than MAX_LINKS definitions there.

    Each definition is walked once, without recursion into another: a hostile schema may chain ten thousand.
    """
    references = {name: list(_references(schema)) for name, schema in {"": root, **definitions}.items()}
    num_links: dict[str, int] = {}
    for start, nodes in references.items():
        path: dict[str, Iterator[Node]] = {} if start in num_links else {start: iter(nodes)}
        while path:
            name = next(reversed(path))
            node = next(path[name], None)
            if node is None:
                num_links[name] = max((1 + num_links[named(each)] for each in references[name]), default=0)
                if num_links[name] > MAX_LINKS:
                    raise GuardError(
                        f"references must lead through at most {MAX_LINKS} definitions at one value, got more at"
                        f" {references[name][0].pointer('$ref')}: refer to the last one"
                    )
                del path[name]
            elif named(node) in path:
                raise GuardError(
                    f"a reference must lead to a schema, got a cycle at {node.pointer('$ref')}: put something between,"
                    " such as a property"
                )
            elif named(node) not in num_links:
                path[named(node)] = iter(references[named(node)])


def _references(schema: Schema) -> Iterator[Node]:
    """The schemas with a reference that apply to the same value as `schema`."""
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, Node):
            if "$ref" in node:
                yield node
            left += [child for keyword, child in children(node) if keyword in IN_PLACE]
