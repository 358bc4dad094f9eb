"""A row's masks along its draft, filled on other threads while the model computes.

They fail closed: if a backend fails, or another processor makes the row choose a token that the mask forbids, the row
ends, and its call raises once the other rows have ended.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ngramspec.errors import GuardError
from ngramspec.guards import BitmaskArray, Matcher
from ngramspec.guards.filling import Filled
from ngramspec.guards.processor import masked, nothing_allowed

MAX_THREADS = 4


class _Company(NamedTuple):
    """The masks of rows that were filled in one call. seconds: time of the call, per row."""

    rows: list[Filled]
    seconds: float


class MaskThreads:
    """Threads that fill masks, started when first needed and joined at the end of the `with` block."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads."""
        if self._pool is None:
            num_threads = min(MAX_THREADS, os.cpu_count() or 1)
            self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="ngramspec-guard")
        return self._pool

    def __enter__(self) -> "MaskThreads":
        """See the class."""
        return self

    def __exit__(self, *error: object) -> None:
        """Join the threads."""
        if self._pool is not None:
            self._pool.shutdown()


class RowMasks:
    """The masks of one row: one for each guard of its call that constrains the row.

    seconds: time that filling them took.
    """

    def __init__(self, matchers: Sequence[Matcher | None] = ()) -> None:
        """matchers: one per guard, in their initial state; None where the guard leaves this row free."""
        self._matchers = {number: matcher for number, matcher in enumerate(matchers) if matcher is not None}
        self._filling: dict[int, tuple[Future[_Company], int]] = {}
        self._first = 0
        self.seconds = 0.0

    def __bool__(self) -> bool:
        """Whether any guard constrains the row."""
        return bool(self._matchers)

    @property
    def matchers(self) -> list[Matcher]:
        """Matchers of the guards that constrain the row."""
        return list(self._matchers.values())

    def drop(self) -> None:
        """Drop all guards, because padding follows."""
        self._matchers, self._filling = {}, {}

    def num_legal(self, num_drafted: int) -> int:
        """Length of the head of the draft that masks cover."""
        return min((self._filled(number).num_legal for number in self._matchers), default=num_drafted)

    def covers(self, position: int) -> bool:
        """Whether there is a mask for `position` of a tree: only its surest path is filled in advance."""
        filled = [self._filled(number) for number in self._matchers]  # all, so that none is still being filled
        return all(each.error is None and 0 <= position - self._first <= each.num_legal for each in filled)

    def fill_after(self, path: Sequence[int], position: int) -> bool:
        """Fill the masks of `position` now, after `path` of a tree; returns whether all backends could."""
        start = perf_counter()
        found = {number: _mask_after(matcher, path) for number, matcher in self._matchers.items()}
        self.seconds += perf_counter() - start
        masks = {number: mask for number, mask in found.items() if mask is not None}
        if len(masks) < len(found):
            return False
        self._note_seconds()
        self._first = position
        for number, mask in masks.items():
            self._filling[number] = Future(), 0
            self._filling[number][0].set_result(_Company([Filled(mask[None], 0)], 0.0))
        return True

    def bits(self, number: int, position: int) -> BitmaskArray | None:
        """What guard `number` allows at `position` of the draft, `int32[W]`; None if it is inactive, or failed."""
        if number not in self._matchers:
            return None
        filled = self._filled(number)
        return None if filled.error is not None else filled.bits[position - self._first]

    def why_stuck(self, row: int, position: int) -> GuardError | None:
        """Why no token can be chosen at `position`; None if one can. row: the row's index, for the message."""
        for number, matcher in self._matchers.items():
            filled = self._filled(number)
            if filled.error is not None:
                return filled.error
            if not filled.bits[position - self._first].any():
                return nothing_allowed(matcher, row)
        return None

    def allow(self, position: int, token: int) -> bool:
        """Whether all guards allow `token` at `position`."""
        return all(self._filled(number).allows(position - self._first, token) for number in self._matchers)

    def allow_all(self, tokens: Sequence[int]) -> bool:
        """Whether all guards allow each of `tokens`, at least one, at its own position."""
        return all(self._filled(number).allows_all(tokens) for number in self._matchers)

    def why_refused(self, position: int, token: int, others: Sequence[str]) -> GuardError | None:
        """Why `token` may not be emitted at `position`; None if it may. others: names of the other processors."""
        if self.allow(position, token):
            return None
        text = self.matchers[0].vocabulary.decode([token])
        who = ", ".join(others) or "another processor"
        return GuardError(
            f"a guard's mask must decide, got token {token} ({text!r}), which it forbids: {who} leaves"
            " nothing that is allowed, or allows it again"
        )

    def advance(self, tokens: Sequence[int]) -> None:
        """Advance the matchers by the row's text; raises GuardError if a backend fails."""
        self._note_seconds()
        for matcher in self.matchers:
            matcher.advance(tokens)

    def _note_seconds(self) -> None:
        for filling, _ in self._filling.values():
            self.seconds += filling.result().seconds

    def _filled(self, number: int) -> Filled:
        filling, index = self._filling[number]
        return filling.result().rows[index]


def begin(drafted: Sequence[tuple[RowMasks, list[int]]], threads: MaskThreads) -> None:
    """Start to fill the masks along the draft of each row, in one call for all rows if the backend can."""
    companies: dict[object, list[tuple[RowMasks, int, Matcher, list[int]]]] = {}
    for masks, draft in drafted:
        for number, matcher in masks._matchers.items():
            companies.setdefault(matcher.company, []).append((masks, number, matcher, draft))
    for company in companies.values():
        matchers = [matcher for _, _, matcher, _ in company]
        filling = threads.pool.submit(_fill_all, matchers, [draft for *_, draft in company])
        for index, (masks, number, _, _) in enumerate(company):
            masks._filling[number], masks._first = (filling, index), 0


def mask_lines(scores: Tensor, bits: Sequence[BitmaskArray | None]) -> Tensor:
    """`scores` `float32[n, V]`, each line masked by its bits `int32[W]`; a line whose bits are None stays as it is."""
    lines = [line for line, allowed in enumerate(bits) if allowed is not None]
    if not lines:
        return scores
    stacked = _stacked([allowed for allowed in bits if allowed is not None])
    if len(lines) == len(scores):
        return masked(scores, stacked)
    scores = scores.clone()
    scores[lines] = masked(scores[lines], stacked)
    return scores


def _fill_all(matchers: Sequence[Matcher], drafts: Sequence[list[int]]) -> _Company:
    start = perf_counter()
    filled = type(matchers[0]).fill_all(matchers, drafts)
    return _Company(filled, (perf_counter() - start) / len(matchers))


def _mask_after(matcher: Matcher, path: Sequence[int]) -> BitmaskArray | None:
    try:
        with matcher.lookahead() as ahead:
            return ahead.mask() if ahead.push_all([*path]) == len(path) else None
    except GuardError:
        return None


def _stacked(rows: list[BitmaskArray]) -> BitmaskArray:
    """Bitmasks, possibly of several vocabularies, as one `int32[n, W]`."""
    if len(rows) == 1:
        return rows[0][None]
    bits = np.zeros((len(rows), max(row.size for row in rows)), np.int32)
    for line, row in enumerate(rows):
        bits[line, : row.size] = row
    return bits
