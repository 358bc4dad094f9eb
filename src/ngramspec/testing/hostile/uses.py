"""Uses a hostile input as a service uses a client's input."""

import itertools
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from ngramspec.errors import MAX_MESSAGE, NgramspecError
from ngramspec.guards import Guard, Vocabulary
from ngramspec.printing import is_shown
from ngramspec.testing.hostile import files
from ngramspec.testing.hostile.corpus import CORPUS, source
from ngramspec.testing.hostile.inputs import Input

NUM_TOKENS = 24
"""Tokens that are chosen under a guard, each from its mask."""


@cache
def vocabulary() -> Vocabulary:
    """A token for each byte, a few longer ones, and an end of sequence."""
    pieces = [b'{"', b'":', b'", "', b"aa", b"aaaa", b"ab", b"true", b"null", b"123", b"  "]
    tokens = [*(bytes([byte]) for byte in range(256)), *pieces, b"</s>"]
    return Vocabulary(tokens, eos_tokens=[len(tokens) - 1])


@cache
def warm_up(backend: str) -> None:
    """Load a backend: it is loaded once, independently of inputs."""
    Guard.regex("a", vocabulary(), backend=backend).accepts("a")  # type: ignore[arg-type]


def input_text(each: Input, folder: Path) -> str:
    """The text of an input; for a file its path, in `folder` unless it is a system file."""
    text = source(each)
    return str(files.make(text, each.size, Random(each.seed), folder)) if each.generator.startswith("files.") else text


def ask(each: Input, text: str) -> str:
    """Use an input that `input_text` gave the text of; returns the outcome: "answered", "refused", or the fault.

    Errors other than NgramspecError (and OSError for files) are passed through.
    """
    use = _ASKS[CORPUS[each.generator].kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            use(each, text)
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
    if not all(map(is_shown, message)):
        return f"control characters in a message: {message[:200]!r}"
    return "refused"


def _ask_schema(each: Input, text: str) -> None:
    _use(Guard.json_schema(text, vocabulary(), backend=each.backend, lenient=bool(each.seed % 2)), each)  # type: ignore[arg-type]


def _ask_regex(each: Input, text: str) -> None:
    _use(Guard.regex(text, vocabulary(), backend=each.backend), each)  # type: ignore[arg-type]


def _ask_grammar(each: Input, text: str) -> None:
    _use(Guard.grammar(text, vocabulary(), backend=each.backend), each)  # type: ignore[arg-type]


HARMLESS: tuple[dict[str, object], ...] = (
    {}, {"type": "array", "items": {"type": "number"}}, {"type": "string", "pattern": "^(a|aa)*$"}
)  # fmt: skip


def _ask_text(each: Input, text: str) -> None:
    guard = Guard.json_schema(HARMLESS[each.seed % len(HARMLESS)], vocabulary(), backend=each.backend)  # type: ignore[arg-type]
    guard.accepts(text)
    guard.legal_head(text)


def _ask_marker(each: Input, text: str) -> None:
    for guard in (_harmless().after(text), _harmless().between(text, text)):
        guard.accepts(text[:-1] * 2)
        _use(guard, each)


@cache
def _harmless() -> Guard:
    return Guard.regex("[0-9]+", vocabulary())


def _use(guard: Guard, each: Input) -> None:
    """Write some tokens under a guard, chosen from its masks."""
    chance, matcher = Random(each.seed), guard.matcher()
    row = np.zeros((1, -(-len(vocabulary()) // 32)), np.int32)
    for _ in range(NUM_TOKENS):
        matcher.fill([], row)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        if matcher.ended or not allowed.size:
            return
        matcher.advance([int(chance.choice(allowed.tolist()))])


def _ask_trace(_each: Input, text: str) -> None:
    from ngramspec.replay.traces import read_traces

    for _ in itertools.islice(read_traces(Path(text)), 1000):
        pass


def _ask_history(_each: Input, text: str) -> None:
    from ngramspec.drafting import AdaptiveLookup

    AdaptiveLookup.load(text, "hostile")


def _ask_costs(_each: Input, text: str) -> None:
    from ngramspec.replay.saved_costs import read_costs

    read_costs(text)


_ASKS: dict[str, Callable[[Input, str], None]] = {
    "schema": _ask_schema,
    "regex": _ask_regex,
    "grammar": _ask_grammar,
    "text": _ask_text,
    "marker": _ask_marker,
    "trace": _ask_trace,
    "history": _ask_history,
    "costs": _ask_costs,
}
