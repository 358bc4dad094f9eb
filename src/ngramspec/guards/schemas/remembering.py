"""What is remembered while one source is made, and forgotten after it: the next one may be another tenant's.

Else it would be made sooner where it has a part that somebody else's had, and its time would tell.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast

_MOST = 1024
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")

_remembering: list[Any] = []


def within_a_source(function: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Let `function` remember its answers until `forget`."""
    remembering = lru_cache(maxsize=_MOST)(function)
    _remembering.append(remembering)
    return cast(Callable[_Given, _Found], remembering)


def forget() -> None:
    """Forget what was remembered of a source."""
    for function in _remembering:
        function.cache_clear()
    re.purge()
