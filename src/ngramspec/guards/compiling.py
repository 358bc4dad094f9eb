"""From source to compiled grammar, once per content, vocabulary, backend, limits and salt."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

from ngramspec import forking
from ngramspec.errors import GuardError, UnsupportedError, did_you_mean
from ngramspec.guards.backends import llguidance, xgrammar
from ngramspec.guards.limits import Limits, raised
from ngramspec.guards.phases import Compiled
from ngramspec.guards.source import Backend, Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.vocabulary import Vocabulary
from ngramspec.guards.workers.preparing import NotCompiledError, Notes

MAX_KEPT = 256
"""Most compiled grammars that are kept; the least recently used ones are dropped."""
MAX_KEPT_BYTES = 256 << 20
"""Most bytes that these may hold, by estimate."""

_Compile = Callable[[Source, Vocabulary, Limits], tuple[Compiled, Notes, int]]
_COMPILERS: dict[str, _Compile] = {"llguidance": llguidance.compile_source, "xgrammar": xgrammar.compile_source}

_Key = tuple[str, Source, str, str, frozenset[int], Limits]


@dataclass(frozen=True, slots=True)
class CompiledSource:
    """A compiled grammar, and the notes on its source; num_bytes: estimated size of both."""

    compiled: Compiled
    notes: Notes
    num_bytes: int


@dataclass(slots=True)
class _Compilation:
    """A grammar that one thread is compiling, and others may be waiting for."""

    is_over: threading.Event = field(default_factory=threading.Event)
    result: CompiledSource | None = None
    refusal: tuple[type[GuardError], str] | None = None


class GrammarCache:
    """Recently compiled grammars. Refused sources are not kept."""

    def __init__(self) -> None:
        self.lock = forking.lock()
        self.running: dict[_Key, _Compilation] = {}
        self._grammars: OrderedDict[_Key, CompiledSource] = OrderedDict()
        self._num_bytes = 0

    def find(self, key: _Key) -> CompiledSource | None:
        """The grammar for `key`, if it is kept. Call it with the lock held."""
        result = self._grammars.get(key)
        if result is not None:
            self._grammars.move_to_end(key)
        return result

    def add(self, key: _Key, result: CompiledSource) -> None:
        """Keep `result`, and drop the least recently used ones. Call it with the lock held."""
        self._grammars[key] = result
        self._num_bytes += result.num_bytes
        while len(self._grammars) > MAX_KEPT or self._num_bytes > MAX_KEPT_BYTES:
            _, oldest = self._grammars.popitem(last=False)
            self._num_bytes -= oldest.num_bytes


_cache = GrammarCache()


def compiled(source: Source, vocabulary: Vocabulary, backend: Backend, limits: Limits) -> CompiledSource:
    """The compiled grammar. It is compiled once, even if several threads request it at the same time.

    Raises GuardError for what the backend cannot compile within the limits, UnsupportedError for what it would not
    enforce, and ValueError for an unknown backend.
    """
    if backend not in get_args(Backend):
        meant = did_you_mean(backend, get_args(Backend))
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}{meant}")
    key = (backend, source, vocabulary.fingerprint, vocabulary.cutting, vocabulary.padding, limits)
    result = None
    while result is None:
        result = _cached_or_compiled(key, source, vocabulary, limits)
    return result


def _cached_or_compiled(key: _Key, source: Source, vocabulary: Vocabulary, limits: Limits) -> CompiledSource | None:
    """The grammar: kept, compiled by another thread meanwhile, or here; None if that other thread was interrupted."""
    mine = _Compilation()
    try:
        with _cache.lock:
            found = _cache.find(key)
            compilation = mine if found is not None else _cache.running.setdefault(key, mine)
        if found is not None:
            return found
        if compilation is mine:
            mine.result = _compile(source, vocabulary, limits, key[0])
        else:
            compilation.is_over.wait()
    except GuardError as error:
        mine.refusal = type(error), str(error)
        raise
    finally:
        with _cache.lock:
            if _cache.running.get(key) is mine:
                del _cache.running[key]
            if mine.result is not None:
                _cache.add(key, mine.result)
        mine.is_over.set()
    if compilation.refusal is not None:
        kind, message = compilation.refusal
        raise kind(message)
    return compilation.result


def _compile(source: Source, vocabulary: Vocabulary, limits: Limits, backend: str) -> CompiledSource:
    num_bytes = len(source.text.encode())
    if num_bytes > limits.max_source_bytes:
        raise GuardError(
            f"a {source.language} must have at most max_source_bytes={limits.max_source_bytes}, got {num_bytes}:"
            f" {raised('max_source_bytes')}"
        )
    try:
        compiled, notes, held = _COMPILERS[backend](source, vocabulary, limits)
    except NotCompiledError as error:
        raise _refusal(error, source, backend, limits) from None
    except BackendError as error:
        raise _unreadable(source, backend, str(error)) from None
    return CompiledSource(compiled, notes, num_bytes + held)


def _refusal(error: NotCompiledError, source: Source, backend: str, limits: Limits) -> Exception:
    """The worker's error. A RuntimeError is a defect of ours, and stays one."""
    if error.name == "BackendError":
        return _unreadable(source, backend, str(error))
    if error.name == "MemoryError":
        limit = f"it needs more than max_memory_bytes={limits.max_memory_bytes}: {raised('max_memory_bytes')}"
        return _unreadable(source, backend, limit)
    return _ERRORS[error.name](str(error))


_ERRORS: dict[str, type[Exception]] = {
    "GuardError": GuardError,
    "UnsupportedError": UnsupportedError,
    "RuntimeError": RuntimeError,
}


def _unreadable(source: Source, backend: str, reason: str) -> GuardError:
    return GuardError(f"{backend} must be able to compile the {source.language}, got: {reason}")


if hasattr(os, "register_at_fork"):  # threads that were compiling do not exist in the child
    os.register_at_fork(after_in_child=_cache.running.clear)
