"""Code that is known to read a block of tokens as it reads one after another."""

import functools
import inspect
import types
import weakref
from importlib.resources import files
from typing import Any

from ngramspec.hf.facts.identity import Same

_KNOWN_MODULES = ("torch.nn.modules.", "torch.nn.utils.parametriz", "torch._dynamo.", "transformers.models.",
                  "transformers.activations", "transformers.modeling_", "transformers.pytorch_utils", "timm.",
                  "ngramspec.")  # fmt: skip


_KNOWN_CODE = ("torch.", "transformers.", "accelerate.", "timm.", "contextlib", "ngramspec.")
"""Where methods and hooks that leave a pass as it is were written."""


_MOST_WRAPPED = 16
"""Functions in functions that are looked into."""


@functools.cache
def known_classes() -> frozenset[str]:
    """Names of the classes of transformers that were tried, and drafted for."""
    return frozenset((files("ngramspec.hf.facts") / "families.txt").read_text(encoding="utf-8").split())


def is_known_model(kind: type) -> bool:
    """Whether a class of models is one of transformers' that were tried."""
    return kind.__module__.startswith("transformers.models.") and kind.__name__ in known_classes()


_verdicts: "weakref.WeakKeyDictionary[type, tuple[Same, bool]]" = weakref.WeakKeyDictionary()
"""By class of modules: the `forward` that was looked at, and whether it and the class are known."""


def is_known_class(kind: type) -> bool:
    """Whether a class of modules is known, and its `forward`, which libraries replace."""
    forward = getattr(kind, "forward", None)
    found = _verdicts.get(kind)
    if found is not None and found[0].holds(forward):
        return found[1]
    if forward is None:
        return False
    is_known = kind.__module__.startswith(_KNOWN_MODULES) and is_known_code(forward)
    _verdicts[kind] = Same(forward), is_known
    return is_known


def is_known_code(function: Any) -> bool:
    """Whether a function, and all that it wraps, was written where blocks are read as they are."""
    return all(source.startswith(_KNOWN_CODE) for source in modules_of(function))


def modules_of(function: Any, depth: int = 0) -> list[str]:
    """The modules in which a function, method, partial or callable object was written, and what it wraps."""
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
