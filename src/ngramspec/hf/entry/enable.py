"""`enable(model)`: whoever calls `model.generate(...)` from then on gets the same text in fewer passes.

While any model is enabled, transformers' own `generate()` looks up whether the model it is called on is. Nothing is set
on the model: its type, copies and pickles stay what they were, and it is freed as early as ever.
"""

import functools
import warnings
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from torch import nn

from ngramspec import forking
from ngramspec.errors import NgramspecWarning, PromptError, RefusedError
from ngramspec.hf.choice.guards import has_guards, with_processors
from ngramspec.hf.choice.streaming import Stream
from ngramspec.hf.entry.generate import Attempt, generate_with
from ngramspec.hf.entry.speculator import MOST_WARNINGS, Speculator
from ngramspec.hf.seam import POSITIONAL, BaseStreamer, GenerationMixin, arguments_of_generate, prepared_config
from ngramspec.hf.types import Model

_lock = forking.lock()


@dataclass(slots=True)
class _Hook:
    """`plain`: transformers' own `generate()`; in whose place ours stands, where `is_set`."""

    plain: Callable[..., Any] = GenerationMixin.generate
    is_set: bool = False


@dataclass(eq=False, slots=True)
class _Setting:
    """One `enable`: what it replaced is put back, where it was a `with` block, once it is over."""

    spec: Speculator
    warned: set[str] = field(default_factory=set)
    replaced: "_Setting | None" = None
    is_over: bool = False


_settings: weakref.WeakKeyDictionary[Model, _Setting] = weakref.WeakKeyDictionary()
"""What holds now, by enabled model."""

_hook = _Hook()


class Enabled:
    """What `enable` returns: drop it, or use it in a `with` statement, whose end puts back what `enable` found.

    spec: the Speculator that serves the model's calls; `with` gives it too.
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
        """Put back what `enable` found, unless the model was enabled anew or disabled in the meantime."""
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
    """Let `model.generate(...)` speculate, whoever calls it, until `disable(model)` or the end of a `with` block.

    >>> ngramspec.enable(model)                                                   # doctest: +SKIP
    >>> with ngramspec.enable(model) as spec: ...                                 # doctest: +SKIP

    model: a model of transformers, or a module around one (PEFT, `torch.compile`), whose innermost calls count.
    spec: the Speculator, by default a new one. Enabled twice, the last one serves.

    `generate()` takes four arguments more: `segment`, `cache_salt`, `references` and `speculate`, as
    `Speculator.__call__` says. A call that a Speculator refuses is served by plain `generate()`, with one
    NgramspecWarning per reason; one that brings a `custom_generate`, an `assistant_model` or a
    `prompt_lookup_num_tokens` goes its own way. A streamer is ended whatever is raised. The setting is the model's: it
    holds in all threads.

    Raises TypeError for what has no `generate()` of transformers, and for a spec that is no Speculator.
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
    """Let `model.generate(...)` decode plainly again, however often it was enabled; nothing happens if it was not."""
    model = _generating(model)
    with _lock:
        _put(model, None)


def _generating(model: Model) -> Model:
    """The model itself or, in a module around it, the outermost one that generates."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    for module in modules:
        if isinstance(module, GenerationMixin):
            return module
    raise TypeError(f"model must be a model of transformers that generates, got {type(model).__name__}")


def _put(model: Model, setting: _Setting | None) -> None:
    """Let `setting` hold for `model` from now on; the caller holds the lock."""
    if setting is None:
        _settings.pop(model, None)
    else:
        _settings[model] = setting
    if _settings and not _hook.is_set:
        _hook.plain, _hook.is_set = GenerationMixin.generate, True
        functools.update_wrapper(_generate, _hook.plain)
        setattr(GenerationMixin, "generate", _generate)  # noqa: B010
    elif not _settings and GenerationMixin.generate is _generate:  # else somebody has wrapped ours, and relies on it
        setattr(GenerationMixin, "generate", _hook.plain)  # noqa: B010
        _hook.is_set = False


def _generate(self: Model, *args: Any, **kwargs: Any) -> Any:
    """Stands in for `GenerationMixin.generate`, whose name, signature and documentation it takes on."""
    setting = _settings.get(self)
    if setting is None or _given(args, kwargs, "custom_generate"):
        return _hook.plain(self, *args, **kwargs)
    streams = [Stream(streamer) for streamer in _distinct(_given(args, kwargs, "streamer"))]
    with ExitStack() as ends:  # whatever is raised, or whoever reads one in another thread would wait for ever
        for stream in streams:
            ends.callback(stream.end)
        try:
            return _speculating(self, setting, args, kwargs, streams[0] if streams else None)
        except BaseException:
            for streamer in _misplaced(args, kwargs):
                ends.callback(streamer.end)
            raise


def _speculating(
    model: Model, setting: _Setting, args: tuple[Any, ...], kwargs: dict[str, Any], stream: Stream | None
) -> Any:
    """A call of `generate()` of an enabled model; stream: instead of the streamer among its arguments."""
    plain = functools.partial(_hook.plain, model)
    arguments = arguments_of_generate(args, kwargs)
    if stream is not None:
        arguments["streamer"] = stream
    plainly = {name: value for name, value in arguments.items() if name not in _OURS}
    # A call that names another way to decode has made its choice: no warning.
    if arguments.get("assistant_model") is not None or arguments.get("prompt_lookup_num_tokens") is not None:
        return plain(**plainly)
    arguments.pop("streamer", None)
    attempt = Attempt(stream)
    try:
        return generate_with(setting.spec, model, plain, arguments, attempt)
    except (RefusedError, PromptError) as error:
        if attempt.has_begun:
            raise
        refusal = str(error)
    _warn_once(setting, type(model).__name__, refusal)
    return _plainly(model, plain, plainly) if has_guards(plainly.get("logits_processor")) else plain(**plainly)


def _given(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> list[Any]:
    """What is given for an argument of `generate()`, by position and by name; a call with both is refused later."""
    position = POSITIONAL.index(name)
    return [value for value in (*args[position : position + 1], kwargs.get(name)) if value is not None]


def _misplaced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[BaseStreamer]:
    """Streamers that a call gives for something else: at a wrong position, or by a name that is misspelled."""
    right = _given(args, kwargs, "streamer")
    given = _distinct([value for value in (*args, *kwargs.values()) if isinstance(value, BaseStreamer)])
    return [streamer for streamer in given if all(streamer is not each for each in right)]


def _distinct(values: list[Any]) -> list[Any]:
    """Each object once, however it compares."""
    return list({id(value): value for value in values}.values())


_OURS = ("segment", "references", "speculate", "cache_salt")
"""Arguments that a Speculator takes, and plain `generate()` does not."""


def _plainly(model: Model, plain: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Plain `generate()` with guards among its processors, which are then followed token by token."""
    ends = prepared_config(model, arguments).eos_token_id
    processors = with_processors(arguments["logits_processor"], [ends] if isinstance(ends, int) else ends)
    return plain(**{**arguments, "logits_processor": processors})


def _warn_once(setting: _Setting, name: str, refusal: str) -> None:
    reason = refusal.partition(", got ")[0]  # the rule without the value, which may be another one in every call
    with _lock:
        is_new = reason not in setting.warned and len(setting.warned) < MOST_WARNINGS
        if is_new:
            setting.warned.add(reason)
    if is_new:
        message = f"{name}.generate() decodes this call without drafts: {refusal}"
        warnings.warn(message, NgramspecWarning, stacklevel=4)
