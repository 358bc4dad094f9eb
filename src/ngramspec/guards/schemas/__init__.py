"""JSON schemas: read in any draft, rewritten into what a backend enforces, and refused by keyword where that fails."""

from ngramspec.guards.schemas.preparing import prepared, prepared_regex, why_unreadable
from ngramspec.guards.schemas.source_caches import forget
from ngramspec.guards.schemas.unknown_keys import typos
from ngramspec.guards.schemas.user_schema import is_type, open_classes, schema_text

__all__ = ["forget", "is_type", "open_classes", "prepared", "prepared_regex", "schema_text", "typos", "why_unreadable"]
