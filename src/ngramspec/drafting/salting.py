"""Histories separated by tenant: a segment's name and a salt make one key, which does not reveal the salt.

The word and the idea are vLLM's, whose `cache_salt` separates prefixes in its cache.
"""

import hashlib

from ngramspec.errors import shortened

_MARK = "\0salt:"
"""Prefix of the key of a salted segment; no segment's name may begin with it."""


def salted(segment: str | None, cache_salt: str | None) -> str | None:
    """The key by which a drafter knows `segment` of the tenant with this salt; None (nothing is kept) for None.

    Raises ValueError for a name that could be a salted key, and for an empty salt.
    """
    if segment is not None and segment.startswith(_MARK):
        raise ValueError(
            f"the name of a segment must not begin with {_MARK!r}, got {shortened(segment)}: choose another name"
        )
    if cache_salt is None or segment is None:
        return segment
    if not cache_salt:
        raise ValueError("cache_salt must not be empty, got '': leave it out if all rows may share a history")
    digest = hashlib.sha256(cache_salt.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_MARK}{digest}:{segment}"
