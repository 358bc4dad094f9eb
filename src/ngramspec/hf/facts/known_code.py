"""Code that is known to read a block of tokens like single ones."""

import functools
import inspect
import types
import weakref
from importlib.resources import files
from typing import Any

from ngramspec.hf.facts.identity import WeakIdentity

_KNOWN_MODULES = ("torch.nn.modules.", "torch.nn.utils.parametriz", "torch._dynamo.", "transformers.models.",
                  "transformers.activations", "transformers.modeling_", "transformers.pytorch_utils", "timm.",
                  "ngramspec.")  # fmt: skip


_KNOWN_CODE = ("torch.", "transformers.", "accelerate.", "timm.", "contextlib", "ngramspec.")
"""Modules whose methods and hooks do not change a pass."""


_MOST_WRAPPED = 16
"""Most wrappers around a function that are looked through."""


@functools.cache
def known_classes() -> frozenset[str]:
    """Names of transformers' classes that were tried, and are drafted for."""
    return frozenset((files("ngramspec.hf.facts") / "families.txt").read_text(encoding="utf-8").split())


def is_known_model(cls: type) -> bool:
    """Whether `cls` is a model class of transformers that was tried."""
    return cls.__module__.startswith("transformers.models.") and cls.__name__ in known_classes()


_verdicts: "weakref.WeakKeyDictionary[type, tuple[WeakIdentity, bool]]" = weakref.WeakKeyDictionary()
"""By module class: the `forward` that was examined, and whether that and the class are known."""


def is_known_class(cls: type) -> bool:
    """Whether a module class is known, with its current `forward`, which libraries replace."""
    forward = getattr(cls, "forward", None)
    found = _verdicts.get(cls)
    if found is not None and found[0].holds(forward):
        return found[1]
    if forward is None:
        return False
    is_known = cls.__module__.startswith(_KNOWN_MODULES) and is_known_code(forward)
    _verdicts[cls] = WeakIdentity(forward), is_known
    return is_known


def is_known_code(function: Any) -> bool:
    """Whether a function, and everything that it wraps, comes from a known module."""
    return all(module.startswith(_KNOWN_CODE) for module in modules_of(function))


def modules_of(function: Any, depth: int = 0) -> list[str]:
    """Names of the modules that define a function, method, partial or callable object, and everything that it wraps."""
    if depth == _MOST_WRAPPED:
        return ["too many wrappers"]
    if inspect.ismethod(function):
        return modules_of(function.__func__, depth + 1)
    wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
    inner = [] if wrapped is None else modules_of(wrapped, depth + 1)
    if isinstance(function, functools.partial):
        return [*modules_of(function.func, depth + 1), *inner]
    if isinstance(function, types.FunctionType):  # not __module__, which functools.wraps copies
        return [str(function.__globals__.get("__name__", "code without a module")), *inner]
    return [type(function).__module__, *inner]
