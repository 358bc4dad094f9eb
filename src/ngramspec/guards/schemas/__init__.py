"""JSON schemas: read in any draft, rewritten into what a backend enforces, and refused by keyword where that fails."""

from ngramspec.guards.schemas.asked import is_type, open_classes, schema_text
from ngramspec.guards.schemas.keywords import slips
from ngramspec.guards.schemas.preparing import prepared, prepared_regex, why_unreadable
from ngramspec.guards.schemas.remembering import forget

__all__ = ["forget", "is_type", "open_classes", "prepared", "prepared_regex", "schema_text", "slips", "why_unreadable"]
