"""Histories apart by tenant: a segment's name and a salt make a key of their own, which says nothing of the salt.

The word and the idea are vLLM's, whose `cache_salt` keeps prefixes in its cache apart.
"""

import hashlib

from ngramspec.errors import shortened

_MARK = "\0salt:"
"""What the key of a salted segment begins with, and no name of a segment may."""


def salted(segment: str | None, cache_salt: str | None) -> str | None:
    """The key by which a drafter knows `segment` of the tenant with this salt; None for None, of which nothing is kept.

    Raises ValueError for a name that could be such a key, and for an empty salt.
    """
    if segment is not None and segment.startswith(_MARK):
        raise ValueError(
            f"the name of a segment must not begin with {_MARK!r}, got {shortened(segment)}: name it otherwise"
        )
    if cache_salt is None or segment is None:
        return segment
    if not cache_salt:
        raise ValueError("cache_salt must hold something, got '': leave it out where all share a history")
    digest = hashlib.sha256(cache_salt.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_MARK}{digest}:{segment}"
