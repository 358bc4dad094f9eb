"""A user's schema, of any draft, as `Node`s: old forms become new ones, references name definitions.

A keyword means what the drafts say that have it. One that is newer or older than the schema's own draft is read as
well: who writes `const` into a schema of draft 4 means it, and what is generated is valid either way.
"""

from collections.abc import Iterator
from typing import Any

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.dialect import URIS, declared_draft, draft_of
from ngramspec.guards.schemas.formats import DEFINED
from ngramspec.guards.schemas.node import MANY, NAMED, ONE, Node, Schema, children, escaped, named

PLAIN = (
    "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "pattern", "format", "required", "uniqueItems", "dependentRequired",
)  # fmt: skip
COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
)  # fmt: skip
IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")


def read(document: dict[str, Any] | bool) -> tuple[Schema, dict[str, Schema]]:
    """The schema in normal form, and the definitions that its references name.

    Raises GuardError for what is no valid schema, and for references that lead nowhere, elsewhere or in a circle.
    """
    if isinstance(document, bool):
        return document, {}
    reader = _Reader(document, draft_of(document))
    root = reader.root()
    _check_circles(root, reader.definitions)
    return root, reader.definitions


class _Reader:
    def __init__(self, document: dict[str, Any], draft: int) -> None:
        from jsonschema_specifications import REGISTRY
        from referencing.jsonschema import specification_with

        self.definitions: dict[str, Schema] = {}
        self._document = document
        self._draft = draft
        self._names: dict[int, str] = {}
        self._is_evaluated = any(_count(document, f"unevaluated{what}") for what in ("Items", "Properties"))
        self._places = {id(value): place for place, value in _objects(document, "")}
        resource = specification_with(URIS[draft]).create_resource(document)
        uri = resource.id() or ""
        self._resolver: Any = REGISTRY.with_resource(uri, resource).crawl().resolver(uri)

    def root(self) -> Schema:
        return self._read(self._document, "", self._resolver, self._draft)

    def _read(self, schema: Any, place: str, resolver: Any, draft: int) -> Schema:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise GuardError(f"a schema must be an object, true or false, got {shortened(schema)} at {place}")
        draft = declared_draft(schema) or draft
        if place and any(isinstance(schema.get(name), str) for name in ("$id", "id")):
            resolver = _inside(schema, resolver, draft)
        if "$ref" in schema and draft <= 7:  # nothing else counts beside it
            return Node({"$ref": self._named(schema["$ref"], f"{place}/$ref", resolver, draft)}, place)
        node = Node({key: schema[key] for key in PLAIN if key in schema}, place)
        node |= {key: _whole(schema[key]) for key in COUNTS if key in schema}

        def read(value: Any, *steps: str | int) -> Schema:
            return self._read(value, place + "".join(f"/{escaped(str(step))}" for step in steps), resolver, draft)

        node |= {key: read(schema[key], key) for key in ONE if key in schema and not isinstance(schema[key], list)}
        node |= {
            key: [read(child, key, index) for index, child in enumerate(schema[key])] for key in MANY if key in schema
        }
        node |= {
            key: {name: read(child, key, name) for name, child in schema[key].items()} for key in NAMED if key in schema
        }
        if isinstance(schema.get("items"), list):
            node["prefixItems"] = [read(child, "items", index) for index, child in enumerate(schema["items"])]
            node.names["prefixItems"] = "items"
            if "additionalItems" in schema:
                node["items"] = read(schema["additionalItems"], "additionalItems")
                node.names["items"] = "additionalItems"
        for name, needed in schema.get("dependencies", {}).items():
            kind = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
            found = needed if isinstance(needed, list) else read(needed, "dependencies", name)
            node[kind] = node.get(kind, {}) | {name: found}
            node.names[kind] = "dependencies"
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in schema:
                self._refer(node, keyword, schema[keyword], resolver, draft)
        return _without_moot(_with_exclusive_bounds(node), self._is_evaluated)

    def _refer(self, node: Node, keyword: str, reference: str, resolver: Any, draft: int) -> None:
        """Add a reference; one that depends on who refers stays as it is, unless nothing can come of that."""
        dynamic = {"$dynamicRef": "$dynamicAnchor", "$recursiveRef": "$recursiveAnchor"}.get(keyword)
        if dynamic is not None and _count(self._document, dynamic) > 1:
            node[keyword] = reference
            return
        target = self._named(reference, node.pointer(keyword), resolver, draft)
        if "$ref" in node:
            node["allOf"] = [*node.get("allOf", []), Node({"$ref": target}, node.place, {"$ref": keyword})]
        else:
            node["$ref"] = target
            node.names["$ref"] = keyword

    def _named(self, reference: str, place: str, resolver: Any, draft: int) -> str:
        """The name of the definition that `reference` names, read when it is named first."""
        from referencing.exceptions import Unresolvable

        try:
            found = resolver.lookup(reference)
        except (Unresolvable, ValueError) as error:
            raise GuardError(
                f"a reference must name a schema inside of its own, got {reference!r} at {place}:"
                " put what it names under $defs, for nothing is fetched"
            ) from error
        target = found.contents
        name = self._names.get(id(target)) if isinstance(target, dict) else None
        if name is None:
            name = f"d{len(self.definitions)}"
            self._names[id(target)] = name
            self.definitions[name] = True  # stands in while it is read, for it may name itself
            home = self._places.get(id(target), reference.removeprefix("#"))
            self.definitions[name] = self._read(target, home, found.resolver, draft)
        return f"#/$defs/{name}"


