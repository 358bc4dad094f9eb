"""Resolves references: by the identifiers and anchors of their document, and by JSON pointers.

RFC 3986 for URIs, RFC 6901 for pointers. Nothing is fetched; the metaschemas of the drafts are built in.
"""

from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.drafts import declared_draft
from ngramspec.guards.schemas.keyword_rules import SHAPES

MAX_URI = 2000
"""Longest absolute identifier, in characters."""


class Home(NamedTuple):
    """The context of a schema: the URI that its references are relative to, and its draft."""

    base: str
    draft: int


class Resources:
    """The schemas of a document by URI and by anchor."""

    def __init__(self, document: dict[str, Any], draft: int) -> None:
        self._schemas: dict[str, Any] = {}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._homes: dict[int, Home] = {}
        self._metaschemas: list[Any] = []  # kept alive, because `_homes` is keyed by identity
        self.root = self._add(document, Home("", draft))

    def _add(self, document: Any, home: Home) -> Home:
        """Note all schemas of `document`, and return its own home."""
        left = [(document, home)]
        self._schemas.setdefault(home.base, document)
        while left:
            schema, outer = left.pop()
            if not isinstance(schema, dict):
                continue
            home = _home_of(schema, outer)
            self._homes[id(schema)] = home
            if home.base != outer.base:
                self._schemas.setdefault(home.base, schema)
            for name in _anchors_of(schema, home.draft):
                self._anchors.setdefault((home.base, name), schema)
            inside: list[tuple[Any, Home]] = []
            for keyword, value in schema.items():
                shape = SHAPES[home.draft].get(keyword)
                if shape is not None and shape.fits(value):
                    inside += ((child, home) for _, child in shape.inside(value))
            left += reversed(inside)
        return self._homes[id(document)]

    def home_of(self, schema: dict[str, Any], outer: Home) -> Home:
        """The home of a schema; outer: of the schema around it, for a schema that only a reference reaches."""
        return self._homes.get(id(schema)) or _home_of(schema, outer)

    def found(self, reference: str, home: Home) -> tuple[Any, Home]:
        """The target of `reference` as written at `home`, and its home. Raises LookupError if there is none."""
        uri, fragment = home.base, reference[1:]
        if not reference.startswith("#"):
            uri, fragment = urldefrag(_joined(home.base, reference))
        if uri not in self._schemas:
            self._add_metaschema(uri)
        schema = self._schemas[uri]
        start = self._homes.get(id(schema), home)
        if not fragment:
            return schema, start
        if fragment.startswith("/"):
            return self._pointed(unquote(fragment), schema, start)
        name = unquote(fragment)
        target = self._anchors[(uri if (uri, name) in self._anchors else start.base), name]
        return target, self._homes[id(target)]

    def _pointed(self, pointer: str, schema: Any, home: Home) -> tuple[Any, Home]:
        for step in pointer[1:].split("/"):
            if isinstance(schema, list) and step.isascii() and step.isdecimal() and len(step) < 10:
                schema = schema[int(step)]
            elif isinstance(schema, dict):
                schema = schema[step.replace("~1", "/").replace("~0", "~")]
            else:
                raise LookupError(step)
            home = self._homes.get(id(schema), home) if isinstance(schema, dict) else home
        return schema, home

    def _add_metaschema(self, uri: str) -> None:
        from jsonschema_specifications import REGISTRY

        known = REGISTRY.get(uri)
        if known is None:
            raise LookupError(uri)
        self._metaschemas.append(known.contents)
        self._add(known.contents, Home(uri, declared_draft(known.contents) or 2020))


def _home_of(schema: dict[str, Any], outer: Home) -> Home:
    """The home of a schema by its identifier. Raises GuardError for an identifier that is not a URI."""
    draft = declared_draft(schema) or outer.draft
    name = schema.get("id" if draft == 4 else "$id")
    if not isinstance(name, str) or (draft <= 7 and ("$ref" in schema or name.startswith("#"))):
        return Home(outer.base, draft)
    try:
        return Home(_joined(outer.base, name).rstrip("#"), draft)
    except LookupError as error:
        raise GuardError(f"an identifier must be a URI of at most {MAX_URI} letters, got {shortened(name)}") from error


def _anchors_of(schema: dict[str, Any], draft: int) -> list[str]:
    keywords = {2019: ("$anchor",), 2020: ("$anchor", "$dynamicAnchor")}.get(draft, ())
    found = [schema[keyword] for keyword in keywords if isinstance(schema.get(keyword), str)]
    name = schema.get("id" if draft == 4 else "$id")
    return [*found, name[1:]] if draft <= 7 and isinstance(name, str) and name.startswith("#") else found


def _joined(base: str, uri: str) -> str:
    """`uri` resolved against `base`. Raises LookupError if it is not a URI, or too long."""
    try:
        found = urljoin(base, uri)
    except ValueError as error:
        raise LookupError(uri) from error
    if len(found) > MAX_URI and len(urldefrag(found)[0]) > MAX_URI:
        raise LookupError(uri)
    return found
