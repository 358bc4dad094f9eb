"""What xgrammar enforces of a schema in normal form, found by experiment, and the schema in the form that it enforces.

Of `$ref`, `const`, `enum`, `anyOf`, `allOf` and `type` it takes the first one present and ignores the keywords beside
it; it needs a `type` before it looks at anything else. So a schema becomes one set of keywords, with all types if it
had none, or alternatives of such.
"""

import json
import math
from typing import Any

from ngramspec.guards.schemas.arrays import with_listed_arrays
from ngramspec.guards.schemas.complement import either
from ngramspec.guards.schemas.dialects import in_xgrammar
from ngramspec.guards.schemas.flattening import Schemas, flattened
from ngramspec.guards.schemas.formats import PATTERNS
from ngramspec.guards.schemas.logic import with_choices, without_conditions, without_not
from ngramspec.guards.schemas.node import Node, Schema, mapped
from ngramspec.guards.schemas.objects import with_named_properties, without_dependencies
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.refusing import Refuser
from ngramspec.guards.schemas.values import TYPES, constant, has_type, types_of
from ngramspec.guards.schemas.wellformed import is_quick_to_try

RULES = (
    without_dependencies, without_conditions, without_not, with_choices, with_named_properties, with_listed_arrays,
)  # fmt: skip
"""No `with_counted_properties`: xgrammar enforces counts natively."""

FORMATS = {"duration", "email", "hostname", "uri", "uuid", *PATTERNS}
BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
LENGTHS = ("minLength", "maxLength")
PLAIN = {
    "$ref", "type", "enum", "anyOf", "properties", "required", "additionalProperties", "minProperties",
    "maxProperties", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum",
}  # fmt: skip


def reason(node: Node, keyword: str) -> str | None:
    """Why xgrammar would not enforce `keyword`; None if it would."""
    value = node[keyword]
    if keyword == "format":
        return None if value in FORMATS else f"the format {value!r} is unknown to it"
    if keyword == "pattern":
        return "a format stands beside it" if "format" in node else _bad_pattern(value)
    if keyword in LENGTHS:
        return "a pattern or a format stands beside it" if {"pattern", "format"} & node.keys() else None
    if keyword == "multipleOf":
        return _bad_step(node, value)
    if keyword == "patternProperties":
        return _bad_patterns(node, value)
    if keyword == "properties":
        return _bad_properties(value)
    if keyword in BOUNDS:
        return _bad_bound(node, keyword, value)
    if keyword == "enum" and node.keys() - {"enum", "type"}:
        return "something stands beside it"
    if keyword == "allOf":
        return "it cannot be made one schema"
    return None if keyword in PLAIN else "it ignores it"


def _bad_pattern(pattern: str) -> str | None:
    try:
        in_xgrammar(pattern)
    except PatternError as error:
        return f"the pattern {pattern!r} has {error}"
    return None


def _bad_properties(properties: dict[str, Schema]) -> str | None:
    if any(json.dumps(name, ensure_ascii=False) != f'"{name}"' for name in properties):
        return "a name has letters that JSON escapes"
    return "it cannot forbid a property beside others that have no name" if False in properties.values() else None


def _bad_step(node: Node, step: float) -> str | None:
    if node.get("type") != "integer" or step != int(step):
        return "it counts steps of whole numbers only"
    return "a bound stands beside it" if BOUNDS & node.keys() else None


def _bad_bound(node: Node, keyword: str, bound: float) -> str | None:
    """xgrammar 0.2.8 stores bounds of integers as int64, and others as floats."""
    if node.get("type") not in ("integer", ["integer"]):
        return "it rounds bounds beyond 2^53, unless the type is integer" if abs(bound) > 2**53 else None
    least, most = -(2**63) + (keyword == "exclusiveMaximum"), 2**63 - 1 - (keyword == "exclusiveMinimum")
    return None if least <= bound <= most else "the bound is beyond 64 bits"


def _bad_patterns(node: Node, patterns: dict[str, Schema]) -> str | None:
    if (
        node.keys() & {"properties", "required", "minProperties", "maxProperties"}
        or node.get("additionalProperties", True) is not False
    ):
        return "it takes patterns only where nothing else is said of an object, and all other properties are forbidden"
    if len(patterns) > 1:
        return "a property may fit two patterns"
    return next(filter(None, map(_bad_pattern, patterns)), None)


def adapted(schemas: Schemas) -> Schemas:
    """The schemas in the form that xgrammar enforces; what has no such form stays, and is refused."""
    return flattened(schemas, _plain)


def _plain(node: Node) -> Schema:
    if "const" in node:
        node = node.with_({"enum": constant(node)}, without=("const",), said="const")
    if "enum" in node:
        return _listed(node)
    if "type" not in node and node:
        node = node.with_({"type": list(TYPES)})
    for change in (_with_known_required, _without_forbidden, _with_whole_bounds, _with_fitting_items):
        node = change(node)
    return node


