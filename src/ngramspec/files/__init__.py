"""Untrusted files: read within bounds, and replaced whole or not at all."""
