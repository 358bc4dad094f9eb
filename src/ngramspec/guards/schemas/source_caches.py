"""Caches that live while one source is compiled, and are cleared after it: the next source may be another tenant's.

Otherwise a source would compile faster if it shared a part with another tenant's, and the time would reveal that.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast

_MOST = 1024
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")

_caches: list[Any] = []


def cached_within_source(function: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Cache the results of `function` until `forget`."""
    cached = lru_cache(maxsize=_MOST)(function)
    _caches.append(cached)
    return cast(Callable[_Given, _Found], cached)


def forget() -> None:
    """Clear all caches of a source."""
    for function in _caches:
        function.cache_clear()
    re.purge()
