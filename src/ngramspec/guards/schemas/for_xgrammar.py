"""What xgrammar enforces of a schema in normal form, found by experiment, and the schema in the form that it enforces.

Of `$ref`, `const`, `enum`, `anyOf`, `allOf` and `type` it takes the first one present and ignores the keywords beside
it; without a `type` it looks at nothing else. So a schema becomes one set of keywords, with all types if it had none,
or alternatives of such sets. The default backend compiles all of JSON Schema, and xgrammar is used by name; so what
needs more than that is refused.
"""

import json
import math
from typing import Any

from ngramspec.guards.schemas.combining import Schemas, combined
from ngramspec.guards.schemas.formats import PATTERNS
from ngramspec.guards.schemas.node import Node, Schema, mapped
from ngramspec.guards.schemas.patterns import PatternError
from ngramspec.guards.schemas.values import TYPES, types_of, values_of
from ngramspec.guards.schemas.xgrammar_patterns import in_xgrammar

FORMATS = {"duration", "email", "hostname", "uri", "uuid", *PATTERNS}
BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
LENGTHS = ("minLength", "maxLength")
ALONE = {"$ref", "anyOf", "enum"}
PLAIN = {
    "type", "required", "additionalProperties", "minProperties", "maxProperties", "items", "minItems", "maxItems",
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
    if keyword == "prefixItems":
        return _bad_heads(node, value)
    if keyword in ALONE and len(node) > 1:
        return "it cannot be merged with the keywords beside it"
    if keyword == "enum" and any(isinstance(each, dict | list) for each in value):
        return "it writes listed objects and arrays with one spacing only"
    if keyword == "oneOf":
        return "its schemas are not told apart by types, or by a required property with values of its own"
    if keyword == "allOf":
        return "it cannot be written as one schema"
    return None if keyword in PLAIN or keyword in ALONE else "it ignores it"


def _bad_pattern(pattern: str) -> str | None:
    try:
        in_xgrammar(pattern)
    except PatternError as error:
        return f"the pattern {pattern!r} has {error}"
    return None


def _bad_properties(properties: dict[str, Schema]) -> str | None:
    if any(json.dumps(name, ensure_ascii=False) != f'"{name}"' for name in properties):
        return "a name has letters that JSON escapes"
    return "it cannot forbid a property" if False in properties.values() else None


def _bad_step(node: Node, step: float) -> str | None:
    if node.get("type") != "integer" or step != int(step):
        return "it supports steps of whole numbers only"
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
        return "it supports patterns only if nothing else constrains the object, and all other properties are forbidden"
    if len(patterns) > 1:
        return "a property may fit two patterns"
    return next(filter(None, map(_bad_pattern, patterns)), None)


def _bad_heads(node: Node, heads: list[Schema]) -> str | None:
    is_short = False in heads or node.get("maxItems", len(heads)) < len(heads)
    return "an array may end before its last one" if is_short else None


def adapted(schemas: Schemas) -> Schemas:
    """The schemas in the form that xgrammar enforces; what has no such form stays, and is refused."""
    return {name: _plain(schema) for name, schema in combined(schemas).items()}


def _plain(schema: Schema) -> Schema:
    if isinstance(schema, bool):
        return schema
    node = mapped(schema, _plain)
    values = values_of(node) if {"const", "enum"} & node.keys() else None
    if values is not None:
        user_keyword = node.user_keyword("const" if "const" in node else "enum")
        return node.with_({"enum": values}, without=("const", "type"), user_keyword=user_keyword) if values else False
    return _with_whole_bounds(_with_known_required(node))


def _with_known_required(node: Node) -> Node:
    """xgrammar requires only properties that have a schema."""
    known = node.get("properties", {})
    unknown = [name for name in node.get("required", ()) if name not in known]
    if not unknown or node.get("patternProperties"):
        return node
    rest = node.get("additionalProperties", True)
    return node.with_({"properties": known | dict.fromkeys(unknown, rest)})


def _with_whole_bounds(node: Node) -> Node:
    if node.get("type") not in ("integer", ["integer"]):
        return node
    changes = {
        keyword: math.ceil(node[keyword]) if keyword in ("minimum", "exclusiveMaximum") else math.floor(node[keyword])
        for keyword in BOUNDS & node.keys()
    }
    return node.with_(changes | {"type": "integer"})


ANY = {"$ref": "#/$defs/any"}
OF_ANY = {
    "anyOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": ANY},
        {"type": "object", "additionalProperties": ANY},
    ]
}
"""Any value. For an empty schema xgrammar writes spaces of its own, even if none are wanted."""


def schema_text(schemas: Schemas) -> str:
    """The schema text for xgrammar; it enforces all of `schemas`."""
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
    if node.keys() & ALONE:
        return node
    node.setdefault("type", list(TYPES))
    types = types_of(node)
    if "array" in types:
        node.setdefault("items", dict(ANY))
    if "object" in types:
        node.setdefault("additionalProperties", dict(ANY))
    return node
