"""Parts of a model that are not known to read a block of tokens like single ones.

Known are the classes of transformers in `families.txt`, each of which was tried, and their parts: unmodified modules of
transformers and torch, without hooks. Anything else may read the newest position only, count the tokens of a pass, or
depend on the row index: adapters, quantised layers, steering hooks, subclasses that prepare their inputs.
"""

import functools
import inspect
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from ngramspec.hf.facts.identity import identity_of, joint_identity
from ngramspec.hf.facts.known_code import is_known_class, is_known_code, is_known_model, modules_of
from ngramspec.hf.seam import ALL_ATTENTION_FUNCTIONS, attention_of
from ngramspec.hf.types import Model

_LAYERS_OF_LIBRARIES = ("peft.", "bitsandbytes.", "torch.ao.", "torchao.", "gptqmodel.", "awq.", "optimum.", "hqq.",
                        "transformers.integrations.")  # fmt: skip
"""Layers that only compute, and call no other code."""
_KNOWN_TENSORS = (nn.Parameter, torch.Tensor)
_METHODS = ("forward", "prepare_inputs_for_generation", "_update_model_kwargs_for_generation")


@dataclass(frozen=True, slots=True)
class Stranger:
    """One untried part of a model.

    name: what it is and where, for messages. identity: for hooks and functions, equal for the same object only; for
        modules, equal for the same class under the same name; None if it cannot be identified.
    runs_code: whether it is code around the passes of a model, which may keep what it has seen.
    """

    name: str
    identity: Hashable | None
    runs_code: bool = False


def strangers_in(model: Model) -> list[Stranger]:
    """The untried parts of `model`; none for most models. Takes some 2 µs per module.

    Runs in every call, because hooks and adapters come and go.
    """
    found = [*_of_class(model), *_of_attention(model)]
    for hooks in (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks):
        found += [_hook("every module", hook) for hook in tuple(hooks.values()) if not is_known_code(hook)]
    if not all(map(_is_known, parts_of(model))):
        for name, module in model.named_modules():
            found += _of_module(module, name or "the model")
    return found


def parts_of(model: Model) -> list[nn.Module]:
    """All modules of `model`. `modules()` takes three times as long, and this runs in every call."""
    parts, seen = [model], {id(model)}
    for part in parts:
        for child in tuple(part._modules.values()):
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                parts.append(child)
    return parts


def prepares_itself(model: Model) -> bool:
    """Whether code other than transformers' own prepares the inputs of `model`."""
    return not all(is_known_code(getattr(model, name)) for name in _METHODS[1:])


def _of_class(model: Model) -> Iterator[Stranger]:
    cls = type(model)
    is_ours = cls.__module__.startswith("ngramspec.")
    is_known = is_known_model(cls)
    if not is_ours and not is_known:
        identities = joint_identity([cls, *(getattr(cls, name) for name in _METHODS)])
        yield Stranger(f"the class {cls.__module__}.{cls.__qualname__}", identities, runs_code=True)
    for name in _METHODS:
        own = vars(model).get(name)
        if own is not None and not _is_bound(own, model, name) and not is_known_code(own):
            yield Stranger(f"its {name}, of {modules_of(own)[0]}", identity_of(own), runs_code=True)
        elif is_known and not is_known_code(getattr(cls, name)):
            method = getattr(cls, name)
            yield Stranger(f"its {name}, of {modules_of(method)[0]}", identity_of(method), runs_code=True)


def _of_attention(model: Model) -> Iterator[Stranger]:
    """The attention function, if it is not transformers' own."""
    name = attention_of(model)
    eager = getattr(sys.modules.get(type(model).__module__), "eager_attention_forward", None)
    function = eager if name == "eager" else ALL_ATTENTION_FUNCTIONS.get(name)
    if function is not None and not is_known_code(function):
        yield Stranger(f"the attention function {name!r}", identity_of(function), runs_code=True)


def _is_known(module: nn.Module) -> bool:
    """Whether a module on its own is known; runs for each module in each call."""
    if module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__:
        return False
    if not is_known_class(type(module)):
        return False
    for parameter in module._parameters.values():
        if type(parameter) not in _KNOWN_TENSORS and parameter is not None:
            return False
    return True


def _of_module(module: nn.Module, name: str) -> Iterator[Stranger]:
    """The untried parts of the module called `name`."""
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in tuple(hooks.values()):
            if not is_known_code(hook):
                yield _hook(name, hook)
    for hook in _of_accelerate(vars(module).get("_hf_hook")):
        yield _hook(name, hook)
    own = vars(module).get("forward")
    if name != "the model" and own is not None and not is_known_code(own):
        yield Stranger(f"a forward of its own in {name}", identity_of(own), runs_code=True)
    cls = type(module)
    if name != "the model" and not is_known_class(cls):
        identity = joint_identity([cls, getattr(cls, "forward", cls)])
        runs_code = not cls.__module__.startswith(_LAYERS_OF_LIBRARIES)
        yield Stranger(f"{name}, of the class {cls.__module__}.{cls.__qualname__}", (name, identity), runs_code)
    for key, parameter in module._parameters.items():
        of = type(parameter)
        if parameter is not None and of not in _KNOWN_TENSORS and not of.__module__.startswith("torch.distributed."):
            yield Stranger(f"{name}.{key}, of the class {of.__qualname__}", (name, key, identity_of(of)))


def _of_accelerate(hook: Any) -> Iterator[Any]:
    """The user's own hooks among those that accelerate runs."""
    for each in getattr(hook, "hooks", (hook,)):
        if each is not None and not type(each).__module__.startswith("accelerate."):
            yield each


def _hook(name: str, hook: Any) -> Stranger:
    return Stranger(f"the hook {_called(hook)} on {name}", identity_of(hook), runs_code=True)


def _is_bound(method: Any, model: Model, name: str) -> bool:
    """Whether `method`, set on the instance, is just that of its class."""
    own = getattr(type(model), name)
    return inspect.ismethod(method) and method.__self__ is model and method.__func__ is own


def _called(hook: Any) -> str:
    while isinstance(hook, functools.partial):
        hook = hook.func
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))