def _listed(node: Node) -> Schema:
    """The values of an `enum` that have the right type; objects and arrays as schemas, for the spaces inside them."""
    values = [value for value in node["enum"] if has_type(node, value)]
    rest = node.with_({}, without=("enum", "type"))
    if rest and not _may_be_asked(rest, values):
        return node.with_({"enum": values}, without=("type",))
    values = [value for value in values if not rest or _is_valid(rest, value)]
    simple = [value for value in values if not isinstance(value, dict | list)]
    ways: list[Schema] = [node.made({"enum": simple}, node.said("enum"))] if simple else []
    return either(node, [*ways, *(_exactly(node, value) for value in values if isinstance(value, dict | list))])


MAX_ASKED = 10_000
"""Longest values that are checked by `jsonschema`, in characters."""


def _may_be_asked(rest: Node, values: list[Any]) -> bool:
    """Whether `jsonschema` can check `values` in bounded time: it matches patterns with Python's backtracking `re`, and
    compares items pairwise."""
    said, shown = json.dumps(rest.with_({}, without=("pattern",))), json.dumps(values, ensure_ascii=False)
    is_quick = not any(word in said for word in ('"$', '"pattern', '"format', '"uniqueItems'))
    return (
        is_quick
        and len(shown) <= MAX_ASKED
        and ("pattern" not in rest or (shown.isascii() and is_quick_to_try(rest["pattern"])))
    )


def _is_valid(rest: Node, value: Any) -> bool:
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(rest).is_valid(value))


def _exactly(node: Node, value: Any) -> Schema:
    if isinstance(value, dict):
        properties = {name: _exactly(node, item) for name, item in value.items()}
        keywords = {"properties": properties, "required": list(value)} if value else {}
        return Node({"type": "object", **keywords, "additionalProperties": False}, node.location)
    if isinstance(value, list):
        heads = {"prefixItems": [_exactly(node, item) for item in value], "minItems": len(value)} if value else {}
        return Node({"type": "array", **heads, "items": False}, node.location)
    return Node({"enum": [value]}, node.location)


def _with_known_required(node: Node) -> Node:
    """xgrammar requires only properties that have a schema."""
    known = node.get("properties", {})
    unknown = [name for name in node.get("required", ()) if name not in known]
    if not unknown or node.get("patternProperties"):
        return node
    rest = node.get("additionalProperties", True)
    return node.with_({"properties": known | dict.fromkeys(unknown, rest)})


def _without_forbidden(node: Node) -> Node:
    """Drop properties with schema false where all undeclared ones are forbidden."""
    known = node.get("properties", {})
    if node.get("additionalProperties") is not False or node.get("patternProperties"):
        return node
    if any(known.get(name, True) is False for name in node.get("required", ())):
        return node
    allowed = {name: child for name, child in known.items() if child is not False}
    return node.with_({"properties": allowed}) if len(allowed) < len(known) else node


def _with_whole_bounds(node: Node) -> Node:
    if node.get("type") not in ("integer", ["integer"]):
        return node
    changes = {
        keyword: math.ceil(node[keyword]) if keyword in ("minimum", "exclusiveMaximum") else math.floor(node[keyword])
        for keyword in BOUNDS & node.keys()
    }
    return node.with_(changes | {"type": "integer"})


def _with_fitting_items(node: Node) -> Node:
    """End the array before prefix items that are never reached, or false."""
    heads = node.get("prefixItems", [])
    most = min(node.get("maxItems", len(heads)), heads.index(False) if False in heads else len(heads))
    if most == len(heads):
        return node
    changes: dict[str, Any] = {"prefixItems": heads[:most], "items": False} if most else {"maxItems": 0}
    return node.with_(changes, without=("maxItems",) if most else ("prefixItems",))


ANY = {"$ref": "#/$defs/any"}
OF_ANY = {
    "anyOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": ANY},
        {"type": "object", "additionalProperties": ANY},
    ]
}
"""Any value. For an empty schema xgrammar writes spaces of its own, even if none are wanted."""


def said(schemas: Schemas, refuser: Refuser) -> str:
    """The schema text for xgrammar."""
    root = _in_dialect(schemas[""])
    if isinstance(root, bool):
        return json.dumps(root)
    definitions = {name: _in_dialect(schema) for name, schema in schemas.items() if name}
    document = {"$defs": definitions | {"any": OF_ANY}, **root}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _in_dialect(schema: Schema) -> Any:
    if schema is True or schema == {}:
        return dict(ANY)
    if isinstance(schema, bool):
        return schema
    node = mapped(schema, _in_dialect)
    if node.get("format") in PATTERNS:
        node["pattern"] = PATTERNS[node.pop("format")]
    if "pattern" in node:
        node["pattern"] = in_xgrammar(node["pattern"])
    if "patternProperties" in node:
        node["patternProperties"] = {in_xgrammar(regex): child for regex, child in node["patternProperties"].items()}
    types = types_of(node) if "type" in node else set()
    if "array" in types:
        node.setdefault("items", dict(ANY))
    if "object" in types:
        node.setdefault("additionalProperties", dict(ANY))
    return node
