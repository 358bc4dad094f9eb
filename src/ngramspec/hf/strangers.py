"""What of a model is not known to read a block of tokens as it reads one after another.

Known are the classes of transformers in `families.txt`, each of which was tried, and what they are made of: modules of
transformers and torch as they come, without hooks. All else may look at the newest position alone, count the tokens of
a pass, or go by the row: adapters, quantised layers, steering hooks, a subclass with a preparation of its own.
"""

import inspect
import weakref
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from ngramspec.hf.types import Model

_KNOWN_MODULES = ("torch.nn.modules.", "torch.nn.utils.parametriz", "transformers.models.", "transformers.activations",
                  "transformers.modeling_", "transformers.pytorch_utils", "timm.", "ngramspec.")  # fmt: skip
_KNOWN_CODE = ("torch.", "transformers.", "accelerate.", "timm.", "contextlib", "ngramspec.")
"""Where methods and hooks that leave a pass as it is were written."""
_KNOWN_TENSORS = (nn.Parameter, torch.Tensor)
_METHODS = ("forward", "prepare_inputs_for_generation", "_update_model_kwargs_for_generation")


@dataclass(frozen=True, slots=True)
class Stranger:
    """One thing that nobody has tried.

    name: what it is and where, for people. identity: equal for the same thing only, without keeping it alive; None
        where it cannot be told from another one.
    runs_code: whether it is code around the passes of a model, which may tell others what it has seen.
    """

    name: str
    identity: Hashable | None
    runs_code: bool = False


def strangers_in(model: Model) -> list[Stranger]:
    """What of `model` is not known; empty for most models, and then found in well under a millisecond.

    It is asked in every call, for hooks and adapters come and go.
    """
    found = list(_of_class(model))
    for hooks in (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks):
        found += [_hook("every module", hook) for hook in hooks.values() if not _is_known_code(hook)]
    if not all(map(_is_known, parts_of(model))):
        for name, module in model.named_modules():
            found += _of_module(module, name or "the model")
    return found


def parts_of(model: Model) -> list[nn.Module]:
    """All modules of `model`; `modules()` takes three times as long, and this is asked in every call."""
    parts = [model]
    for part in parts:
        parts += filter(None, part._modules.values())
    return parts


def prepares_itself(model: Model) -> bool:
    """Whether the inputs of `model` are made by code that is not transformers' own."""
    return not all(_is_known_code(getattr(model, name)) for name in _METHODS[1:])


@cache
def known_classes() -> frozenset[str]:
    """Names of the classes of transformers that were tried, and drafted for."""
    return frozenset((files("ngramspec.hf") / "families.txt").read_text(encoding="utf-8").split())


def _of_class(model: Model) -> Iterator[Stranger]:
    kind = type(model)
    is_ours = kind.__module__.startswith("ngramspec.")
    is_known = kind.__module__.startswith("transformers.models.") and kind.__name__ in known_classes()
    if not is_ours and not is_known:
        yield Stranger(f"the class {kind.__module__}.{kind.__qualname__}", _identity(kind), runs_code=True)
    for name in _METHODS:
        own = vars(model).get(name)
        method = own if own is not None and not _is_bound(own, model, name) else getattr(kind, name)
        if is_known and not _is_known_code(method):
            yield Stranger(f"its {name}, of {_sources(method)[0]}", _identity(method), runs_code=True)


def _is_known(module: nn.Module) -> bool:
    """Whether nothing is strange about a part of a model, taken alone; asked of each part in each call."""
    kind = type(module)
    if module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__:
        return False
    if not _is_known_class(cast(Hashable, kind), kind.forward):
        return False
    for parameter in module._parameters.values():
        if type(parameter) not in _KNOWN_TENSORS and parameter is not None:
            return False
    return True


@cache
def _is_known_class(kind: Hashable, forward: Any) -> bool:
    """Whether a class of modules is known, and its `forward`, which libraries replace."""
    assert isinstance(kind, type)
    return kind.__module__.startswith(_KNOWN_MODULES) and _is_known_code(forward)


def _of_module(module: nn.Module, name: str) -> Iterator[Stranger]:
    """What is strange about the part of a model called `name`."""
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in hooks.values():
            if not _is_known_code(hook):
                yield _hook(name, hook)
    own = vars(module).get("forward")
    if name != "the model" and own is not None and not _is_known_code(own):
        yield Stranger(f"a forward of its own in {name}", _identity(own), runs_code=True)
    kind = type(module)
    if name != "the model" and not _is_known_class(cast(Hashable, kind), kind.forward):
        yield Stranger(f"{name}, of the class {kind.__module__}.{kind.__qualname__}", (name, _identity(kind)))
    for key, parameter in module._parameters.items():
        if parameter is not None and type(parameter) not in _KNOWN_TENSORS and not _is_sharded(parameter):
            yield Stranger(
                f"{name}.{key}, of the class {type(parameter).__qualname__}", (name, key, _identity(type(parameter)))
            )


def _hook(name: str, hook: Any) -> Stranger:
    return Stranger(f"the hook {_called(hook)} on {name}", _identity(hook), runs_code=True)


def _is_bound(method: Any, model: Model, name: str) -> bool:
    """Whether `method`, set on the instance, is what its class has anyway."""
    own = getattr(type(model), name)
    return getattr(method, "__self__", None) is model and getattr(method, "__func__", None) is own


def _is_sharded(parameter: Any) -> bool:
    return type(parameter).__module__.startswith("torch.distributed.")


def _is_known_code(function: Any) -> bool:
    """Whether a function, and all that it wraps, was written where blocks are read as they are."""
    return all(source.startswith(_KNOWN_CODE) for source in _sources(function))


def _sources(function: Any) -> list[str]:
    """The modules in which a function, method, partial or callable object was written, and what it wraps."""
    function = getattr(function, "__func__", function)
    wrapped = [getattr(function, name) for name in ("func", "__wrapped__") if hasattr(function, name)]
    code = getattr(function, "__globals__", None)  # not __module__, which functools.wraps copies
    own = [] if "func" in dir(function) else [code["__name__"] if code is not None else type(function).__module__]
    return own + [source for each in wrapped for source in _sources(each)]


def _called(hook: Any) -> str:
    while hasattr(hook, "func"):
        hook = hook.func
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))


def _identity(thing: Any) -> Hashable | None:
    """Equal for this thing alone, and not keeping it alive; None where that is not to be had."""
    try:
        reference = weakref.WeakMethod(thing) if inspect.ismethod(thing) else weakref.ref(thing)
        hash(reference)
    except TypeError:
        return None
    return reference
