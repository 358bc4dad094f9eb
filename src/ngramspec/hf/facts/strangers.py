"""What of a model is not known to read a block of tokens as it reads one after another.

Known are the classes of transformers in `families.txt`, each of which was tried, and what they are made of: modules of
transformers and torch as they come, without hooks. All else may look at the newest position alone, count the tokens of
a pass, or go by the row: adapters, quantised layers, steering hooks, a subclass with a preparation of its own.
"""

import functools
import inspect
import sys
import types
import weakref
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from ngramspec.hf.seam import ALL_ATTENTION_FUNCTIONS, attention_of
from ngramspec.hf.types import Model

_KNOWN_MODULES = ("torch.nn.modules.", "torch.nn.utils.parametriz", "torch._dynamo.", "transformers.models.",
                  "transformers.activations", "transformers.modeling_", "transformers.pytorch_utils", "timm.",
                  "ngramspec.")  # fmt: skip
_KNOWN_CODE = ("torch.", "transformers.", "accelerate.", "timm.", "contextlib", "ngramspec.")
"""Where methods and hooks that leave a pass as it is were written."""
_LAYERS_OF_LIBRARIES = ("peft.", "bitsandbytes.", "torch.ao.", "torchao.", "gptqmodel.", "awq.", "optimum.", "hqq.",
                        "transformers.integrations.")  # fmt: skip
"""Layers that compute, and tell nobody what they have seen."""
_KNOWN_TENSORS = (nn.Parameter, torch.Tensor)
_METHODS = ("forward", "prepare_inputs_for_generation", "_update_model_kwargs_for_generation")
_MOST_WRAPPED = 16
"""Functions in functions that are looked into."""


class Same:
    """A thing and no other one, without keeping it alive; raises TypeError for what cannot be referred to weakly."""

    def __init__(self, thing: Any) -> None:
        self._reference = weakref.ref(thing)
        self._id = id(thing)

    def holds(self, thing: Any) -> bool:
        """Whether it is this very thing."""
        return self._reference() is thing

    @property
    def is_gone(self) -> bool:
        """Whether the thing is no more."""
        return self._reference() is None

    def __hash__(self) -> int:
        """Of the thing."""
        return self._id

    def __eq__(self, other: object) -> bool:
        """Whether both are of one thing that is still there."""
        return isinstance(other, Same) and self._id == other._id and not self.is_gone and not other.is_gone


@dataclass(frozen=True, slots=True)
class Stranger:
    """One thing that nobody has tried.

    name: what it is and where, for people. identity: of hooks and functions, equal for the same one only, and of
        modules, for those of one class at one name; None where it cannot be told from another one.
    runs_code: whether it is code around the passes of a model, which may tell others what it has seen.
    """

    name: str
    identity: Hashable | None
    runs_code: bool = False


def strangers_in(model: Model) -> list[Stranger]:
    """What of `model` is not known; empty for most models, which takes some 2 µs per module.

    It is asked in every call, for hooks and adapters come and go.
    """
    found = [*_of_class(model), *_of_attention(model)]
    for hooks in (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks):
        found += [_hook("every module", hook) for hook in tuple(hooks.values()) if not _is_known_code(hook)]
    if not all(map(_is_known, parts_of(model))):
        for name, module in model.named_modules():
            found += _of_module(module, name or "the model")
    return found


def parts_of(model: Model) -> list[nn.Module]:
    """All modules of `model`; `modules()` takes three times as long, and this is asked in every call."""
    parts, seen = [model], {id(model)}
    for part in parts:
        for child in tuple(part._modules.values()):
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                parts.append(child)
    return parts


def prepares_itself(model: Model) -> bool:
    """Whether the inputs of `model` are made by code that is not transformers' own."""
    return not all(_is_known_code(getattr(model, name)) for name in _METHODS[1:])


def is_gone(identity: Hashable) -> bool:
    """Whether something that `identity` is of is no more."""
    if isinstance(identity, tuple):
        return any(map(is_gone, identity))
    return isinstance(identity, Same) and identity.is_gone


@functools.cache
def known_classes() -> frozenset[str]:
    """Names of the classes of transformers that were tried, and drafted for."""
    return frozenset((files("ngramspec.hf.facts") / "families.txt").read_text(encoding="utf-8").split())


def _of_class(model: Model) -> Iterator[Stranger]:
    kind = type(model)
    is_ours = kind.__module__.startswith("ngramspec.")
    is_known = kind.__module__.startswith("transformers.models.") and kind.__name__ in known_classes()
    if not is_ours and not is_known:
        identities = _identity_of([kind, *(getattr(kind, name) for name in _METHODS)])
        yield Stranger(f"the class {kind.__module__}.{kind.__qualname__}", identities, runs_code=True)
    for name in _METHODS:
        own = vars(model).get(name)
        if own is not None and not _is_bound(own, model, name) and not _is_known_code(own):
            yield Stranger(f"its {name}, of {_sources(own)[0]}", _identity(own), runs_code=True)
        elif is_known and not _is_known_code(getattr(kind, name)):
            method = getattr(kind, name)
            yield Stranger(f"its {name}, of {_sources(method)[0]}", _identity(method), runs_code=True)


