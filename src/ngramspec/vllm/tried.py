"""The releases of vLLM that this room is tested with; its scheduler and its statistics are no public interfaces."""

TRIED = ("0.32.",)
"""Beginnings of their versions."""


def is_tried(version: str) -> bool:
    """Whether this release is one of them."""
    return version.startswith(TRIED)
