"""Reads text that alternates between free and guarded, token by token and byte by byte."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from ngramspec.guards.markers import EndMarker, Marker
from ngramspec.guards.matcher import Matcher
from ngramspec.guards.prompt_tail import PromptTail
from ngramspec.guards.vocabulary import Vocabulary


class Inner:
    """A matcher, and the number of its pushes, so that it can be rolled back to an earlier state."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.depth = 0

    def push(self, token: int) -> bool:
        """Advance by `token`; returns whether it was possible."""
        accepted = self.matcher._push(token)
        self.depth += accepted
        return accepted

    def push_byte(self, byte: int) -> bool:
        """Advance by `byte`; returns whether it was possible."""
        num_pushed = self.matcher._push_bytes(bytes([byte]))
        self.depth += num_pushed
        return num_pushed == 1

    def return_to(self, depth: int) -> None:
        """Roll back to `depth` pushes."""
        if depth < self.depth:
            self.matcher._pop(self.depth - depth)
            self.depth = depth


@dataclass(frozen=True, slots=True)
class Free:
    """Free text. progress: bytes of the start marker that it ends with. num_tokens: its tokens, in a first phase."""

    progress: int
    num_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Guarded:
    """Guarded text. Where the inner text is complete, the end marker may come, or more of the inner text.

    depth: pushes of `inner`. is_alive: whether all text since the start marker is inner text, and may continue.
    ends: for each position where the end marker may have begun, how many of its bytes have come.
    num_bytes: since the start marker.
    """

    inner: Inner
    depth: int = 0
    is_alive: bool = True
    ends: frozenset[int] = frozenset()
    num_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Undecided:
    """The beginning of an answer that may open free text.

    progress: bytes of the opening that have come, which are all of the text so far. guarded: the same text as guarded
    text; None if no guarded text begins like that. num_tokens: as in `Free`.
    """

    progress: int
    guarded: Guarded | None
    num_tokens: int = 0


Phase = Free | Guarded | Undecided


class FreeTextLimit:
    """Bounds the free text; after that its marker is forced, token by token."""

    def __init__(self, num_tokens: int, marker: Marker, banned: Collection[int]) -> None:
        """banned: tokens that never come, so they cannot spell the marker."""
        self._num_tokens, self._marker, self._banned = num_tokens, marker, banned
        self._known: dict[int, int] = {}

    def forced(self, phase: Phase) -> int | None:
        """The only token that may come; None if any may."""
        if not isinstance(phase, Free) or phase.num_tokens < self._num_tokens:
            return None
        if phase.progress not in self._known:
            self._known[phase.progress] = self._marker.next_token(phase.progress, self._banned)
        return self._known[phase.progress]


