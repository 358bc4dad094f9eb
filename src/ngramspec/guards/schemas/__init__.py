"""JSON schemas: read in any draft, rewritten into what a backend enforces, and refused by name where that fails."""

from ngramspec.guards.schemas.preparing import prepared, prepared_regex

__all__ = ["prepared", "prepared_regex"]
