"""The bitmasks of many rows in one call: llguidance fills them on threads of its own, without the interpreter's lock.

It decides about text; we decide about ends of sequence, for all rows at once. A row with anything unusual is filled
alone, step by step.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate, chain
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ngramspec import forking
from ngramspec.errors import GuardError
from ngramspec.guards.backends.pace import MASK_SHARE
from ngramspec.guards.filling import Filled, fill
from ngramspec.guards.types import WORD, BitmaskArray, num_words

if TYPE_CHECKING:
    from llguidance import LLExecutor

    from ngramspec.guards.backends.llguidance import LLGuidanceMatcher

MAX_THREADS = 4

_lock = forking.lock()
_executors: "dict[int, LLExecutor]" = {}
"""By process: the threads of a parent do not exist in its child."""


def fill_all(matchers: "Sequence[LLGuidanceMatcher]", drafts: Sequence[list[int]]) -> list[Filled]:
    """The bitmasks along the draft of each of `matchers`, all of one company."""
    starts = [0, *accumulate(len(draft) + 1 for draft in drafts)]
    bits = np.empty((starts[-1], num_words(matchers[0]._compiled.num_tokens)), np.int32)
    are_usual = _compute(matchers, drafts, starts, bits)
    num_legal = _num_legal(bits, drafts)
    bits = _with_ends(matchers[0], bits)
    found = []
    for row, (matcher, draft) in enumerate(zip(matchers, drafts, strict=True)):
        if are_usual[row]:
            own = bits[starts[row] : starts[row + 1]]
            own[num_legal[row] + 1 :] = 0
            found.append(Filled(own, num_legal[row]))
        else:
            found.append(fill(matcher, draft))
    return found


def _compute(
    matchers: "Sequence[LLGuidanceMatcher]", drafts: Sequence[list[int]], starts: Sequence[int], bits: BitmaskArray
) -> list[bool]:
    """Have llguidance write its bitmasks into `bits`, each row's from its start on.

    Returns for each row whether the result is usable: the row had not ended, its draft is text, nothing failed, and no
    mask took too long.
    """
    are_usual = [not matcher.ended and matcher._is_text(draft) for matcher, draft in zip(matchers, drafts, strict=True)]
    rows = [row for row, is_usual in enumerate(are_usual) if is_usual]
    drafted = [(matchers[row]._inner, starts[row], drafts[row]) for row in rows if drafts[row]]
    undrafted = [(matchers[row]._inner, starts[row]) for row in rows if not drafts[row]]
    where = bits.ctypes.data, bits.shape[1] * bits.itemsize, len(bits)
    with ExitStack() as alone:
        try:
            for row in rows:
                alone.enter_context(matchers[row]._alone())
        except GuardError:  # one of them failed, or is in use elsewhere: filled alone, it says so
            return [False] * len(matchers)
        start = perf_counter()
        if drafted:
            _executor().unsafe_compute_mask_ptr_with_draft_token(drafted, *where)
        if undrafted:
            _executor().unsafe_compute_mask_ptr(undrafted, *where)
        if perf_counter() - start > MASK_SHARE * matchers[0]._compiled.limits.max_step_seconds:
            return [False] * len(matchers)
        for row in rows:
            are_usual[row] = not matchers[row]._inner.is_error()
    return are_usual


def _executor() -> "LLExecutor":
    with _lock:
        process = os.getpid()
        if process not in _executors:
            from llguidance import LLExecutor

            _executors[process] = LLExecutor(min(MAX_THREADS, os.cpu_count() or 1))
        return _executors[process]


def _num_legal(bits: BitmaskArray, drafts: Sequence[list[int]]) -> list[int]:
    """For each draft the length of its head that `bits` allow."""
    lengths = [len(draft) for draft in drafts]
    tokens = np.fromiter(chain.from_iterable(drafts), np.int64, sum(lengths))
    lines = np.arange(tokens.size) + np.repeat(np.arange(len(drafts)), lengths)  # a row has one more line than tokens
    known = tokens.clip(0, bits.shape[1] * WORD - 1)
    allowed = (bits[lines, known // WORD] >> known % WORD & 1).tolist()
    found, start = [], 0
    for length in lengths:
        own = allowed[start : start + length]
        found.append(own.index(0) if 0 in own else length)
        start += length
    return found


def _with_ends(matcher: "LLGuidanceMatcher", bits: BitmaskArray) -> BitmaskArray:
    """`bits` of the vocabulary's tokens; ends of sequence are allowed where llguidance allows its own."""
    word, bit = divmod(matcher._compiled.tokenizer.eos_token, WORD)
    accepting = np.flatnonzero(bits[:, word] >> bit & 1)
    text = bits[:, : num_words(len(matcher.vocabulary))]
    words = text.view(np.uint32)
    for token in matcher._all_ends.tolist():
        words[:, token // WORD] &= ~np.uint32(1 << token % WORD)
    for token in matcher._ends.tolist():
        words[accepting, token // WORD] |= np.uint32(1 << token % WORD)
    text[:, -1] &= matcher._last_word
    return text
