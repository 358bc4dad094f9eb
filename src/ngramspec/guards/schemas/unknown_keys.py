"""Unknown keys of a schema: JSON Schema ignores them, so a typo allows everything."""

import difflib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ngramspec.errors import shortened
from ngramspec.guards.schemas.node import MANY, NAMED, ONE, stepped

SAYING = frozenset(
    [
        *ONE, *MANY, *NAMED, "additionalItems", "dependencies", "dependentRequired", "$ref", "$dynamicRef",
        "$recursiveRef", "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "pattern", "format", "required", "uniqueItems", "minLength", "maxLength", "minItems",
        "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
    ]
)  # fmt: skip
"""Keywords that constrain a value."""

NOTES = frozenset(
    [
        "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$defs", "definitions", "$vocabulary",
        "$comment", "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
        "contentEncoding", "contentMediaType", "contentSchema", "discriminator", "nullable", "externalDocs", "xml",
    ]
)  # fmt: skip
"""Keywords that do not constrain a value, including OpenAPI's."""

MAX_LETTERS = 40
"""Longest key that is compared with keywords, in characters; the longest keyword has 21."""
MAX_UNKNOWN = 1000
"""Most keys that are compared; more unknown keys than this are not typos."""
NEAR = 0.86
"""Similarity to a keyword that makes a key a typo: "propertes" is one, "options" and "enumNames" are not."""


def typos(text: str) -> tuple[str, ...]:
    """Probable typos in the keys of a schema (JSON text): each with its location and the probable keyword."""
    document = json.loads(text)
    unknown = (
        (location, schema, keyword)
        for location, schema in _schemas(document)
        for keyword in schema
        if not _is_known(keyword) and len(keyword) <= MAX_LETTERS
    )
    looked_at = list(islice(unknown, MAX_UNKNOWN))
    nearest = {keyword: _nearest(keyword) for _, _, keyword in looked_at}
    found = [
        f"{keyword!r} at {location or 'the root'}, which has no effect there: did you mean {nearest[keyword]!r}?"
        for location, schema, keyword in looked_at
        if nearest[keyword] is not None and nearest[keyword] not in schema
    ]
    if found or not isinstance(document, dict) or SAYING & document.keys() or all(map(_is_known, document)):
        return tuple(found)
    return (
        f"only {shortened(list(document))}, which have no effect, so that everything is allowed: write a schema such as"
        " {'type': 'object', 'properties': {…}}",
    )


def _is_known(keyword: str) -> bool:
    """Whether a key is a keyword, or a deliberate annotation: x-order, _format, @type."""
    return keyword in SAYING or keyword in NOTES or keyword.startswith("x-") or not keyword.lstrip("$")[:1].isalpha()


def _nearest(keyword: str) -> str | None:
    """The keyword that was probably meant by an unknown one."""
    written = _plain(keyword)
    turned = [plain for plain in _PLAIN if len(plain) > 3 and sorted(plain) == sorted(written)]
    near = turned or difflib.get_close_matches(written, _PLAIN, n=1, cutoff=NEAR)
    return _PLAIN[near[0]] if near else None


def _plain(keyword: str) -> str:
    plain = keyword.lower().strip("$").replace("_", "").replace("-", "")
    return plain[:-2] + "ies" if plain.endswith("ys") else plain  # "propertys"


_PLAIN = {_plain(keyword): keyword for keyword in sorted(SAYING)}


def _schemas(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """All schemas in `document`, with their locations as JSON pointers."""
    left = [("", document)]
    while left:
        location, schema = left.pop()
        if not isinstance(schema, dict):
            continue
        yield location, schema
        for keyword, value in schema.items():
            here = stepped(location, keyword)
            if keyword in ONE or keyword == "additionalItems":
                left.append((here, value))
            if isinstance(value, list) and keyword in (*MANY, "items"):
                left += [(stepped(here, index), child) for index, child in enumerate(value)]
            if isinstance(value, dict) and keyword in (*NAMED, "$defs", "definitions", "dependencies"):
                left += [(stepped(here, name), child) for name, child in value.items()]
