"""What llguidance enforces of a schema in normal form, and the schema in its dialect."""

import json
from contextlib import suppress
from functools import partial
from typing import Any

from ngramspec.errors import GuardError
from ngramspec.guards.schemas.arrays import with_listed_arrays
from ngramspec.guards.schemas.dialects import in_rust
from ngramspec.guards.schemas.escaped_names import WITHOUT_CODES, is_left_open, with_others_by_pattern
from ngramspec.guards.schemas.flattening import EndlessError, Schemas, flattened
from ngramspec.guards.schemas.formats import PATTERNS
from ngramspec.guards.schemas.logic import with_choices, without_conditions, without_not
from ngramspec.guards.schemas.node import Node, Schema, children, mapped, named
from ngramspec.guards.schemas.objects import with_counted_properties, with_named_properties, without_dependencies
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.refusing import Refuser, without
from ngramspec.guards.schemas.steps import check_steps

RULES = (
    without_dependencies, without_conditions, without_not, with_choices, with_named_properties,
    with_counted_properties, with_listed_arrays,
)  # fmt: skip
UNKNOWN = {
    "not", "oneOf", "if", "contains", "uniqueItems", "propertyNames", "dependentRequired", "dependentSchemas",
    "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef",
}  # fmt: skip
FORMATS = {"duration", "email", "hostname", "uri", "uuid", *PATTERNS}
MAX_REFUSALS = 100
TANGLED = ("circular references with sibling keys", "intersection stack level exceeded")
"""What it says where schemas should be combined before it sees them."""
UNSATISFIABLE = "Unsatisfiable schema"


def reason(node: Node, keyword: str) -> str | None:
    """Why llguidance would not enforce `keyword`; what depends on more than the keyword shows when it compiles."""
    if keyword in UNKNOWN:
        return "it can be said in no other way here"
    if keyword == "format" and node["format"] not in FORMATS:
        return f"the format {node['format']!r} is no regular language"
    if keyword not in ("pattern", "patternProperties"):
        return None
    for pattern in [node["pattern"]] if keyword == "pattern" else node["patternProperties"]:
        try:
            in_rust(pattern)
        except PatternError as error:
            return f"the pattern {pattern!r} has {error}"
    return None


def adapted(schemas: Schemas) -> Schemas:
    """It looks at all keywords, side by side."""
    return schemas


def said(schemas: Schemas, refuser: Refuser) -> str:
    """The schema as llguidance compiles it; what it cannot compile is refused, and left out."""
    check_steps(schemas)
    error = _error(schemas, schemas[""])
    if error is not None and any(words in error for words in TANGLED):
        with suppress(EndlessError):  # then what is tangled is refused by its name
            schemas = flattened(schemas)
    while (error := _error(schemas, schemas[""])) is not None:
        if error.startswith(UNSATISFIABLE):
            raise GuardError(
                f"a schema must leave something to generate, got one in which llguidance finds nothing: {error}"
            )
        if len(refuser.refusals) > MAX_REFUSALS:
            raise GuardError(f"llguidance must be able to compile the schema, got: {error}")
        node = _smallest_that_fails(schemas, schemas[""])
        keyword = _keyword_that_fails(schemas, node)
        if keyword is None:
            raise GuardError(
                f"llguidance must be able to compile the schema, got at {node.place or 'its root'}: {error}"
            )
        refuser.refuse(node, keyword, str(_error(schemas, node)).partition("\n")[0])
        smaller = without(node, keyword)
        node.clear()
        node.update(smaller)
    return _with_names_as_declared(schemas)


def _with_names_as_declared(schemas: Schemas) -> str:
    """The schema such that no other property is a declared one, written otherwise."""
    by_pattern = {name: with_others_by_pattern(schema) for name, schema in schemas.items()}
    if not any(map(is_left_open, by_pattern.values())) and _error(by_pattern, by_pattern[""]) is None:
        return _text(by_pattern, by_pattern[""])
    return _text(schemas, schemas[""], WITHOUT_CODES if any(map(is_left_open, schemas.values())) else {})


def _text(schemas: Schemas, root: Schema, options: dict[str, Any] | None = None) -> str:
    definitions = {name: _in_dialect(schema, schemas) for name, schema in schemas.items() if name}
    said = _in_dialect(root, schemas)
    if isinstance(said, bool):
        return json.dumps(said)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **(options or {}), "$defs": definitions}
    return json.dumps(head | said, ensure_ascii=False, separators=(",", ":"))


def _in_dialect(schema: Schema, schemas: Schemas) -> Any:
    """Patterns as Rust reads them, formats that are patterns, and no references to true and false."""
    if isinstance(schema, bool):
        return schema
    node = mapped(schema, partial(_in_dialect, schemas=schemas))
    target = schemas.get(named(node), True) if "$ref" in node else None
    if target is False:  # a definition that is false would be an error, used or not
        return False
    if target is True:
        del node["$ref"]
    if "pattern" in node:
        node["pattern"] = in_rust(node["pattern"])
    if "patternProperties" in node:
        node["patternProperties"] = {in_rust(regex): child for regex, child in node["patternProperties"].items()}
    if node.get("format") in PATTERNS:
        pattern = in_rust(PATTERNS[node.pop("format")])
        node |= {"allOf": [*node.get("allOf", []), {"pattern": pattern}]} if "pattern" in node else {"pattern": pattern}
    return node


def _error(schemas: Schemas, schema: Schema) -> str | None:
    from llguidance import LLMatcher

    grammar = LLMatcher.grammar_from_json_schema(_text(schemas, schema))
    is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar)
    return messages[0] if is_error else None


def _smallest_that_fails(schemas: Schemas, schema: Schema) -> Node:
    seen: set[int] = set()

    def fails(child: Schema) -> bool:
        if isinstance(child, bool) or id(child) in seen:
            return False
        error = _error(schemas, child)
        return error is not None and not error.startswith(UNSATISFIABLE)

    while True:
        assert isinstance(schema, Node)
        seen.add(id(schema))
        inside = [child for _, child in children(schema)]
        inside += [schemas[named(schema)]] if "$ref" in schema else []
        smaller = next(filter(fails, inside), None)
        if smaller is None:
            return schema
        schema = smaller


def _keyword_that_fails(schemas: Schemas, node: Node) -> str | None:
    for keyword in node:
        if keyword != "type" and _error(schemas, without(node, keyword)) is None:
            return keyword
    return None
