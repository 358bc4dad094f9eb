"""From source to compiled grammar, once for each content, vocabulary and backend."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, get_args

from ngramspec.errors import GuardError, GuardWarning, did_you_mean
from ngramspec.guards.backends import llguidance, xgrammar
from ngramspec.guards.phases import Compiled
from ngramspec.guards.schemas import prepared, prepared_regex, why_unreadable
from ngramspec.guards.source import Backend, Kind, Source
from ngramspec.guards.types import BackendError
from ngramspec.guards.vocabulary import Vocabulary

MAX_KEPT = 256
"""Compiled grammars that are kept; the one unused for longest makes room."""


class _Made(Compiled, Protocol):
    """What a backend makes of a source; warnings: what it leaves out of it."""

    @property
    def warnings(self) -> list[str]: ...


_Compile = Callable[[Source, Vocabulary], _Made]
_COMPILERS: dict[str, _Compile] = {"llguidance": llguidance.compile_source, "xgrammar": xgrammar.compile_source}

_Key = tuple[str, Source, str, str, frozenset[int]]


class _Slot:
    """A grammar that is compiled, or is being compiled by whoever holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.compiled: Compiled | None = None
        self.left_out: list[str] = []


_slots: "OrderedDict[_Key, _Slot]" = OrderedDict()
_lock = threading.Lock()


def compiled(source: Source, vocabulary: Vocabulary, backend: Backend) -> Compiled:
    """The compiled grammar; compiled once, also when several threads ask for it together.

    Raises GuardError for what the backend cannot compile, UnsupportedError for what it would not enforce.
    """
    if backend not in get_args(Backend):
        meant = did_you_mean(backend, get_args(Backend))
        raise ValueError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}{meant}")
    key = (backend, source, vocabulary.fingerprint, vocabulary.cutting, vocabulary.padding)
    with _lock:
        slot = _slots.setdefault(key, _Slot())
        _slots.move_to_end(key)
        while len(_slots) > MAX_KEPT:
            _slots.popitem(last=False)
    with slot.lock:
        if slot.compiled is None:
            slot.compiled, slot.left_out = _compile(source, vocabulary, backend)
        grammar, left_out = slot.compiled, slot.left_out
    for message in left_out:  # each time, for whoever asks now may not be the one who was told
        warnings.warn(f"{backend} leaves out of the {source.kind}: {message}", GuardWarning, stacklevel=4)
    return grammar


def _compile(source: Source, vocabulary: Vocabulary, backend: Backend) -> tuple[Compiled, list[str]]:
    left_out: list[str] = []
    pattern = source.text
    if source.kind is Kind.JSON_SCHEMA:
        text, left_out = prepared(source.text, backend, source.lenient, source.whitespace)
        source = replace(source, text=text)
    elif source.kind is Kind.REGEX:
        source = replace(source, text=prepared_regex(source.text, backend))
    try:
        made = _COMPILERS[backend](source, vocabulary)
    except BackendError as error:
        named = why_unreadable(pattern) if source.kind is Kind.REGEX else None
        if named is not None:
            raise named from error
        raise GuardError(f"{backend} must be able to compile the {source.kind}, got: {error}") from error
    return made, [*left_out, *made.warnings]
