"""`after` and `between`: text that is free for a while, and guarded from a marker on.

The marker is looked for in bytes, so it may lie inside a token, begin in one and end in another, or be a special token
by name. A token that completes it and goes on is allowed where its rest is.
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
        self.end = None if end is None else EndMarker(end.encode(), inner.vocabulary)
        self.everything = everything(inner.vocabulary)

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
            row[:] = self._compiled.everything
            self._try(row, self._compiled.start.crossing(phase.progress))
            return
        if phase.is_alive:
            phase.inner.matcher._mask(row)
            self._forbid_ends(row)
        if end is None:
            return
        for progress in self._open_ends(phase):
            set_bits(row, end.inside(progress), allowed=True)
            self._try(row, end.crossing(progress))
        if phase.is_alive:
            self._try(row, self._arriving(phase.inner, end.arriving))

    def _push(self, token: int) -> bool:
        phase, text = self._phase, self.vocabulary.tokens[token]
        if isinstance(phase, _Guarded) and self._is_inner_alone(phase, text):
            if not phase.inner.push(token):
                return False
            return self._move_to(_Guarded(phase.inner, phase.inner.depth))
        return self._move_to(self._read(text, is_text=token not in self.vocabulary.special))

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

    def _read(self, text: bytes, *, is_text: bool = True) -> _Phase | None:
        """The phase behind `text`, None where the text leaves the grammar; `_return` afterwards, or move there."""
        phase: _Phase | None = self._phase
        if not text and isinstance(phase, _Guarded):
            return None
        for byte in text:
            if isinstance(phase, _Free):
                phase = self._read_free(phase, byte)
            elif phase is not None:
                phase = self._read_guarded(phase, byte, is_text)
        return phase

    def _read_free(self, phase: _Free, byte: int) -> _Phase:
        start = self._compiled.start
        progress = start.step(phase.progress, byte)
        if progress < len(start.text):
            return _Free(progress)
        return _Guarded(_Inner(self._compiled.inner.matcher(())))

    def _read_guarded(self, phase: _Guarded, byte: int, is_text: bool) -> _Phase | None:
        end, inner = self._compiled.end, phase.inner
        ends: frozenset[int] = frozenset()
        if end is not None:
            ends = frozenset(progress + 1 for progress in self._open_ends(phase) if end.text[progress] == byte)
            if len(end.text) in ends:
                return _Free(0)
        # The name of a special token is a marker's text, and never the grammar's.
        is_alive = phase.is_alive and is_text and inner.push_byte(byte)
        return _Guarded(inner, inner.depth, is_alive, ends) if is_alive or ends else None

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

    def _try(self, row: BitmaskArray, tokens: Iterable[int]) -> None:
        """Allow those of `tokens` that can come here, and forbid the others."""
        verdicts: dict[bool, list[int]] = {True: [], False: []}
        for token in tokens:
            phase = self._read(self.vocabulary.tokens[token], is_text=token not in self.vocabulary.special)
            self._return()
            verdicts[phase is not None].append(token)
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
        return end is None or (bool(text) and not phase.ends and end.text[0] not in text)

    def _may_go_on(self, inner: _Inner) -> bool:
        row = np.zeros_like(self._compiled.everything)
        inner.matcher._mask(row)
        self._forbid_ends(row)
        return bool(row.any())

    def _forbid_ends(self, row: BitmaskArray) -> None:
        """Backends allow their own end of sequence where they accept; what ends a row is not theirs to say."""
        set_bits(row, self._all_ends, allowed=False)