class Reader:
    """Computes the next phase; None means that the text violates the grammar.

    Reading advances a phase's inner matcher; roll it back with `return_to`, or keep it in the state of the new phase.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        start: Marker,
        end: EndMarker | None,
        make_inner: Callable[[Iterable[int]], Matcher],
        limit: "FreeTextLimit | None" = None,
        opening: bytes = b"",
    ) -> None:
        """make_inner: makes a fresh matcher of the guarded text, from the ends of sequence.

        limit: of the free text before it, if there is one. opening: what free text begins with, if it may be left out.
        """
        self._vocabulary = vocabulary
        self._start = start
        self._end = end
        self._make_inner = make_inner
        self._limit = limit
        self._opening = opening

    def fresh(self) -> Guarded:
        """The beginning of a guarded text."""
        return Guarded(Inner(self._make_inner(())))

    def token(self, phase: Phase, token: int) -> Phase | None:
        """The phase after `token`."""
        if self._limit is None or isinstance(phase, Guarded):
            return self._any_token(phase, token)
        if self._limit.forced(phase) not in (None, token):
            return None
        following = self._any_token(phase, token)
        if following is None or isinstance(following, Guarded):
            return following
        return replace(following, num_tokens=phase.num_tokens + 1)

    def _any_token(self, phase: Phase, token: int) -> Phase | None:
        text = self._vocabulary.tokens[token]
        if not text:
            return self._nothing(phase, token)
        if token in self._vocabulary.special:
            return self._special(phase, token, text)
        if isinstance(phase, Guarded) and self._is_inner_alone(phase, text):
            num_bytes = phase.num_bytes + len(text)
            return Guarded(phase.inner, phase.inner.depth, num_bytes=num_bytes) if phase.inner.push(token) else None
        return self.text(phase, text)

    def text(self, phase: Phase, text: bytes) -> Phase | None:
        """The phase after `text`."""
        following: Phase | None = phase
        for byte in text:
            if isinstance(following, Free):
                following = self._free(following, byte)
            elif isinstance(following, Undecided):
                following = self._undecided(following, byte)
            elif following is not None:
                following = self._guarded(following, byte)
        return following

    def _nothing(self, phase: Phase, token: int) -> Phase | None:
        """A token without bytes may come wherever any token may."""
        if isinstance(phase, Free):
            return phase
        if isinstance(phase, Undecided):
            guarded = None if phase.guarded is None else self._nothing(phase.guarded, token)
            return replace(phase, guarded=guarded) if isinstance(guarded, Guarded) else None
        is_alive = phase.is_alive and phase.inner.push(token)
        return Guarded(phase.inner, phase.inner.depth, is_alive, phase.ends, phase.num_bytes) if is_alive else None

    def _special(self, phase: Phase, token: int, name: bytes) -> Phase | None:
        """The name of a special token is text to a marker that begins with it, and one unit to the grammar."""
        end = self._end
        if isinstance(phase, Free):
            return self._name(phase, name)
        if isinstance(phase, Undecided):
            return self._opening_name(phase, token, name)
        ends = frozenset(self.open_ends(phase)) if end is not None else frozenset()
        for position, byte in enumerate(name):
            ends = self._follow(ends, byte)
            if end is not None and len(end.text) in ends:
                return self._name(Free(0), name[position + 1 :])
        is_alive = phase.is_alive and phase.inner.push(token)
        num_bytes = phase.num_bytes + len(name)
        return Guarded(phase.inner, phase.inner.depth, is_alive, ends, num_bytes) if is_alive or ends else None

    def _name(self, phase: Free, name: bytes) -> Phase | None:
        for position, byte in enumerate(name, start=1):
            following = self._free(phase, byte)
            if isinstance(following, Guarded):
                return following if position == len(name) else None
            phase = following
        return phase

    def _opening_name(self, phase: Undecided, token: int, name: bytes) -> Phase | None:
        """As `_special`, where the name may be part of the opening."""
        rest = self._opening[phase.progress :]
        if name.startswith(rest):
            return self._name(Free(0), name[len(rest) :])
        guarded = None if phase.guarded is None else self._special(phase.guarded, token, name)
        assert guarded is None or isinstance(guarded, Guarded)
        return Undecided(phase.progress + len(name), guarded) if rest.startswith(name) else guarded

    def begin(self, part: PromptTail) -> Phase | None:
        """The phase after `part` of a prompt, which follows a start marker; None if no guarded text begins like that.

        Leading blanks are skipped if that helps.
        """
        if self._end is None:
            inner = Inner(self._make_inner(()))
            num_bytes = inner.matcher._begin(part)
            return None if num_bytes is None else Guarded(inner, num_bytes=num_bytes)
        for text in (part, part.without_blanks()):
            phase = self.text(self.fresh(), text.head)
            for token in text.tokens:
                phase = None if phase is None else self.token(phase, token)
            if phase is not None:
                return phase
        return None

    def _free(self, phase: Free, byte: int) -> Free | Guarded:
        start = self._start
        progress = start.step(phase.progress, byte)
        if progress < len(start.text):
            return Free(progress)
        return self.fresh()

    def _undecided(self, phase: Undecided, byte: int) -> Phase | None:
        progress = phase.progress
        if self._opening[progress] != byte:
            return None if phase.guarded is None else self._guarded(phase.guarded, byte)
        if progress + 1 == len(self._opening):
            return Free(0)
        guarded = None if phase.guarded is None else self._guarded(phase.guarded, byte)
        assert guarded is None or isinstance(guarded, Guarded)
        return Undecided(progress + 1, guarded)

    def _guarded(self, phase: Guarded, byte: int) -> Phase | None:
        end, inner = self._end, phase.inner
        ends: frozenset[int] = frozenset()
        if end is not None:
            ends = self._follow(self.open_ends(phase), byte)
            if len(end.text) in ends:
                return Free(0)
        is_alive = phase.is_alive and inner.push_byte(byte)
        return Guarded(inner, inner.depth, is_alive, ends, phase.num_bytes + 1) if is_alive or ends else None

    def _follow(self, ends: Iterable[int], byte: int) -> frozenset[int]:
        """Bytes of the end marker that have come after `byte`, given `ends` before it."""
        end = self._end
        return frozenset(so_far + 1 for so_far in ends if end is not None and end.text[so_far] == byte)

    def open_ends(self, phase: Guarded) -> list[int]:
        """Bytes of the end marker that have come, for each position where it may have begun; 0 if it may begin now."""
        may_begin = phase.is_alive and phase.inner.matcher._accepting()
        return sorted(phase.ends | {0}) if may_begin else sorted(phase.ends)

    def _is_inner_alone(self, phase: Guarded, text: bytes) -> bool:
        """Whether `text` can only be inner text."""
        end = self._end
        return end is None or (not phase.ends and end.text[0] not in text)
