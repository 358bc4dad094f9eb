"""What is done with a hostile input: what a service does with one of its clients."""

import itertools
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ngramspec.errors import MAX_MESSAGE, NgramspecError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.testing.hostile import files
from ngramspec.testing.hostile.corpus import CORPUS, source
from ngramspec.testing.hostile.inputs import Input

NUM_TOKENS = 24
"""Tokens that are chosen under a guard, each among those that its mask allows."""


@cache
def vocabulary() -> Vocabulary:
    """A token for each byte, a few longer ones, and an end of sequence."""
    pieces = [b'{"', b'":', b'", "', b"aa", b"aaaa", b"ab", b"true", b"null", b"123", b"  "]
    tokens = [*(bytes([byte]) for byte in range(256)), *pieces, b"</s>"]
    return Vocabulary(tokens, eos_tokens=[len(tokens) - 1])


@cache
def warm(backend: str) -> None:
    """Load a backend and what it needs, which happens once and by nobody's input."""
    Guard.regex("a", vocabulary(), backend=backend).accepts("a")  # type: ignore[arg-type]


def ask(each: Input) -> str:
    """Hand an input over, and say what came of it: "answered", "refused", or what should not have been.

    What it raises beyond NgramspecError, and for files OSError, comes out as it is.
    """
    asked = _ASKS[CORPUS[each.generator].kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            asked(each)
        except NgramspecError as error:
            return _judged(str(error))
        except OSError as error:
            if not each.generator.startswith("files."):
                raise
            return _judged(str(error))
    return "answered"


def _judged(message: str) -> str:
    if len(message) > MAX_MESSAGE:
        return f"a message of {len(message)} characters"
    if not message.replace("\n", "").isprintable():
        return f"control characters in a message: {message[:200]!r}"
    return "refused"


def _ask_schema(each: Input) -> None:
    _use(Guard.json_schema(source(each), vocabulary(), backend=each.backend, lenient=bool(each.seed % 2)), each)  # type: ignore[arg-type]


def _ask_regex(each: Input) -> None:
    _use(Guard.regex(source(each), vocabulary(), backend=each.backend), each)  # type: ignore[arg-type]


def _ask_grammar(each: Input) -> None:
    _use(Guard.grammar(source(each), vocabulary(), backend=each.backend), each)  # type: ignore[arg-type]


def _ask_text(each: Input) -> None:
    text = source(each)
    for schema in ({}, {"type": "array", "items": {"type": "number"}}, {"type": "string", "pattern": "^(a|aa)*$"}):
        guard = Guard.json_schema(schema, vocabulary(), backend=each.backend)  # type: ignore[arg-type]
        guard.accepts(text)
        guard.legal_head(text)


def _ask_marker(each: Input) -> None:
    marker = source(each)
    for guard in (_harmless().after(marker), _harmless().between(marker, marker)):
        guard.accepts(marker[:-1] * 2)
        _use(guard, each)


@cache
def _harmless() -> Guard:
    return Guard.regex("[0-9]+", vocabulary())


def _use(guard: Guard, each: Input) -> None:
    """Write some tokens under a guard, as its masks have it."""
    chance, matcher = Random(each.seed), guard.matcher()
    row = np.zeros((1, -(-len(vocabulary()) // 32)), np.int32)
    for _ in range(NUM_TOKENS):
        matcher.fill([], row)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        if matcher.ended or not allowed.size:
            return
        matcher.advance([int(chance.choice(allowed.tolist()))])


def _ask_trace(each: Input) -> None:
    from ngramspec.replay.traces import read_traces

    _with_file(each, lambda path: list(itertools.islice(read_traces(path), 1000)))


def _ask_history(each: Input) -> None:
    from ngramspec.drafting import AdaptiveLookup

    _with_file(each, lambda path: AdaptiveLookup.load(path, "hostile"))


def _ask_costs(each: Input) -> None:
    from ngramspec.replay.saved_costs import read_costs

    _with_file(each, lambda path: read_costs(str(path)))


def _with_file(each: Input, read: Callable[[Path], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read(files.make(source(each), each.size, Random(each.seed), Path(folder)))


_ASKS: dict[str, Callable[[Input], None]] = {
    "schema": _ask_schema,
    "regex": _ask_regex,
    "grammar": _ask_grammar,
    "text": _ask_text,
    "marker": _ask_marker,
    "trace": _ask_trace,
    "history": _ask_history,
    "costs": _ask_costs,
}
