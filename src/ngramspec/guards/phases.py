"""`after` and `between`: text that is free at first, and guarded from a marker on.

The marker is searched for in bytes, so it may be inside a token, begin in one and end in another, or be a special token
by name. A token that completes it and continues is allowed if its rest is.

    after(m):       u m v, with m nowhere else in u m, and v guarded
    after(m, o):    o u m v, or v alone if it does not begin with o
    between(s, e):  u s v e u s v e ... u, with s nowhere else in u s, and v guarded; e is the first one at whose end
                    the text since s is a complete v and e

A text may begin in the prompt: u, or u m and the head of v (`prompt_tail.py`).
"""

import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from ngramspec.errors import GuardWarning, shortened
from ngramspec.guards.markers import EndMarker, HeadTree, Marker, everything, heads_of, starting_with
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.phase_reader import Free, FreeTextLimit, Guarded, Inner, Phase, Reader, Undecided
from ngramspec.guards.prompt_tail import BLANKS, PromptTail, last_turn
from ngramspec.guards.types import BitmaskArray, set_bits
from ngramspec.guards.vocabulary import Vocabulary


class Compiled(Protocol):
    """A compiled grammar: a backend's, or one in phases."""

    vocabulary: Vocabulary

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""


class Phased:
    """Free text up to `start`, then `inner`; with an `end`, free text again, any number of times."""

    def __init__(
        self, inner: Compiled, start: str, end: str | None, most_free: int | None = None, opening: str = ""
    ) -> None:
        """most_free: tokens of free text after which `start` is forced; None: no limit.

        opening: what free text begins with, if it may be left out; "" if it comes first in any case.
        """
        self.vocabulary = inner.vocabulary
        self.opening = opening.encode()
        self.most_free = most_free
        self.inner = inner
        self.start = Marker(start.encode(), inner.vocabulary)
        self.end = None if end is None else EndMarker(end.encode(), self.start, inner.vocabulary)
        self.everything = everything(inner.vocabulary)
        self.free_rows: dict[int, BitmaskArray] = {}
        own = [marker.text for marker in (self.start, self.end) if marker is not None]
        own += [self.opening] if opening else []
        self.markers: list[bytes] = own + (inner.markers if isinstance(inner, Phased) else [])

    @cached_property
    def within(self) -> frozenset[int]:
        """The special tokens whose names are part of a marker."""
        names = ((token, self.vocabulary.tokens[token]) for token in self.vocabulary.special)
        return frozenset(token for token, name in names if name and any(name in marker for marker in self.markers))

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""
        return PhasedMatcher(self, eos_tokens)


