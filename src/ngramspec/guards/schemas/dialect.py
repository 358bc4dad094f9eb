"""Which draft of JSON Schema a schema is written in, and whether it is one."""

from typing import Any

from ngramspec.errors import GuardError, shortened
from ngramspec.guards.schemas.node import escaped

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


def declared_draft(schema: dict[str, Any]) -> int | None:
    """The draft that `$schema` names; None where it names none, or one of its author's own."""
    uri = schema.get("$schema")
    return DRAFTS.get(uri.rstrip("#")) if isinstance(uri, str) else None


def draft_of(schema: dict[str, Any]) -> int:
    """The draft that the schema is written in: what it declares, or else the newest in which it is a valid schema.

    Raises GuardError, with the place of the fault, for what is no valid schema there.
    """
    declared = declared_draft(schema)
    fault = _fault(schema, declared or NEWEST)
    if fault is None:
        return declared or NEWEST
    if declared is None:
        for draft in OTHERS:
            if _fault(schema, draft) is None:
                return draft
    place, message = fault
    raise GuardError(f"a schema must be valid JSON Schema, got at {place or 'its root'}: {message}")


def _fault(schema: dict[str, Any], draft: int) -> tuple[str, str] | None:
    """The place and the words of the first thing in which `schema` departs from its draft's metaschema.

    Whether a pattern is a regex is left to whoever compiles it: the metaschema's checker would ask Python.
    """
    from jsonschema import validators

    validator: Any = validators.validator_for({"$schema": URIS[draft]})
    try:
        error = next(validator(validator.META_SCHEMA).iter_errors(schema), None)
    except RecursionError:
        return "", "it is nested too deeply"
    if error is None:
        return None
    place = "".join(f"/{escaped(str(step))}" for step in error.absolute_path)
    return place, error.message if len(error.message) <= 200 else shortened(error.message, 200)
