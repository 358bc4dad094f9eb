"""`after` and `between`: text that is free for a while, and guarded from a marker on.

The marker is looked for in bytes, so it may lie inside a token, begin in one and end in another, or be a special token
by name. A token that completes it and goes on is allowed where its rest is.

    after(m):       u m v, with m nowhere else in u m, and v guarded
    between(s, e):  u s v e u s v e ... u, with s nowhere else in u s, and v guarded; e is the first one that ends where
                    what has come since s is a whole v and e
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ngramspec.guards.markers import Arrivals, EndMarker, Marker, everything
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.types import BitmaskArray, set_bits
from ngramspec.guards.vocabulary import Vocabulary


class Compiled(Protocol):
    """A grammar that is ready: a backend's, or one in phases."""

    vocabulary: Vocabulary

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""


class Phased:
    """Free text up to `start`, then `inner`; and, with an `end`, free text again, as often as it comes."""

    def __init__(self, inner: Compiled, start: str, end: str | None) -> None:
        self.vocabulary = inner.vocabulary
        self.inner = inner
        self.start = Marker(start.encode(), inner.vocabulary)
        self.end = None if end is None else EndMarker(end.encode(), self.start, inner.vocabulary)
        self.everything = everything(inner.vocabulary)
        self.free_rows: dict[int, BitmaskArray] = {}

    def matcher(self, eos_tokens: Iterable[int]) -> Matcher:
        """A fresh matcher, at the start."""
        return PhasedMatcher(self, eos_tokens)


class _Inner:
    """A matcher, and how often it was pushed: so it can be taken back to where it was."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.depth = 0

    def push(self, token: int) -> bool:
        accepted = self.matcher._push(token)
        self.depth += accepted
        return accepted

    def push_byte(self, byte: int) -> bool:
        num_pushed = self.matcher._push_bytes(bytes([byte]))
        self.depth += num_pushed
        return num_pushed == 1

    def return_to(self, depth: int) -> None:
        if depth < self.depth:
            self.matcher._pop(self.depth - depth)
            self.depth = depth


@dataclass(frozen=True, slots=True)
class _Free:
    """Text that is free; progress: how much of the start marker it ends with."""

    progress: int


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Text that is guarded. Where the inner text is whole, the end marker may come, or more of the inner text.

    depth: where `inner` stands. is_alive: whether all since the start marker is inner text, and may go on as such.
    ends: for each place where the end marker may have begun, how much of it has come.
    """

    inner: _Inner
    depth: int = 0
    is_alive: bool = True
    ends: frozenset[int] = frozenset()


_Phase = _Free | _Guarded


