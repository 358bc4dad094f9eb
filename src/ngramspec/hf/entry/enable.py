"""`enable(model)`: all callers of `model.generate(...)` get the same text, in fewer passes.

While any model is enabled, transformers' `generate()` is replaced by a function that looks up its model's setting.
Nothing is set on the model: its type, copies and pickles stay as they were, and so does its lifetime.
"""

import functools
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from torch import nn

from ngramspec import forking
from ngramspec.hf.entry.enabled_call import generate_enabled, values_of
from ngramspec.hf.entry.speculator import Speculator
from ngramspec.hf.entry.warning_once import WarningOnce
from ngramspec.hf.seam import GenerationMixin
from ngramspec.hf.types import Model

_lock = forking.lock()


@dataclass(slots=True)
class _Hook:
    """plain: transformers' own `generate()`. is_set: whether ours has replaced it."""

    plain: Callable[..., Any] = GenerationMixin.generate
    is_set: bool = False


@dataclass(eq=False, slots=True)
class _Setting:
    """One call of `enable`. replaced: the setting that the end of a `with` block restores."""

    spec: Speculator
    warnings: WarningOnce = field(default_factory=WarningOnce)
    replaced: "_Setting | None" = None
    is_over: bool = False


_settings: weakref.WeakKeyDictionary[Model, _Setting] = weakref.WeakKeyDictionary()
"""The current setting of each enabled model."""

_hook = _Hook()


class Enabled:
    """The result of `enable`. Ignore it, or use it in a `with` statement, whose end restores what `enable` replaced.

    spec: the Speculator that serves the model's calls; `with … as` binds it, too.
    """

    def __init__(self, model: Model, setting: _Setting, replaced: _Setting | None) -> None:
        self.spec = setting.spec
        self._model = weakref.ref(model)
        self._setting = setting
        self._replaced = replaced

    def __enter__(self) -> Speculator:
        """The Speculator that serves the model's calls."""
        if self._setting.is_over:
            raise RuntimeError("a with block ends an enable() for good, and this one has ended: call enable() again")
        self._setting.replaced = self._replaced
        return self.spec

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore what `enable` replaced, unless the model was enabled again or disabled in the meantime."""
        model = self._model()
        with _lock:
            self._setting.is_over = True
            if model is None or _settings.get(model) is not self._setting:
                return
            found = self._setting.replaced
            while found is not None and found.is_over:  # blocks of several threads may end in any order
                found = found.replaced
            _put(model, found)


def enable(model: Model, spec: Speculator | None = None) -> Enabled:
    """Let `model.generate(...)` speculate for all callers, until `disable(model)` or the end of a `with` block.

    >>> ngramspec.enable(model)                                                   # doctest: +SKIP
    >>> with ngramspec.enable(model) as spec: ...                                 # doctest: +SKIP

    model: a model of transformers, or a module around one (PEFT, `torch.compile`).
    spec: the Speculator, by default a new one. If a model is enabled twice, the last one serves.

    `generate()` takes four more arguments: `segment`, `cache_salt`, `references` and `speculate`, as in
    `Speculator.__call__`. A call that a Speculator refuses is served by plain `generate()`, with one NgramspecWarning
    per reason. A call with a `custom_generate`, an `assistant_model` or a `prompt_lookup_num_tokens` is passed through.
    A streamer is ended whatever is raised. The setting belongs to the model: it applies to all threads.

    Raises TypeError for a model without transformers' `generate()`, and for a spec that is not a Speculator.
    """
    if spec is not None and not isinstance(spec, Speculator):
        raise TypeError(
            f"spec must be a Speculator, got {spec!r}: enable(model, Speculator(…)), which takes such parts"
        )
    model = _generating(model)
    setting = _Setting(spec if spec is not None else Speculator())
    with _lock:
        replaced = _settings.get(model)
        _put(model, setting)
    return Enabled(model, setting, replaced)


def disable(model: Model) -> None:
    """Let `model.generate(...)` decode plainly again, however often it was enabled; a no-op if it was not."""
    model = _generating(model)
    with _lock:
        _put(model, None)


def _generating(model: Model) -> Model:
    """The model itself; of a module around one, the outermost module that generates."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    for module in modules:
        if isinstance(module, GenerationMixin):
            return module
    raise TypeError(f"model must be a model of transformers that generates, got {type(model).__name__}")


def _put(model: Model, setting: _Setting | None) -> None:
    """Make `setting` the setting of `model`; the caller must hold the lock."""
    if setting is None:
        _settings.pop(model, None)
    else:
        _settings[model] = setting
    if _settings and not _hook.is_set:
        _hook.plain, _hook.is_set = GenerationMixin.generate, True
        functools.update_wrapper(_generate, _hook.plain)
        setattr(GenerationMixin, "generate", _generate)  # noqa: B010
    elif not _settings and GenerationMixin.generate is _generate:  # otherwise other code has wrapped ours
        setattr(GenerationMixin, "generate", _hook.plain)  # noqa: B010
        _hook.is_set = False


def _generate(self: Model, *args: Any, **kwargs: Any) -> Any:
    """Replaces `GenerationMixin.generate`, and takes its name, signature and documentation."""
    setting = _settings.get(self)
    if setting is None or values_of(args, kwargs, "custom_generate"):
        return _hook.plain(self, *args, **kwargs)
    return generate_enabled(self, _hook.plain, setting.spec, setting.warnings, args, kwargs)