def _objects(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield place, value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in steps:
        yield from _objects(child, f"{place}/{escaped(str(step))}")


def _inside(schema: dict[str, Any], resolver: Any, draft: int) -> Any:
    from referencing.jsonschema import specification_with

    return resolver.in_subresource(specification_with(URIS[draft]).create_resource(schema))


def _count(document: Any, keyword: str) -> int:
    return sum(keyword in found for _, found in _objects(document, ""))


def _whole(number: Any) -> Any:
    """2.0 counts as 2."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _with_exclusive_bounds(node: Node) -> Node:
    """Draft 4 says with true or false whether a bound itself is left out."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if not isinstance(node.get(exclusive), bool):
            continue
        if node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node


NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}


def _without_moot(node: Node, is_evaluated: bool) -> Node:
    """Without what says nothing: keywords that need another one, those at the value that allows all, other formats.

    is_evaluated: whether anything asks what is evaluated, for which a part counts that says nothing else.
    """
    if node.get("format") not in DEFINED:
        node.pop("format", None)
    for keyword, needed in NEEDS.items():
        if needed not in node:
            node.pop(keyword, None)
    if not ("then" in node or "else" in node or is_evaluated):
        node.pop("if", None)
    if node.get("minContains") == 0 and "maxContains" not in node and not is_evaluated:
        node.pop("contains")
        node.pop("minContains")
    if node.get("uniqueItems") is False or node.get("maxItems", 2) <= 1:
        node.pop("uniqueItems", None)
    return node


def _check_circles(root: Schema, definitions: dict[str, Schema]) -> None:
    """Raise GuardError where a schema is itself, or a combination of itself and others, at the same value."""
    done: set[str] = set()

    def visit(schema: Schema, inside: tuple[str, ...]) -> None:
        for keyword, child in children(schema) if isinstance(schema, Node) else ():
            if keyword in IN_PLACE:
                visit(child, inside)
        if not isinstance(schema, Node) or "$ref" not in schema:
            return
        name = named(schema)
        if name in inside:
            raise GuardError(f"a reference must lead to a schema, got a circle at {schema.pointer('$ref')}")
        if name not in done:
            visit(definitions[name], (*inside, name))
            done.add(name)

    visit(root, ())
    for name, definition in definitions.items():
        visit(definition, (name,))