class PhasedMatcher(Matcher):
    """A matcher that waits for a marker."""

    def __init__(self, compiled: Phased, eos_tokens: Iterable[int]) -> None:
        super().__init__(compiled.vocabulary, eos_tokens)
        self._compiled = compiled
        self._phase: _Phase = _Free(0)
        self._earlier: list[_Phase] = []

    def _mask(self, row: BitmaskArray) -> None:
        phase, end = self._phase, self._compiled.end
        if isinstance(phase, _Free):
            row[:] = self._free_row(phase.progress)
            return
        if phase.is_alive:
            phase.inner.matcher._mask_text(row)
        if end is None:
            return
        for progress in self._open_ends(phase):
            set_bits(row, end.inside(progress), allowed=True)
            free, entering = end.crossing(progress)
            set_bits(row, free, allowed=True)
            self._try(row, entering)
        if phase.is_alive:
            self._try(row, self._arriving(phase.inner, end.arriving))

    def _push(self, token: int) -> bool:
        return self._move_to(self._read_token(token))

    def _push_bytes(self, text: bytes) -> int:
        for num_pushed, byte in enumerate(text):
            if not self._move_to(self._read(bytes([byte]))):
                return num_pushed
        return len(text)

    def _pop(self, num_steps: int) -> None:
        self._phase = self._earlier[-num_steps]
        del self._earlier[-num_steps:]
        self._return()

    def _accepting(self) -> bool:
        phase = self._phase
        if self._compiled.end is not None:
            return isinstance(phase, _Free)
        return isinstance(phase, _Guarded) and phase.inner.matcher._accepting()

    def _forced(self) -> bytes:
        phase, end = self._phase, self._compiled.end
        if isinstance(phase, _Free):
            return b""
        ends = [] if end is None else self._open_ends(phase)
        if end is None or not ends:
            return phase.inner.matcher._forced()
        if len(ends) > 1 or (phase.is_alive and self._may_go_on(phase.inner)):
            return b""
        return end.text[ends[0] :]

    def _restart(self) -> None:
        self._phase = _Free(0)
        self._earlier = []

    def _settle(self) -> None:
        self._earlier = []
        if isinstance(self._phase, _Guarded):
            self._phase.inner.matcher._settle()

    # What reads gives the phase behind it, None where it leaves the grammar; `_return` afterwards, or move there.

    def _read_token(self, token: int) -> _Phase | None:
        phase, text = self._phase, self.vocabulary.tokens[token]
        if not text:
            return self._read_nothing(token)
        if token in self.vocabulary.special:
            return self._read_special(token, text)
        if isinstance(phase, _Guarded) and self._is_inner_alone(phase, text):
            return _Guarded(phase.inner, phase.inner.depth) if phase.inner.push(token) else None
        return self._read(text)

    def _read(self, text: bytes) -> _Phase | None:
        phase: _Phase | None = self._phase
        for byte in text:
            if isinstance(phase, _Free):
                phase = self._read_free(phase, byte)
            elif phase is not None:
                phase = self._read_guarded(phase, byte)
        return phase

    def _read_nothing(self, token: int) -> _Phase | None:
        """A token without bytes may come where any may."""
        phase = self._phase
        if isinstance(phase, _Free):
            return phase
        is_alive = phase.is_alive and phase.inner.push(token)
        return _Guarded(phase.inner, phase.inner.depth, is_alive, phase.ends) if is_alive else None

    def _read_special(self, token: int, name: bytes) -> _Phase | None:
        """The name of a special token is text to a marker that begins with it, and all or nothing to the grammar."""
        phase, end = self._phase, self._compiled.end
        if isinstance(phase, _Free):
            return self._read_name(phase, name)
        ends = frozenset(self._open_ends(phase)) if end is not None else frozenset()
        for place, byte in enumerate(name):
            ends = self._follow(ends, byte)
            if end is not None and len(end.text) in ends:
                return self._read_name(_Free(0), name[place + 1 :])
        is_alive = phase.is_alive and phase.inner.push(token)
        return _Guarded(phase.inner, phase.inner.depth, is_alive, ends) if is_alive or ends else None

    def _read_name(self, phase: _Free, name: bytes) -> _Phase | None:
        for place, byte in enumerate(name, start=1):
            following = self._read_free(phase, byte)
            if isinstance(following, _Guarded):
                return following if place == len(name) else None
            phase = following
        return phase

    def _read_free(self, phase: _Free, byte: int) -> _Phase:
        start = self._compiled.start
        progress = start.step(phase.progress, byte)
        if progress < len(start.text):
            return _Free(progress)
        return _Guarded(_Inner(self._compiled.inner.matcher(())))

    def _read_guarded(self, phase: _Guarded, byte: int) -> _Phase | None:
        end, inner = self._compiled.end, phase.inner
        ends: frozenset[int] = frozenset()
        if end is not None:
            ends = self._follow(self._open_ends(phase), byte)
            if len(end.text) in ends:
                return _Free(0)
        is_alive = phase.is_alive and inner.push_byte(byte)
        return _Guarded(inner, inner.depth, is_alive, ends) if is_alive or ends else None

    def _follow(self, ends: Iterable[int], byte: int) -> frozenset[int]:
        """How much of the end marker has come behind `byte`, where `ends` had come before."""
        end = self._compiled.end
        return frozenset(so_far + 1 for so_far in ends if end is not None and end.text[so_far] == byte)

    def _open_ends(self, phase: _Guarded) -> list[int]:
        """How much of the end marker has come, for each place where it may have begun; 0 where it may begin now."""
        may_begin = phase.is_alive and phase.inner.matcher._accepting()
        return sorted(phase.ends | {0}) if may_begin else sorted(phase.ends)

    def _move_to(self, phase: _Phase | None) -> bool:
        if phase is None:
            self._return()
            return False
        self._earlier.append(self._phase)
        self._phase = phase
        return True

    def _return(self) -> None:
        """Take the inner matcher back to where it stands in this phase."""
        if isinstance(self._phase, _Guarded):
            self._phase.inner.return_to(self._phase.depth)

    def _free_row(self, progress: int) -> BitmaskArray:
        """What may come in free text, `int32[W]`; always the same, for what is guarded begins anew."""
        rows = self._compiled.free_rows
        if progress not in rows:
            row = self._compiled.everything.copy()
            self._try(row, self._compiled.start.crossing(progress))
            rows[progress] = row
        return rows[progress]

    def _try(self, row: BitmaskArray, tokens: Iterable[int]) -> None:
        """Allow those of `tokens` that can come here, and forbid the others."""
        verdicts: dict[bool, list[int]] = {True: [], False: []}
        for token in tokens:
            verdicts[self._read_token(token) is not None].append(token)
            self._return()
        for allowed, found in verdicts.items():
            set_bits(row, np.array(found, np.int64), allowed=allowed)

    def _arriving(self, inner: _Inner, node: Arrivals) -> list[int]:
        """Tokens that bring the inner text to an end and go on in the end marker."""
        found: list[int] = []
        depth = inner.depth
        for byte, branch in node.branches.items():
            if inner.push_byte(byte):
                if branch.tokens and inner.matcher._accepting():
                    found += branch.tokens
                found += self._arriving(inner, branch)
            inner.return_to(depth)
        return found

    def _is_inner_alone(self, phase: _Guarded, text: bytes) -> bool:
        """Whether `text` can only be inner text."""
        end = self._compiled.end
        return end is None or (not phase.ends and end.text[0] not in text)

    def _may_go_on(self, inner: _Inner) -> bool:
        """Whether more inner text may come, also by a byte that is no token, but begins or ends one."""
        row = np.zeros_like(self._compiled.everything)
        inner.matcher._mask_text(row)
        return bool(row.any()) or any(self._may_push(inner, text[0]) for text in self.vocabulary.hidden_tokens)

    def _may_push(self, inner: _Inner, byte: int) -> bool:
        depth = inner.depth
        may_push = inner.push_byte(byte)
        inner.return_to(depth)
        return may_push