def _of_attention(model: Model) -> Iterator[Stranger]:
    """The function that attention is computed with, where it is not transformers' own."""
    name = attention_of(model)
    eager = getattr(sys.modules.get(type(model).__module__), "eager_attention_forward", None)
    function = eager if name == "eager" else ALL_ATTENTION_FUNCTIONS.get(name)
    if function is not None and not _is_known_code(function):
        yield Stranger(f"the attention function {name!r}", _identity(function), runs_code=True)


_verdicts: "weakref.WeakKeyDictionary[type, tuple[Same, bool]]" = weakref.WeakKeyDictionary()
"""By class of modules: the `forward` that was looked at, and whether it and the class are known."""


def _is_known(module: nn.Module) -> bool:
    """Whether nothing is strange about a part of a model, taken alone; asked of each part in each call."""
    if module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__:
        return False
    if not _is_known_class(type(module)):
        return False
    for parameter in module._parameters.values():
        if type(parameter) not in _KNOWN_TENSORS and parameter is not None:
            return False
    return True


def _is_known_class(kind: type) -> bool:
    """Whether a class of modules is known, and its `forward`, which libraries replace."""
    forward = getattr(kind, "forward", None)
    found = _verdicts.get(kind)
    if found is not None and found[0].holds(forward):
        return found[1]
    if forward is None:
        return False
    is_known = kind.__module__.startswith(_KNOWN_MODULES) and _is_known_code(forward)
    _verdicts[kind] = Same(forward), is_known
    return is_known


def _of_module(module: nn.Module, name: str) -> Iterator[Stranger]:
    """What is strange about the part of a model called `name`."""
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in tuple(hooks.values()):
            if not _is_known_code(hook):
                yield _hook(name, hook)
    for hook in _of_accelerate(vars(module).get("_hf_hook")):
        yield _hook(name, hook)
    own = vars(module).get("forward")
    if name != "the model" and own is not None and not _is_known_code(own):
        yield Stranger(f"a forward of its own in {name}", _identity(own), runs_code=True)
    kind = type(module)
    if name != "the model" and not _is_known_class(kind):
        identity = _identity_of([kind, getattr(kind, "forward", kind)])
        runs_code = not kind.__module__.startswith(_LAYERS_OF_LIBRARIES)
        yield Stranger(f"{name}, of the class {kind.__module__}.{kind.__qualname__}", (name, identity), runs_code)
    for key, parameter in module._parameters.items():
        of = type(parameter)
        if parameter is not None and of not in _KNOWN_TENSORS and not of.__module__.startswith("torch.distributed."):
            yield Stranger(f"{name}.{key}, of the class {of.__qualname__}", (name, key, _identity(of)))


def _of_accelerate(hook: Any) -> Iterator[Any]:
    """The hooks that accelerate runs for a user, who wrote them."""
    for each in getattr(hook, "hooks", (hook,)):
        if each is not None and not type(each).__module__.startswith("accelerate."):
            yield each


def _hook(name: str, hook: Any) -> Stranger:
    return Stranger(f"the hook {_called(hook)} on {name}", _identity(hook), runs_code=True)


def _is_bound(method: Any, model: Model, name: str) -> bool:
    """Whether `method`, set on the instance, is what its class has anyway."""
    own = getattr(type(model), name)
    return inspect.ismethod(method) and method.__self__ is model and method.__func__ is own


def _is_known_code(function: Any) -> bool:
    """Whether a function, and all that it wraps, was written where blocks are read as they are."""
    return all(source.startswith(_KNOWN_CODE) for source in _sources(function))


def _sources(function: Any, depth: int = 0) -> list[str]:
    """The modules in which a function, method, partial or callable object was written, and what it wraps."""
    if depth == _MOST_WRAPPED:
        return ["too many wrappers"]
    if inspect.ismethod(function):
        return _sources(function.__func__, depth + 1)
    wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
    inner = [] if wrapped is None else _sources(wrapped, depth + 1)
    if isinstance(function, functools.partial):
        return [*_sources(function.func, depth + 1), *inner]
    if isinstance(function, types.FunctionType):  # not __module__, which functools.wraps copies
        return [str(function.__globals__.get("__name__", "code without a module")), *inner]
    return [type(function).__module__, *inner]


def _called(hook: Any) -> str:
    while isinstance(hook, functools.partial):
        hook = hook.func
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))


def _identity(thing: Any) -> Hashable | None:
    """Equal for this thing alone, and not keeping it alive; None where that is not to be had."""
    parts = [thing.__self__, thing.__func__] if inspect.ismethod(thing) else [thing]
    return _identity_of(parts)


def _identity_of(things: Iterable[Any]) -> Hashable | None:
    try:
        return tuple(map(Same, things))
    except TypeError:
        return None
