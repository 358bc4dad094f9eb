"""The releases of vLLM that this package is tested with: its scheduler and statistics have no public interface."""

TRIED = ("0.32.",)
"""Prefixes of their versions."""


def is_tested(version: str) -> bool:
    """Whether this release is one of them."""
    return version.startswith(TRIED)
