"""Detects the draft of JSON Schema that a schema is written in, and checks the schema against it."""

from collections import deque
from typing import Any, NamedTuple

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.keyword_rules import SHAPES
from ngramspec.guards.schemas.node import stepped

DRAFTS = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
}
URIS = {draft: uri for uri, draft in DRAFTS.items()}
NEWEST = 2020
OTHERS = (7, 4)


class Fault(NamedTuple):
    """A violation of a draft: its location, as a JSON pointer, and the broken rule."""

    location: str
    words: str


def declared_draft(schema: dict[str, Any]) -> int | None:
    """The draft that `$schema` names; None if it names none, or a custom one."""
    uri = schema.get("$schema")
    return DRAFTS.get(uri.rstrip("#")) if isinstance(uri, str) else None


def draft_of(schema: dict[str, Any]) -> int:
    """The draft that the schema is written in: the declared one, else the newest in which it is valid.

    Raises GuardError, with the location of the fault, if it is not valid in that draft.
    """
    declared = declared_draft(schema)
    fault = fault_in(schema, declared or NEWEST)
    if fault is None:
        return declared or NEWEST
    if declared is None:
        for draft in OTHERS:
            if fault_in(schema, draft) is None:
                return draft
    raise GuardError(f"a schema must be valid JSON Schema, got at {fault.location or 'its root'}: {fault.words}")


def fault_in(schema: Any, draft: int) -> Fault | None:
    """The first violation of the metaschema of `draft` by `schema` or a schema inside it; None if there is none.

    Whether patterns are regexes is checked elsewhere.
    """
    shapes = SHAPES[draft]
    left = deque([("", schema)])
    while left:
        location, each = left.popleft()
        if isinstance(each, bool) and draft > 4:
            continue
        if not isinstance(each, dict):
            return Fault(location, not_a_schema(each))
        for keyword, value in each.items():
            shape = shapes.get(keyword)
            if shape is None:
                continue
            if not shape.fits(value):
                return Fault(stepped(location, keyword), f"{keyword!r} must be {shape.words}, got {shortened(value)}")
            left += ((stepped(location, keyword, *steps), child) for steps, child in shape.inside(value))
        for exclusive, bound in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
            if draft == 4 and exclusive in each and bound not in each:
                return Fault(stepped(location, exclusive), f"{exclusive!r} must stand beside {bound!r} in draft 4")
    return None


def not_a_schema(value: Any) -> str:
    """The error message for a value that should be a schema."""
    return f"a schema must be an object, true or false, got {shortened(value)}"
