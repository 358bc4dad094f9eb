"""Which draft of JSON Schema a schema is written in, and whether it is one."""

from collections import deque
from typing import Any, NamedTuple

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.node import stepped
from ngramspec.guards.schemas.shapes import SHAPES

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
    """Where a schema departs from its draft, as a JSON pointer, and how."""

    place: str
    words: str


def declared_draft(schema: dict[str, Any]) -> int | None:
    """The draft that `$schema` names; None where it names none, or one of its author's own."""
    uri = schema.get("$schema")
    return DRAFTS.get(uri.rstrip("#")) if isinstance(uri, str) else None


def draft_of(schema: dict[str, Any]) -> int:
    """The draft that the schema is written in: what it declares, or else the newest in which it is a valid schema.

    Raises GuardError, with the place of the fault, for what is no valid schema there.
    """
    declared = declared_draft(schema)
    fault = fault_in(schema, declared or NEWEST)
    if fault is None:
        return declared or NEWEST
    if declared is None:
        for draft in OTHERS:
            if fault_in(schema, draft) is None:
                return draft
    raise GuardError(f"a schema must be valid JSON Schema, got at {fault.place or 'its root'}: {fault.words}")


def fault_in(schema: Any, draft: int) -> Fault | None:
    """The first thing in which `schema`, or a schema inside of it, departs from the metaschema of `draft`.

    Whether a pattern is a regex is another question.
    """
    shapes = SHAPES[draft]
    left = deque([("", schema)])
    while left:
        place, each = left.popleft()
        if isinstance(each, bool) and draft > 4:
            continue
        if not isinstance(each, dict):
            return Fault(place, not_a_schema(each))
        for keyword, value in each.items():
            shape = shapes.get(keyword)
            if shape is None:
                continue
            if not shape.fits(value):
                return Fault(stepped(place, keyword), f"{keyword!r} must be {shape.words}, got {shortened(value)}")
            left += ((stepped(place, keyword, *steps), child) for steps, child in shape.inside(value))
        for exclusive, bound in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
            if draft == 4 and exclusive in each and bound not in each:
                return Fault(stepped(place, exclusive), f"{exclusive!r} must stand beside {bound!r} in draft 4")
    return None


def not_a_schema(value: Any) -> str:
    """What is said of a value where a schema must be."""
    return f"a schema must be an object, true or false, got {shortened(value)}"
