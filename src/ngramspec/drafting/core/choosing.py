"""Chooses the core: the compiled one if it is installed, else the plain one, with one warning."""

import os
import warnings
from importlib import import_module
from types import ModuleType

from ngramspec import forking
from ngramspec.errors import NgramspecWarning, shortened

VARIABLE = "NGRAMSPEC_CORE"
"""Environment variable, read at import: `plain` for the plain core, `compiled` for the compiled one or an ImportError.
"""

_PLAIN, _COMPILED = "plain", "_native"


def _choose(wish: str | None) -> tuple[ModuleType, str | None]:
    """The core, and why it is not the compiled one, unless the plain one was requested."""
    if wish not in (None, "", "plain", "compiled"):
        raise ValueError(f"{VARIABLE} must be 'plain', 'compiled' or not set, got {shortened(wish)}")
    if wish == "plain":
        return _module(_PLAIN), None
    try:
        return _module(_COMPILED), None
    except ImportError as error:
        if wish == "compiled":
            raise
        return _module(_PLAIN), str(error)


def _module(name: str) -> ModuleType:
    return import_module(f"ngramspec.drafting.core.{name}")


chosen, _why_plain = _choose(os.environ.get(VARIABLE))
_lock = forking.lock()


def is_compiled() -> bool:
    """Whether drafting runs in compiled code."""
    return chosen.__name__.endswith(_COMPILED)


def warn_if_slow() -> None:
    """Give one NgramspecWarning per process if the plain core runs because there is no compiled one."""
    global _why_plain
    if _why_plain is None:
        return
    with _lock:
        reason, _why_plain = _why_plain, None
    if reason is not None:
        warnings.warn(
            "drafting must be compiled to be fast, got the plain Python core, which takes ten times as long"
            f" ({reason}): install a wheel of ngramspec for this platform, or a C++ compiler and then ngramspec"
            f" again; or set {VARIABLE}=plain to go on as it is",
            NgramspecWarning,
            stacklevel=3,
        )