class PhasedMatcher(Matcher):
    """A matcher that waits for a marker."""

    def __init__(self, compiled: Phased, eos_tokens: Iterable[int]) -> None:
        super().__init__(compiled.vocabulary, eos_tokens)
        self._compiled = compiled
        most, banned = compiled.most_free, {*self.eos_tokens, *compiled.vocabulary.eos_tokens}
        self._limit = None if most is None else FreeTextLimit(most, compiled.start, banned)
        self._reader = Reader(
            compiled.vocabulary, compiled.start, compiled.end, compiled.inner.matcher, self._limit, compiled.opening
        )
        self._prompt = PromptTail(compiled.vocabulary, b"", ())
        self._phase: Phase = Free(0)
        self._earlier: list[Phase] = []

    def read_prompt(self, prompt: Sequence[int]) -> None:
        """See `Matcher`. Warns about a marker in the prompt after which no guarded text begins."""
        compiled = self._compiled
        padding = {*self.eos_tokens, *self.vocabulary.eos_tokens, *self.vocabulary.padding}
        self._prompt = last_turn(prompt, self.vocabulary, padding, compiled.within)
        with self._alone():
            self._phase, lost = self._tried_twice(self._opened)
        num_guarded = self.num_guarded
        self.begun = self._prompt.text[-num_guarded:] if num_guarded else b""
        if lost is not None:
            warnings.warn(
                f"what a prompt has after {compiled.start.text.decode()!r} must be blank, or begin a guarded text, got"
                f" {shortened(lost.text.decode(errors='replace'))}: the text is free until that marker comes again",
                GuardWarning,
                stacklevel=2,
            )

    def _opened(self) -> tuple[Phase, PromptTail | None]:
        """The phase after the prompt; and the text after its last marker, if no guarded text begins like that."""
        start, opening = self._compiled.start, self._compiled.opening
        if opening and self._prompt.text.rstrip(BLANKS).endswith(opening):
            return Free(0), None
        rest = self._prompt.after_last(start.text)
        phase = None if rest is None else self._reader.begin(rest)
        if phase is not None:
            return phase, None
        if opening:
            return Undecided(0, self._reader.fresh()), None
        return Free(start.progress_at(self._prompt.text)), rest

    def _begin(self, part: PromptTail) -> int | None:
        """See `Matcher`; any text may come first here."""
        self._prompt = part
        self._restart()
        return len(part.text)

    def _mask(self, row: BitmaskArray) -> None:
        phase, end = self._phase, self._compiled.end
        if isinstance(phase, Free):
            forced = None if self._limit is None else self._limit.forced(phase)
            if forced is None:
                row[:] = self._free_row(phase.progress)
            elif forced < len(self.vocabulary):
                set_bits(row, np.array([forced]), allowed=True)
            return
        if isinstance(phase, Undecided):
            if phase.guarded is not None:
                phase.guarded.inner.matcher._mask_text(row)
            self._try(row, self._opening_tokens(phase.progress))
            return
        if phase.is_alive:
            phase.inner.matcher._mask_text(row)
        if end is None:
            return
        for progress in self._reader.open_ends(phase):
            set_bits(row, end.inside(progress), allowed=True)
            free, entering = end.crossing(progress)
            set_bits(row, free, allowed=True)
            self._try(row, entering)
        if phase.is_alive:
            self._try(row, self._arriving(phase.inner, end.arriving))

    def _push(self, token: int) -> bool:
        return self._move_to(self._reader.token(self._phase, token))

    def _push_bytes(self, text: bytes) -> int:
        for num_pushed, byte in enumerate(text):
            if not self._move_to(self._reader.text(self._phase, bytes([byte]))):
                return num_pushed
        return len(text)

    def _pop(self, num_steps: int) -> None:
        self._phase = self._earlier[-num_steps]
        del self._earlier[-num_steps:]
        self._return()

    def _accepting(self) -> bool:
        phase = self._phase
        if self._compiled.end is not None:
            return isinstance(phase, Free)
        guarded = _guarded_in(phase)
        return guarded is not None and guarded.inner.matcher._accepting()

    def _forced(self) -> bytes:
        phase, end = self._phase, self._compiled.end
        if isinstance(phase, Free):
            is_over = self._limit is not None and self._limit.forced(phase) is not None
            return self._compiled.start.text[phase.progress :] if is_over else b""
        if isinstance(phase, Undecided):
            return self._compiled.opening[phase.progress :] if phase.guarded is None else b""
        ends = [] if end is None else self._reader.open_ends(phase)
        if end is None or not ends:
            return phase.inner.matcher._forced()
        if len(ends) > 1 or (phase.is_alive and self._may_go_on(phase.inner)):
            return b""
        return end.text[ends[0] :]

    @property
    def num_guarded(self) -> int | None:
        """See `Matcher`; bytes that may belong to the end marker count."""
        guarded = _guarded_in(self._phase)
        if guarded is None:
            return None
        within = guarded.inner.matcher.num_guarded
        return None if within is None else min(within, guarded.num_bytes)

    def _restart(self) -> None:
        self._phase, _ = self._opened()
        self._earlier = []

    def _settle(self) -> None:
        self._earlier = []
        guarded = _guarded_in(self._phase)
        if guarded is not None:
            guarded.inner.matcher._settle()

    def _move_to(self, phase: Phase | None) -> bool:
        if phase is None:
            self._return()
            return False
        self._earlier.append(self._phase)
        self._phase = phase
        return True

    def _return(self) -> None:
        """Roll the inner matcher back to its state in this phase."""
        guarded = _guarded_in(self._phase)
        if guarded is not None:
            guarded.inner.return_to(guarded.depth)

    def _free_row(self, progress: int) -> BitmaskArray:
        """The bitmask `int32[W]` of free text; it depends on `progress` alone, since each guarded text starts fresh."""
        rows = self._compiled.free_rows
        if progress not in rows:
            row = self._compiled.everything.copy()
            self._try(row, self._compiled.start.crossing(progress))
            rows[progress] = row
        return rows[progress]

    def _opening_tokens(self, progress: int) -> list[int]:
        """Tokens that continue the opening, or complete it and continue in free text."""
        rest = self._compiled.opening[progress:]
        further = [token for _, token in starting_with(self.vocabulary, rest)]
        return further + heads_of(self.vocabulary, rest[:-1])

    def _try(self, row: BitmaskArray, tokens: Iterable[int]) -> None:
        """Allow those of `tokens` that may come here, and forbid the others."""
        verdicts: dict[bool, list[int]] = {True: [], False: []}
        for token in tokens:
            verdicts[self._reader.token(self._phase, token) is not None].append(token)
            self._return()
        for allowed, found in verdicts.items():
            set_bits(row, np.array(found, np.int64), allowed=allowed)

    def _arriving(self, inner: Inner, node: HeadTree) -> list[int]:
        """Tokens that complete the inner text and continue into the end marker."""
        found: list[int] = []
        depth = inner.depth
        for byte, branch in node.branches.items():
            if inner.push_byte(byte):
                if branch.tokens and inner.matcher._accepting():
                    found += branch.tokens
                found += self._arriving(inner, branch)
            inner.return_to(depth)
        return found

    def _may_go_on(self, inner: Inner) -> bool:
        """Whether more inner text may come, even by a byte that is not a token of its own."""
        row = np.zeros_like(self._compiled.everything)
        inner.matcher._mask_text(row)
        return bool(row.any()) or any(self._may_push(inner, text[0]) for text in self.vocabulary.hidden_tokens)

    def _may_push(self, inner: Inner, byte: int) -> bool:
        depth = inner.depth
        may_push = inner.push_byte(byte)
        inner.return_to(depth)
        return may_push


def _guarded_in(phase: Phase) -> Guarded | None:
    """The phase of the inner matcher; None where the text is free."""
    if isinstance(phase, Undecided):
        return phase.guarded
    return phase if isinstance(phase, Guarded) else None
