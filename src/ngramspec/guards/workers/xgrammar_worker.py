"""xgrammar's worker: compiles a source for a vocabulary, and returns the compiled grammar as JSON."""

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from time import thread_time

import numpy as np
from xgrammar import CompiledGrammar, GrammarCompiler, GrammarMatcher

from ngramspec.guards.backends.pace import Pace
from ngramspec.guards.backends.xgrammar import NO_MEMORY, SLOW_SHARE, arguments_of, called, make_tokenizer
from ngramspec.guards.source import Language, Source
from ngramspec.guards.types import BackendError, unpacked
from ngramspec.guards.workers.frames import received
from ngramspec.guards.workers.lark import check_gbnf, read_lark
from ngramspec.guards.workers.preparing import STEP_SECONDS, answer_message, read_request

_SOURCE_POSITION = re.compile(r"\[[\d:]+\] \S+:\d+: ")
"""Matches the time, and the position in xgrammar's own code, that precede its messages."""

MAX_COMPILED = 32 << 20
"""Largest compiled grammar as text, in bytes; reading it takes some fifteen times as many for a moment."""
PLAY_SECONDS, PLAY_TOKENS = 0.5, 64
"""Bounds of a trial text: seconds on this thread's clock, and tokens."""

_compilers: list[GrammarCompiler] = []


def learn(vocabulary: bytes) -> None:
    """Compile for this vocabulary, as `_texts` reads it, from now on."""
    _compilers[:] = [GrammarCompiler(make_tokenizer(_texts(vocabulary)), cache_enabled=False)]


def answer(parts: list[bytes]) -> list[bytes]:
    """The compiled grammar for `parts`, serialized."""
    source, options = read_request(parts)
    most_seconds = options[STEP_SECONDS]
    return answer_message(source, "xgrammar", partial(_build, most_seconds))


def _build(most_seconds: float, prepared: Source) -> tuple[bytes, list[str]]:
    if prepared.language is Language.LARK:
        read_lark(prepared.text, "xgrammar")
    if prepared.language is Language.GBNF:
        check_gbnf(prepared.text)
    compiled = _compiled(prepared)
    for choose in (min, Random(7).choice):
        _play(compiled, choose, Pace(most_seconds, SLOW_SHARE))
    made = str(called(compiled.serialize_json)).encode()
    if len(made) > MAX_COMPILED:
        raise BackendError(
            f"its compiled form must take at most {MAX_COMPILED} bytes, got {len(made)}: make it smaller"
        )
    return made, []


def _play(compiled: CompiledGrammar, choose: Callable[[list[int]], int], pace: Pace) -> None:
    """Read a text that the masks allow, briefly. Raises BackendError if a step is too slow even there."""
    matcher = called(GrammarMatcher, compiled)
    row = np.zeros((1, -(-compiled.tokenizer_info.vocab_size // 32)), np.int32)
    until = thread_time() + PLAY_SECONDS
    for _ in range(PLAY_TOKENS):
        if thread_time() > until:
            return
        is_bound = pace.mask(called, matcher.fill_next_token_bitmask, row)
        allowed = np.flatnonzero(unpacked(row[0])[: compiled.tokenizer_info.vocab_size]).tolist() if is_bound else [0]
        if not allowed or not pace.step(1, called, matcher.accept_token, choose(allowed)):
            return


def _compiled(prepared: Source) -> CompiledGrammar:
    method, text, options = arguments_of(prepared)
    try:
        compiled: CompiledGrammar = getattr(_compilers[0], f"compile_{method}")(text, **options)
    except MemoryError:
        raise
    except Exception as error:  # of many types: all are reported to the caller
        words = _SOURCE_POSITION.sub("", str(error).partition("\n")[0])
        if words == NO_MEMORY:
            raise MemoryError from error
        raise BackendError(words or type(error).__name__) from error
    return compiled


def _texts(vocabulary: bytes) -> list[bytes]:
    """The bytes of each token; vocabulary: their lengths, then all bytes."""
    position = 0

    def read(length: int) -> bytes:
        nonlocal position
        position += length
        return vocabulary[position - length : position]

    lengths, texts = received(read)
    ends = [0]
    for index in range(0, len(lengths), 4):
        ends.append(ends[-1] + int.from_bytes(lengths[index : index + 4], "little"))
    return [texts[start:end] for start, end in pairwise(ends)]
