"""Reads a user's schema, of any draft, into `Node`s: old forms become new ones, and references name definitions.

A keyword means what the drafts that define it say. One that is newer or older than the schema's own draft is read as
well: a `const` in a schema of draft 4 is intended, and the generated text is valid either way.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.drafts import draft_of, not_a_schema
from ngramspec.guards.schemas.formats import DEFINED
from ngramspec.guards.schemas.keyword_rules import ANY_DRAFT
from ngramspec.guards.schemas.node import MANY, NAMED, ONE, Node, Schema, stepped
from ngramspec.guards.schemas.reference_cycles import check_references
from ngramspec.guards.schemas.resolving import Home, Resources
from ngramspec.guards.schemas.wellformed import fault_in_pattern

PLAIN = (
    "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "pattern", "format", "required", "uniqueItems", "dependentRequired",
)  # fmt: skip
COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
)  # fmt: skip
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
READ = (*PLAIN, *COUNTS, *ONE, *MANY, *NAMED, "additionalItems", "dependencies", *REFERENCES)
UNEVALUATED = frozenset(["unevaluatedItems", "unevaluatedProperties"])
DYNAMIC = {"$dynamicRef": "$dynamicAnchor", "$recursiveRef": "$recursiveAnchor"}


def read(document: dict[str, Any] | bool) -> tuple[Schema, dict[str, Schema]]:
    """The schema in normal form, and the definitions that its references name.

    document: as `parsing.parsed` returns it, which bounds its depth.
    Raises GuardError if it is not a valid schema, or a reference has no target, an external one, or forms a cycle.
    """
    if isinstance(document, bool):
        return document, {}
    reader = _Reader(document, draft_of(document))
    root = reader.root()
    check_references(root, reader.definitions)
    return root, reader.definitions


class _Reader:
    def __init__(self, document: dict[str, Any], draft: int) -> None:
        self.definitions: dict[str, Schema] = {}
        self._document = document
        self._resources = Resources(document, draft)
        self._names: dict[int, str] = {}
        self._waiting: list[tuple[str, Any, str, Home]] = []
        self._locations: dict[int, str] = {}
        self._is_evaluated = False
        self._num_anchors = dict.fromkeys(DYNAMIC.values(), 0)
        for location, found in _objects(document):
            self._locations[id(found)] = location
            self._is_evaluated |= not UNEVALUATED.isdisjoint(found)
            for keyword in self._num_anchors.keys() & found.keys():
                self._num_anchors[keyword] += 1

    def root(self) -> Schema:
        """The schema itself; then the targets of its references, and of theirs, one after another without recursion."""
        root = self._read(self._document, "", self._resources.root)
        while self._waiting:
            name, target, location, home = self._waiting.pop()
            self.definitions[name] = self._read(target, location, home)
        return root

    def _read(self, schema: Any, location: str, home: Home) -> Schema:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise GuardError(f"{not_a_schema(schema)} at {location or 'its root'}")
        home = self._resources.home_of(schema, home)
        if "$ref" in schema and home.draft <= 7:  # keywords beside it are ignored
            _check(schema, location, ("$ref",))
            return Node({"$ref": self._named(schema["$ref"], stepped(location, "$ref"), home)}, location)
        _check(schema, location, READ)
        node = Node({key: schema[key] for key in PLAIN if key in schema}, location)
        node |= {key: _whole(schema[key]) for key in COUNTS if key in schema}

        def read(value: Any, *steps: str | int) -> Schema:
            return self._read(value, stepped(location, *steps), home)

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
        for keyword in REFERENCES:
            if keyword in schema:
                self._refer(node, keyword, schema[keyword], home)
        return _without_moot(_with_exclusive_bounds(node), self._is_evaluated)

    def _refer(self, node: Node, keyword: str, reference: str, home: Home) -> None:
        """Add a reference; a dynamic one is kept, unless its target cannot vary."""
        if self._num_anchors.get(DYNAMIC.get(keyword, ""), 0) > 1:
            node[keyword] = reference
            return
        target = self._named(reference, node.pointer(keyword), home)
        if "$ref" in node:
            node["allOf"] = [*node.get("allOf", []), Node({"$ref": target}, node.location, {"$ref": keyword})]
        else:
            node["$ref"] = target
            node.names["$ref"] = keyword

    def _named(self, reference: str, location: str, home: Home) -> str:
        """The name of the definition that `reference` names; it is read later if this is the first reference."""
        try:
            target, found = self._resources.found(reference, home)
        except LookupError as error:
            raise GuardError(
                f"a reference must name a schema in its own document, got {shortened(reference)} at {location}:"
                " put its target under $defs, because nothing is fetched"
            ) from error
        name = self._names.get(id(target)) if isinstance(target, dict) else None
        if name is None:
            name = f"d{len(self.definitions)}"
            self._names[id(target)] = name
            self.definitions[name] = True  # a placeholder until it is read
            written = stepped("", *reference.removeprefix("#").lstrip("/").split("/"))
            self._waiting.append((name, target, self._locations.get(id(target), written), found))
        return f"#/$defs/{name}"


def _check(schema: dict[str, Any], location: str, keywords: Sequence[str]) -> None:
    """Raise GuardError if a keyword, of any draft, has a value that it may not have in any draft.

    The schema was checked against its own draft, but not for keywords of other drafts, nor where only a reference
    leads.
    """
    for keyword in keywords:
        if keyword in schema and not ANY_DRAFT[keyword].fits(schema[keyword]):
            raise GuardError(
                f"a schema must be valid JSON Schema, got at {stepped(location, keyword)}: {keyword!r} must be"
                f" {ANY_DRAFT[keyword].words}, got {shortened(schema[keyword])}"
            )
    patterns = [schema["pattern"]] if "pattern" in keywords and "pattern" in schema else []
    for keyword, found in (("pattern", patterns), ("patternProperties", schema.get("patternProperties", ()))):
        for pattern in found:
            fault = fault_in_pattern(pattern)
            if fault is not None:
                where = stepped(location, keyword)
                raise GuardError(f"a pattern must be a regex of ECMA-262, got {shortened(pattern)} at {where}: {fault}")


def _objects(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All objects in `document`, schemas or not, and their locations."""
    left = [("", document)]
    while left:
        location, value = left.pop()
        if isinstance(value, dict):
            yield location, value
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        left += [(stepped(location, step), child) for step, child in steps if isinstance(child, dict | list)]


def _whole(number: Any) -> Any:
    """2.0 as 2."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _with_exclusive_bounds(node: Node) -> Node:
    """Rewrite the boolean exclusive bounds of draft 4 as numbers."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if not isinstance(node.get(exclusive), bool):
            continue
        if node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node


NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}


def _without_moot(node: Node, is_evaluated: bool) -> Node:
    """Remove what has no effect: keywords that need an absent one or have a value that allows all, other formats.

    is_evaluated: whether an `unevaluated…` keyword is in use, for which even a part without other effect counts.
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
